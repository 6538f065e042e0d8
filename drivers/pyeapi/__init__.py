"""The pyeapi driver: Arista EOS over eAPI, on a connection that is kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from drivers.base import Arguments, Capabilities, ChangeArguments, Session, Strategy, Target, login_digest
from drivers.pyeapi.arguments import PyeapiConfig, PyeapiConnection, PyeapiQuery
from drivers.pyeapi.session import PyeapiSession
from drivers.pyeapi.transport import EapiTransport


class PyeapiDriver:
    """See `drivers.base.Driver`. `key_folders` are those on the worker whose files a login may name."""

    name: str = "pyeapi"
    connection_args: type[Arguments] = PyeapiConnection
    query_args: type[Arguments] = PyeapiQuery
    config_args: type[ChangeArguments] = PyeapiConfig
    default_strategy: Strategy = Strategy.FIFO
    example: dict[str, Any] = {"host": "192.0.2.1", "username": "admin", "password": "example"}  # noqa: RUF012 (the contract asks for a plain attribute)
    example_command: str = "show version"
    example_config: Sequence[str] = ("interface Loopback0", "description uplink")

    def __init__(self, key_folders: Sequence[Path] = ()) -> None:
        self._key_folders = key_folders

    def target(self, connection: Arguments) -> Target:
        """The device and the whole login: two spellings of one login are equal, two logins never."""
        assert isinstance(connection, PyeapiConnection)
        login = connection.canonical()
        return Target(self.name, login.host, login.port or 443, login_digest(login), login)

    def session(self, target: Target) -> Session:
        """A session that is not open yet."""
        return PyeapiSession(target, self._key_folders)

    def view(self, session: Session, connection: Arguments) -> Session:  # noqa: ARG002 (the contract)
        """The session itself."""
        return session

    def device_types(self) -> Sequence[str]:
        """None: it is always EOS."""
        return ()

    def capabilities(self, device_type: str | None) -> Capabilities:  # noqa: ARG002 (the contract)
        """All that a configuration session of EOS can do."""
        return Capabilities(dry_run=True, revert_in=True, rollback=True, replace=True)


__all__ = ["EapiTransport", "PyeapiConfig", "PyeapiConnection", "PyeapiDriver", "PyeapiQuery", "PyeapiSession"]
