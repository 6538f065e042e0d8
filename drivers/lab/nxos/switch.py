"""An NX-OS switch's state: that of an IOS router, and its checkpoints."""

import time
from dataclasses import dataclass, field

from drivers.lab.ios.config import Config
from drivers.lab.ios.router import Router

_PORTS = 4
_FACTORY = (
    """\
hostname {name}
feature ssh
no password strength-check
vlan 1
interface mgmt0
 ip address 192.0.2.{octet}/24
 vrf member management
"""
    + "".join(f"interface Ethernet1/{port}\n switchport access vlan 1\n" for port in range(1, _PORTS + 1))
    + "line console\nline vty\n"
)
MOST_CHECKPOINTS = 10


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A configuration to come back to."""

    config: Config
    user: str
    at: float = field(default_factory=time.time)


class Switch(Router):
    """What all sessions of one switch share."""

    factory = _FACTORY

    def __init__(self, name: str, secret: str) -> None:
        super().__init__(name, secret)
        self.checkpoints: dict[str, Checkpoint] = {}
