"""The paramiko driver: commands, files and detached tasks on Linux hosts, over SSH without a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from drivers.base import Arguments, Capabilities, ChangeArguments, Session, Strategy, Target, login_digest
from drivers.paramiko.arguments import FileTransfer, ParamikoConfig, ParamikoConnection, ParamikoQuery
from drivers.paramiko.session import ParamikoSession


class ParamikoDriver:
    """See `drivers.base.Driver`. Keys that clients name by file lie below one of `key_folders`."""

    name: str = "paramiko"
    connection_args: type[Arguments] = ParamikoConnection
    query_args: type[Arguments] = ParamikoQuery
    config_args: type[ChangeArguments] = ParamikoConfig
    default_strategy: Strategy = Strategy.FIFO
    example: dict[str, Any] = {  # noqa: RUF012 (the contract asks for a plain attribute)
        "host": "192.0.2.10",
        "username": "admin",
        "password": "example",
    }
    example_command: str = "uname -a"
    example_config: Sequence[str] = ("systemctl restart chrony",)

    def __init__(self, key_folders: Sequence[Path] = ()) -> None:
        self._key_folders = tuple(key_folders)

    def target(self, connection: Arguments) -> Target:
        """The host and the whole login."""
        assert isinstance(connection, ParamikoConnection)
        return Target(self.name, connection.host, connection.port, login_digest(connection), connection)

    def session(self, target: Target) -> Session:
        """A session that is not open yet."""
        return ParamikoSession(target, self._key_folders)

    def view(self, session: Session, connection: Arguments) -> Session:  # noqa: ARG002 (the contract's)
        """The session itself."""
        return session

    def device_types(self) -> Sequence[str]:
        """None: every host is a Linux host."""
        return ()

    def capabilities(self, device_type: str | None) -> Capabilities:  # noqa: ARG002 (the contract's)
        """Commands, files and detached tasks; commands cannot be tried or undone."""
        return Capabilities(files=True, tasks=True)


__all__ = [
    "FileTransfer",
    "ParamikoConfig",
    "ParamikoConnection",
    "ParamikoDriver",
    "ParamikoQuery",
    "ParamikoSession",
]
