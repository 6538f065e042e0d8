"""The netmiko driver: command lines over SSH or telnet, held open, event-driven."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from drivers.base import Arguments, Capabilities, ChangeArguments, Session, Strategy, Target, login_digest
from drivers.netmiko.arguments import AUTODETECT, DEVICE_TYPES, NetmikoConnection
from drivers.netmiko.driver_args import NetmikoConfig, NetmikoQuery
from drivers.netmiko.files import can_move_files
from drivers.netmiko.procedures import procedure_class
from drivers.netmiko.session import NetmikoSession


class NetmikoDriver:
    """See `drivers.base.Driver`. `key_folders`: where `key_file` and `proxy_key_filename` may lie."""

    name: str = "netmiko"
    connection_args: type[Arguments] = NetmikoConnection
    query_args: type[Arguments] = NetmikoQuery
    config_args: type[ChangeArguments] = NetmikoConfig
    default_strategy: Strategy = Strategy.PINNED
    example: dict[str, Any] = {  # noqa: RUF012 (the contract asks for a plain attribute)
        "device_type": "cisco_ios",
        "host": "192.0.2.1",
        "username": "admin",
        "password": "example",
    }
    example_command: str = "show version"
    example_config: Sequence[str] = ("interface Loopback0", "description uplink")

    def __init__(self, key_folders: Sequence[Path] = ()) -> None:
        self._key_folders = key_folders

    def target(self, connection: Arguments) -> Target:
        """The device and the whole login: two spellings of one login are equal, two logins never."""
        assert isinstance(connection, NetmikoConnection)
        login = connection.canonical()
        return Target(self.name, login.address, login.port or 22, login_digest(login), login)

    def session(self, target: Target) -> Session:
        """A session that is not open yet."""
        return NetmikoSession(target, self._key_folders)

    def view(self, session: Session, connection: Arguments) -> Session:  # noqa: ARG002 (the contract)
        """The session itself."""
        return session

    def device_types(self) -> Sequence[str]:
        """Every type of netmiko's that is reached by SSH or telnet."""
        return sorted(DEVICE_TYPES)

    def capabilities(self, device_type: str | None) -> Capabilities:
        """What the platform's procedure for changes has, and whether netmiko can move files there.

        With `autodetect` it is known after the login only: what may be there is not refused before.
        """
        if device_type == AUTODETECT:
            return Capabilities(dry_run=True, revert_in=True, rollback=True, replace=True, files=True)
        return replace(procedure_class(device_type or "").capabilities, files=can_move_files(device_type or ""))


__all__ = ["NetmikoConfig", "NetmikoConnection", "NetmikoDriver", "NetmikoQuery", "NetmikoSession"]
