"""What the configuration modes accept.

`Line(n)`: the line is kept, in place of one that starts with the same `n` words (0: beside all others).
`Section(mode)`: it opens a mode of its own. Generous on purpose below the first keyword: the lab checks that a
command exists, not that it makes sense.
"""

from dataclasses import dataclass
from enum import Enum, auto

from drivers.lab.ios.grammar import Grammar


@dataclass(frozen=True, slots=True)
class Line:
    replaces: int = 0


@dataclass(frozen=True, slots=True)
class Section:
    mode: str


class Special(Enum):
    """What has code of its own in `configure`."""

    BANNER = auto()
    DEFAULT = auto()
    DO = auto()
    ENABLE_SECRET = auto()
    END = auto()
    EXIT = auto()
    INTERFACE = auto()
    IP_ADDRESS = auto()
    NO = auto()
    VLAN = auto()


Action = Line | Section | Special

_EVERYWHERE: dict[str, Action] = {
    "default <line>": Special.DEFAULT,
    "do <line>": Special.DO,
    "end": Special.END,
    "exit": Special.EXIT,
    "no <line>": Special.NO,
}

_ANYTHING = (
    "aaa access-list alias arp boot cdp clock control-plane crypto errdisable event exception ip ipv6 key lldp "
    "logging login mac monitor ntp port-channel privilege radius radius-server service snmp-server spanning-tree "
    "standby tacacs tacacs-server track udld username vtp"
)
_IP = "as-path cef community-list domain forward-protocol ftp prefix-list scp sla ssh tftp"
GLOBAL_WORDS: dict[str, Action] = {
    **_EVERYWHERE,
    **{f"{keyword} <line>": Line() for keyword in _ANYTHING.split()},
    "archive": Section("config-archive"),
    "banner <word> <line>": Special.BANNER,
    "class-map <line>": Section("config-cmap"),
    "enable password <line>": Line(2),
    "enable secret <line>": Special.ENABLE_SECRET,
    "file prompt <word>": Line(2),
    "hostname <word>": Line(1),
    "interface <line>": Special.INTERFACE,
    "ip access-list extended <word>": Section("config-ext-nacl"),
    "ip access-list standard <word>": Section("config-std-nacl"),
    "ip default-gateway <word>": Line(2),
    "ip domain name <word>": Line(3),
    **{f"ip {keyword} <line>": Line() for keyword in _IP.split()},
    "ip cef": Line(),
    "ip http server": Line(),
    "ip name-server <line>": Line(),
    "ip route <line>": Line(),
    "ip ssh version <word>": Line(3),
    "key chain <word>": Section("config-keychain"),
    "line <line>": Section("config-line"),
    "logging buffered <line>": Line(2),
    "logging host <line>": Line(),
    "logging source-interface <line>": Line(2),
    "logging trap <word>": Line(2),
    "ntp server <line>": Line(),
    "ntp source <line>": Line(2),
    "policy-map <line>": Section("config-pmap"),
    "route-map <line>": Section("config-route-map"),
    "router <line>": Section("config-router"),
    "snmp-server community <line>": Line(),
    "snmp-server contact <line>": Line(2),
    "snmp-server host <line>": Line(),
    "snmp-server location <line>": Line(2),
    "username <word> <line>": Line(2),
    "version <word>": Line(1),
    "vlan <word>": Special.VLAN,
    "vrf definition <word>": Section("config-vrf"),
}
GLOBAL: Grammar[Action] = Grammar(GLOBAL_WORDS)

_INTERFACE = (
    "bandwidth carrier-delay cdp channel-group crypto delay encapsulation ip ipv6 keepalive lldp load-interval "
    "mpls negotiation power priority-queue service-policy spanning-tree standby storm-control switchport tunnel "
    "udld vrf"
)
_BELOW: dict[str, dict[str, Action]] = {
    "config-if": {
        **{f"{keyword} <line>": Line() for keyword in _INTERFACE.split()},
        "bandwidth <word>": Line(1),
        "description <line>": Line(1),
        "duplex <word>": Line(1),
        "ip address <line>": Special.IP_ADDRESS,
        "mtu <word>": Line(1),
        "shutdown": Line(),
        "speed <word>": Line(1),
        "switchport access vlan <word>": Line(3),
        "switchport mode <line>": Line(2),
    },
    "config-archive": {
        "log <line>": Line(),
        "maximum <word>": Line(1),
        "path <word>": Line(1),
        "time-period <word>": Line(1),
        "write-memory": Line(),
    },
    "config-cmap": {"match <line>": Line(), "description <line>": Line(1)},
    "config-ext-nacl": {f"{word} <line>": Line() for word in ("permit", "deny", "remark")},
    "config-keychain": {"key <line>": Line()},
    "config-line": {
        **{f"{word} <line>": Line() for word in ("access-class", "logging", "password", "transport", "privilege")},
        "exec-timeout <line>": Line(1),
        "login": Line(),
        "login <line>": Line(1),
    },
    "config-pmap": {"class <line>": Line(), "description <line>": Line(1)},
    "config-route-map": {f"{word} <line>": Line() for word in ("match", "set", "description")},
    "config-router": {
        **{f"{word} <line>": Line() for word in ("neighbor", "network", "address-family", "redistribute", "bgp")},
        "passive-interface <line>": Line(),
        "router-id <word>": Line(1),
        "version <word>": Line(1),
    },
    "config-std-nacl": {f"{word} <line>": Line() for word in ("permit", "deny", "remark")},
    "config-vlan": {"name <word>": Line(1), "state <word>": Line(1), "shutdown": Line()},
    "config-vrf": {"rd <word>": Line(1), "address-family <line>": Line(), "description <line>": Line(1)},
}
BELOW: dict[str, Grammar[Action]] = {mode: Grammar({**_EVERYWHERE, **words}) for mode, words in _BELOW.items()}

# On unless denied, or shown either way: the denial is what the configuration keeps.
ON_BY_DEFAULT = frozenset(
    (
        "aaa new-model",
        "cdp enable",
        "cdp run",
        "ip address",
        "ip cef",
        "ip domain lookup",
        "ip http server",
        "ip proxy-arp",
        "ip redirects",
        "service password-encryption",
    )
)
