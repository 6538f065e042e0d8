"""Who is examined: drivers on devices, and what each device says and takes. Also what is not asked of whom, and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from drivers.base import Capabilities, Driver
from drivers.registry import load_drivers

DRIVERS: Mapping[str, Driver] = load_drivers()


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A driver on one kind of device."""

    driver: str
    peer: str
    """The lab's persona, `sshd` or `frr`."""
    device_type: str | None = None
    https: bool = False
    """By the peer's HTTPS port."""
    reads: tuple[tuple[str, str], ...]
    """Commands that answer the same every time, and what is in their answers. The first answers at length."""
    refused: str = "show nonsense"
    lines: tuple[str, ...]
    """A change: two sentences, of as many lines each."""
    marks: tuple[str, str]
    """What stands in the configuration afterwards, by the first sentence and by the second."""
    bad: str = "bogus nonsense"
    """A line that is refused."""
    keeps: bool
    """Lines before a refused one stay in force."""
    renames: str = "hostname {}"
    """The line that gives the device a name."""
    looks: tuple[str, ...] = ()
    """Commands that show what a change may leave behind: files, checkpoints, sessions."""
    change_args: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """`driver-peer`."""
        return f"{self.driver}-{self.peer}"

    @property
    def broken(self) -> tuple[str, ...]:
        """The change with a refused line between its sentences."""
        half = len(self.lines) // 2
        return (*self.lines[:half], self.bad, *self.lines[half:])

    @property
    def capabilities(self) -> Capabilities:
        """What the driver declares."""
        return DRIVERS[self.driver].capabilities(self.device_type)

    @property
    def timeout(self) -> str:
        """The name of the argument that limits a command."""
        return "timeout" if self.driver == "paramiko" else "read_timeout"

    @property
    def simulated(self) -> bool:
        """Whether the lab plays the device, and can be told to misbehave."""
        return self.peer not in ("sshd", "frr")


_DESCRIBED = ("description first", "description last")


def _ports(form: str) -> tuple[str, ...]:
    ports = (f"interface {form.format(number)}" for number in (1, 2))
    return tuple(line for pair in zip(ports, _DESCRIBED, strict=True) for line in pair)


_IOS_READS = (("show running-config", "GigabitEthernet0/3"), ("show ip interface brief", "IP-Address"))
_EOS_READS = (("show running-config", "Ethernet4"), ("show hostname", "hostname"))
_EOS_LOOKS = ("dir flash:", "show configuration checkpoints", "show configuration sessions")

SUBJECTS = (
    Subject(
        driver="netmiko",
        peer="ios",
        device_type="cisco_ios",
        reads=_IOS_READS,
        lines=_ports("GigabitEthernet0/{}"),
        marks=_DESCRIBED,
        keeps=True,
        looks=("dir flash:",),
    ),
    Subject(
        driver="netmiko",
        peer="eos",
        device_type="arista_eos",
        reads=(_EOS_READS[0], ("show hostname", "FQDN")),
        lines=_ports("Ethernet{}"),
        marks=_DESCRIBED,
        keeps=False,
        looks=_EOS_LOOKS,
    ),
    Subject(
        driver="netmiko",
        peer="junos",
        device_type="juniper_junos",
        reads=(("show configuration", "root-authentication"), ("show interfaces terse", "ge-0/0/1")),
        lines=("set interfaces ge-0/0/0 description first", "set interfaces ge-0/0/1 description last"),
        marks=_DESCRIBED,
        bad="set bogus nonsense",
        keeps=False,
        renames="set system host-name {}",
        looks=("show system commit",),
    ),
    Subject(
        driver="netmiko",
        peer="nxos",
        device_type="cisco_nxos",
        reads=(("show interface status", "Eth1/4"), ("show startup-config | include mgmt0", "mgmt0")),
        lines=_ports("Ethernet1/{}"),
        marks=_DESCRIBED,
        keeps=True,
        looks=("show checkpoint summary",),
    ),
    Subject(
        driver="netmiko",
        peer="vrp",
        device_type="huawei_vrpv8",
        reads=(("display current-configuration", "GE1/0/3"), ("display ip interface brief", "Protocol")),
        refused="display nonsense",
        lines=_ports("GE1/0/{}"),
        marks=_DESCRIBED,
        keeps=False,
        renames="sysname {}",
        looks=("display configuration candidate",),
    ),
    Subject(
        driver="netmiko",
        peer="linux",
        device_type="linux",
        reads=(("cat /etc/os-release", "Lab Linux"), ("whoami", "root")),
        lines=("echo first > /etc/one", "echo last > /etc/two"),
        marks=("/etc/one: first", "/etc/two: last"),
        keeps=True,
        renames="hostname {}",
        change_args={"error_pattern": "command not found"},
    ),
    Subject(
        driver="netmiko",
        peer="frr",
        device_type="cisco_ios",
        reads=(("show version", "FRRouting"), ("show running-config", "frr version")),
        lines=("ip route 198.51.100.0/24 Null0", "ip route 203.0.113.0/24 Null0"),
        marks=("ip route 198.51.100.0/24 Null0", "ip route 203.0.113.0/24 Null0"),
        keeps=True,
    ),
    Subject(
        driver="napalm",
        peer="ios",
        device_type="ios",
        reads=(*_IOS_READS, ("get_interfaces_ip", "GigabitEthernet0/0")),
        lines=_ports("GigabitEthernet0/{}"),
        marks=_DESCRIBED,
        keeps=False,
        looks=("dir flash:",),
    ),
    Subject(
        driver="napalm",
        peer="eos",
        device_type="eos",
        https=True,
        reads=(_EOS_READS[0], ("show hostname", "FQDN"), ("get_config", "Ethernet4")),
        lines=_ports("Ethernet{}"),
        marks=_DESCRIBED,
        keeps=False,
        looks=_EOS_LOOKS,
    ),
    Subject(
        driver="pyeapi",
        peer="eos",
        https=True,
        reads=_EOS_READS,
        lines=_ports("Ethernet{}"),
        marks=_DESCRIBED,
        keeps=False,
        looks=_EOS_LOOKS,
    ),
    Subject(
        driver="paramiko",
        peer="sshd",
        reads=(("seq 1000", "\n1000\n"), ("printf 'one\\ntwo\\n'", "two")),
        refused="nonsense",
        lines=("echo first > ~/one", "echo last > ~/two"),
        marks=("one: first", "two: last"),
        bad="nonsense",
        keeps=True,
    ),
)

Property = Literal[
    "refused command",
    "each line reported",
    "cut before the prompt",
    "wrong password",
    "wrong key",
    "another prompt",
    "another name",
    "question",
    "question to a line",
    "bytes",
    "huge",
    "killed",
    "safe changes",
    "refused dry run",
]
"""What is asked of some only. Everything else in these tests is asked of all, or of those with a capability."""

_READS_ALIKE = "netmiko reads on every platform alike: ios stands for all"
_NO_PROMPT = "it has no prompt"
_REAL = "a real server does not do it when told to"
_NO_PASSWORDS = "its logins are by key: passwords would need PAM"
_NO_KEYS = "its logins are by password"

NOT_ASKED: dict[Property, dict[str, str]] = {
    "refused command": {"netmiko-linux": "a shell's terminal shows no exit status, and any text is an answer"},
    "each line reported": dict.fromkeys(("napalm-ios", "napalm-eos"), "NAPALM takes the lines as one text"),
    "cut before the prompt": {"paramiko-sshd": "its exit status, which ends a command, comes before the last bytes"},
    "wrong password": dict.fromkeys(("netmiko-frr", "paramiko-sshd"), _NO_PASSWORDS),
    "wrong key": {s.name: _NO_KEYS for s in SUBJECTS if s.simulated},
    "another prompt": {
        **dict.fromkeys(("napalm-eos", "pyeapi-eos", "paramiko-sshd"), _NO_PROMPT),
        "netmiko-frr": _REAL,
    },
    "another name": {"paramiko-sshd": "the server is this machine, which keeps its name"},
    "question": dict.fromkeys(("netmiko-frr", "paramiko-sshd"), _REAL),
    "question to a line": {
        **dict.fromkeys(("netmiko-frr", "paramiko-sshd"), _REAL),
        "napalm-ios": "its lines reach the device in a file",
    },
    "bytes": {"netmiko-frr": "it keeps no text that it did not understand"},
    "huge": {
        **{s.name: _READS_ALIKE for s in SUBJECTS if s.driver == "netmiko" and s.peer != "ios"},
        "napalm-ios": "it reads by netmiko",
    },
    "killed": {"netmiko-frr": "it has no command that lasts"},
    "refused dry run": {"napalm-ios": "IOS compares files without a look at their lines"},
    "safe changes": {"netmiko-frr": "it is no IOS, for which the driver takes it, and has neither files nor timers"},
}
"""Who is not asked, and why."""


def asked(what: Property) -> list[Subject]:
    """Those who must have a property."""
    return [subject for subject in SUBJECTS if subject.name not in NOT_ASKED[what]]


def able(what: Literal["dry_run", "revert_in", "rollback"]) -> list[Subject]:
    """Those whose drivers declare a capability. One that is not declared is never called for: see `jobs`."""
    return [subject for subject in asked("safe changes") if getattr(subject.capabilities, what)]
