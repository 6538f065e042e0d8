"""What carries the NAPALM drivers that have a session of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from drivers.base import Guard, Trust
from drivers.errors import Unreachable
from drivers.napalm.arguments import NapalmConnection


class Link(Protocol):
    """One login. Raises what its library raises; `drivers.napalm.session` translates that."""

    guard: Guard
    trust: Trust
    sent: bool
    """Something was sent since this was last reset."""

    def open(self) -> None:
        """Log in."""

    def driver(self, timeout_s: float) -> Any:
        """A driver object for one call, each of whose requests may take `timeout_s` seconds."""

    def alive(self) -> bool:
        """False if it is known to be closed. Any thread."""

    def ping(self, timeout_s: float) -> bool:
        """Whether the peer answers."""

    def abort(self) -> None:
        """End whatever goes on. Any thread."""

    def close(self) -> None:
        """Idempotent."""


def link_of(login: NapalmConnection, folders: Sequence[Path]) -> Link:
    """What carries `login`, not open yet. Imports the libraries behind it."""
    if login.device_type == "eos":
        from drivers.napalm.eos import EapiLink

        return EapiLink(login, folders)
    if login.device_type == "nxos":
        from drivers.napalm.nxos import NxapiLink

        return NxapiLink(login, folders)
    if login.device_type in ("junos", "iosxr_netconf"):
        from drivers.napalm.netconf import NetconfLink

        return NetconfLink(login)
    raise Unreachable(f"napalm has no session of its own for {login.device_type}")
