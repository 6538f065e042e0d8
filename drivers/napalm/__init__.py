"""The napalm driver: structured queries and changes with candidates, over whatever a platform is reached by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from drivers.base import Arguments, Capabilities, ChangeArguments, Session, Strategy, Target, login_digest
from drivers.napalm.arguments import NapalmConnection
from drivers.napalm.driver_args import NapalmConfig, NapalmQuery
from drivers.napalm.platforms import PORTS, device_types, platform, platform_name
from drivers.napalm.session import NapalmSession
from drivers.napalm.view import NapalmView
from drivers.netmiko import NetmikoDriver, NetmikoSession


class NapalmDriver:
    """See `drivers.base.Driver`. `key_folders`: where the files that a login names may lie."""

    name: str = "napalm"
    connection_args: type[Arguments] = NapalmConnection
    query_args: type[Arguments] = NapalmQuery
    config_args: type[ChangeArguments] = NapalmConfig
    default_strategy: Strategy = Strategy.PINNED
    example: dict[str, Any] = {  # noqa: RUF012 (the contract asks for a plain attribute)
        "device_type": "ios",
        "host": "192.0.2.1",
        "username": "admin",
        "password": "example",
    }
    example_command: str = "get_facts"
    example_config: Sequence[str] = ("interface Loopback0", "description uplink")

    def __init__(self, key_folders: Sequence[Path] = ()) -> None:
        self._key_folders = key_folders

    def target(self, connection: Arguments) -> Target:
        """The device and the whole login. On a command line it is netmiko's, so that both drivers share a session."""
        assert isinstance(connection, NapalmConnection)
        if connection.shares_ssh:
            return NetmikoDriver().target(connection.ssh_login())
        login = connection.canonical()
        return Target(self.name, login.host or "", login.port or 0, login_digest(login), login)

    def session(self, target: Target) -> Session:
        """A session that is not open yet."""
        return NapalmSession(target, self._key_folders)

    def view(self, session: Session, connection: Arguments) -> Session:
        """NAPALM on a session of netmiko's; a session of its own is that itself."""
        assert isinstance(connection, NapalmConnection)
        if isinstance(session, NetmikoSession):
            return cast(Session, NapalmView(session, connection.canonical()))
        return session

    def device_types(self) -> Sequence[str]:
        """NAPALM's names of platforms, and netmiko's."""
        return device_types()

    def capabilities(self, device_type: str | None) -> Capabilities:
        """What the platform's class has of its own; None: what any has. Raises ValueError for an unknown one."""
        if device_type is not None:
            return platform(platform_name(device_type)).capabilities
        each = [platform(name).capabilities for name in PORTS]
        flags = ("dry_run", "revert_in", "rollback", "replace")
        getters = sorted({getter for able in each for getter in able.getters})
        return Capabilities(
            **{flag: any(getattr(able, flag) for able in each) for flag in flags}, getters=tuple(getters)
        )


__all__ = ["NapalmConfig", "NapalmConnection", "NapalmDriver", "NapalmQuery", "NapalmSession", "NapalmView"]
