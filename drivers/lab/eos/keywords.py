"""What the configuration modes accept. Generous below the first keyword: that a command exists is checked, no more."""

from enum import Enum, auto

from drivers.lab.ios.grammar import Grammar
from drivers.lab.ios.keywords import Line, Section


class Special(Enum):
    """What has code of its own in `configure`."""

    ABORT = auto()
    BANNER = auto()
    COMMENT = auto()
    COMMIT = auto()
    COMMIT_TIMER = auto()
    DEFAULT = auto()
    END = auto()
    EXIT = auto()
    INTERFACE = auto()
    IP_ADDRESS = auto()
    NO = auto()
    ROLLBACK = auto()
    SECRET = auto()
    VLAN = auto()


Action = Line | Section | Special

_EVERYWHERE: dict[str, Action] = {
    "comment": Special.COMMENT,
    "default <line>": Special.DEFAULT,
    "end": Special.END,
    "exit": Special.EXIT,
    "no <line>": Special.NO,
}
_ANYTHING = (
    "aaa alias arp boot clock daemon dns errdisable event-handler hardware ip ipv6 lacp lldp logging mac ntp "
    "platform port-channel privilege ptp queue-monitor radius-server service sflow snmp-server spanning-tree "
    "switchport system tacacs-server transceiver"
)
_GLOBAL: dict[str, Action] = {
    **_EVERYWHERE,
    **{f"{keyword} <line>": Line() for keyword in _ANYTHING.split()},
    "banner login": Special.BANNER,
    "banner motd": Special.BANNER,
    "class-map <line>": Section("cmap"),
    "clock timezone <word>": Line(2),
    "dns domain <word>": Line(2),
    "enable password <line>": Special.SECRET,
    "enable secret <line>": Special.SECRET,
    "hostname <word>": Line(1),
    "interface <line>": Special.INTERFACE,
    "ip access-list <word>": Section("acl"),
    "ip access-list standard <word>": Section("acl"),
    "ip name-server <line>": Line(),
    "ip prefix-list <line>": Line(),
    "ip route <line>": Line(),
    "ip routing": Line(),
    "ip virtual-router mac-address <word>": Line(3),
    "ipv6 unicast-routing": Line(),
    "lldp run": Line(),
    "logging buffered <line>": Line(2),
    "logging host <line>": Line(),
    "logging trap <word>": Line(2),
    "management api gnmi": Section("mgmt-api-gnmi"),
    "management api http-commands": Section("mgmt-api-http-cmds"),
    "management console": Section("mgmt-console"),
    "management ssh": Section("mgmt-ssh"),
    "mlag configuration": Section("mlag"),
    "ntp local-interface <line>": Line(2),
    "ntp server <line>": Line(),
    "peer-filter <word>": Section("peer-filter"),
    "policy-map <line>": Section("pmap"),
    "route-map <line>": Section("route-map"),
    "router <line>": Section("router"),
    "snmp-server community <line>": Line(),
    "snmp-server contact <line>": Line(2),
    "snmp-server host <line>": Line(),
    "snmp-server location <line>": Line(2),
    "spanning-tree mode <word>": Line(2),
    "username <word> <line>": Special.SECRET,
    "vlan <word>": Special.VLAN,
    "vrf instance <word>": Section("vrf"),
}
_SESSION: dict[str, Action] = {
    "abort": Special.ABORT,
    "commit": Special.COMMIT,
    "commit timer <word>": Special.COMMIT_TIMER,
    "rollback clean-config": Special.ROLLBACK,
}
GLOBAL: Grammar[Action] = Grammar(_GLOBAL)
IN_SESSION: Grammar[Action] = Grammar({**_GLOBAL, **_SESSION})

_INTERFACE = (
    "bfd channel-group dot1x encapsulation flowcontrol ip ipv6 isis lacp lldp load-interval logging mlag "
    "negotiation ospf pim ptp qos sflow snmp spanning-tree storm-control switchport traffic-policy "
    "transceiver vrf vrrp vxlan"
)
_MANAGEMENT: dict[str, Action] = {
    **{f"{word} <line>": Line() for word in ("cors", "idle-timeout", "protocol", "qos", "transport", "vrf")},
    "default-services": Line(),
    "idle-timeout <line>": Line(1),
    "shutdown": Line(),
    "vrf <word>": Section("mgmt-vrf"),
}
_ROUTER = (
    "aggregate-address area bgp distance graceful-restart log-adjacency-changes max-lsa maximum-paths neighbor "
    "network passive-interface redistribute timers update"
)
_BELOW: dict[str, dict[str, Action]] = {
    "acl": {"<word> <line>": Line(1), **{f"{word} <line>": Line() for word in ("permit", "deny", "remark")}},
    "cmap": {"match <line>": Line()},
    "if": {
        **{f"{keyword} <line>": Line() for keyword in _INTERFACE.split()},
        "description <line>": Line(1),
        "ip address <line>": Special.IP_ADDRESS,
        "mtu <word>": Line(1),
        "shutdown": Line(),
        "speed <line>": Line(1),
        "switchport": Line(),
        "switchport access vlan <word>": Line(3),
        "switchport mode <word>": Line(2),
        "switchport trunk allowed vlan <line>": Line(4),
        "vrf <word>": Line(1),
    },
    "mgmt-api-gnmi": _MANAGEMENT,
    "mgmt-api-http-cmds": _MANAGEMENT,
    "mgmt-console": _MANAGEMENT,
    "mgmt-ssh": _MANAGEMENT,
    "mgmt-vrf": {"shutdown": Line(), "ip <line>": Line()},
    "mlag": {f"{word} <line>": Line(1) for word in ("domain-id", "local-interface", "peer-address", "peer-link")},
    "peer-filter": {"<word> <line>": Line(1)},
    "pmap": {"class <line>": Section("pmap-c")},
    "pmap-c": {f"{word} <line>": Line() for word in ("set", "police", "shape")},
    "route-map": {f"{word} <line>": Line() for word in ("match", "set", "continue", "description")},
    "router": {
        **{f"{word} <line>": Line() for word in _ROUTER.split()},
        "address-family <line>": Section("router-af"),
        "router-id <word>": Line(1),
        "shutdown": Line(),
        "vlan <word>": Section("router-af"),
        "vrf <word>": Section("router-af"),
    },
    "router-af": {
        **{f"{word} <line>": Line() for word in (*_ROUTER.split(), "rd", "route-target")},
        "router-id <word>": Line(1),
    },
    "vlan": {"name <word>": Line(1), "state <word>": Line(1), "trunk <line>": Line()},
    "vrf": {"rd <word>": Line(1), "description <line>": Line(1)},
}
BELOW: dict[str, Grammar[Action]] = {mode: Grammar({**_EVERYWHERE, **words}) for mode, words in _BELOW.items()}

# On unless denied: the denial is what the configuration shows, and the line itself is not. By mode; "" is the top.
ON_BY_DEFAULT: dict[str, frozenset[str]] = {
    "": frozenset(("aaa root", "lldp run")),
    "if": frozenset(("lldp receive", "lldp transmit", "switchport")),
    **{mode: frozenset(("shutdown",)) for mode in ("mgmt-api-gnmi", "mgmt-api-http-cmds", "mgmt-vrf")},
}
