"""NAPALM's platforms: their names, netmiko's names for them, and what their classes can do."""

from __future__ import annotations

import difflib
import inspect
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from drivers.base import Capabilities

if TYPE_CHECKING:
    from napalm.base.base import NetworkDriver

NETMIKO = {"ios": "cisco_ios", "nxos_ssh": "cisco_nxos"}
"""Platforms that work on a command line, and netmiko's type for it: they share netmiko's held sessions."""

PORTS = {"eos": 443, "ios": 22, "iosxr_netconf": 830, "junos": 830, "nxos": 443, "nxos_ssh": 22}
"""The platforms, and the port on which each is reached by default."""

_OTHER_NAMES = {
    "arista_eos": "eos",
    "cisco_ios": "ios",
    "cisco_nxos": "nxos_ssh",
    "cisco_xe": "ios",
    "juniper": "junos",
    "juniper_junos": "junos",
    "nxos_nxapi": "nxos",
}
"""netmiko's and common names."""

_XML_AGENT = frozenset({"iosxr", "cisco_xr"})
"""NAPALM's driver for IOS XR's retired XML agent leaves its shell in a mode of its own and logs in again unasked."""

_NOT_GETTERS = frozenset({"ping", "traceroute"})
_MESSAGES = frozenset({"junos"})
"""Platforms whose `commit_config` takes a message; the others raise NotImplementedError for one."""

_NO_UNDO = frozenset({"iosxr_netconf"})
"""NAPALM takes back the last commit, and there is no telling whose that was."""

_NO_REPLACE = frozenset({"nxos", "nxos_ssh"})
"""NAPALM opens an SSH login of its own for the file, whose host key nobody would look at."""


@dataclass(frozen=True, slots=True)
class Platform:
    """One NAPALM driver class, and what it can do."""

    name: str
    driver: type[NetworkDriver]
    methods: frozenset[str]
    """Public methods that the class has of its own; the others raise NotImplementedError."""

    @property
    def message(self) -> bool:
        """Whether a commit takes a message."""
        return self.name in _MESSAGES

    @property
    def capabilities(self) -> Capabilities:
        """See `drivers.base.Driver.capabilities`."""
        changes = {"load_merge_candidate", "commit_config", "discard_config"} <= self.methods
        return Capabilities(
            config=changes,
            dry_run=changes and "compare_config" in self.methods,
            revert_in=changes and {"confirm_commit", "has_pending_commit"} <= self.methods,
            rollback=changes and "rollback" in self.methods and self.name not in _NO_UNDO,
            replace="load_replace_candidate" in self.methods and self.name not in _NO_REPLACE,
            getters=tuple(sorted(m for m in self.methods if m.startswith("get_") or m in _NOT_GETTERS)),
        )

    def takes(self, method: str) -> frozenset[str]:
        """The names of a method's arguments."""
        return frozenset(inspect.signature(getattr(self.driver, method)).parameters) - {"self"}


@cache
def platform(name: str) -> Platform:
    """The platform of that name of NAPALM's. Imports the libraries behind it, which takes a second the first time."""
    from napalm import get_network_driver
    from napalm.base.base import NetworkDriver

    driver = get_network_driver(name)
    own = (m for m in dir(NetworkDriver) if not m.startswith("_") and callable(getattr(NetworkDriver, m)))
    methods = frozenset(m for m in own if getattr(driver, m) is not getattr(NetworkDriver, m))
    return Platform(name, driver, methods)


def platform_name(device_type: str) -> str:
    """NAPALM's name for a device type of NAPALM's or netmiko's. Raises ValueError that names near ones."""
    if device_type in PORTS:
        return device_type
    if device_type in _OTHER_NAMES:
        return _OTHER_NAMES[device_type]
    if device_type in _XML_AGENT:
        raise ValueError("IOS XR is reached by NETCONF only: its device type is iosxr_netconf")
    near = difflib.get_close_matches(device_type[:64], device_types(), n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else f"; it knows {', '.join(sorted(PORTS))}"
    raise ValueError(f"not a device type that napalm knows{hint}")


def device_types() -> list[str]:
    """Every name that `platform_name` takes."""
    return sorted({*PORTS, *_OTHER_NAMES})
