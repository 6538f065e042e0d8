"""The netmiko driver: command lines over SSH or telnet, held open, event-driven."""

from __future__ import annotations

from typing import Any

from drivers.base import Arguments, Session, Strategy, Target, login_digest
from drivers.netmiko.arguments import NetmikoConfig, NetmikoConnection, NetmikoQuery
from drivers.netmiko.session import NetmikoSession


class NetmikoDriver:
    """See `drivers.base.Driver`."""

    name: str = "netmiko"
    connection_args: type[Arguments] = NetmikoConnection
    query_args: type[Arguments] = NetmikoQuery
    config_args: type[Arguments] = NetmikoConfig
    default_strategy: Strategy = Strategy.PINNED
    example: dict[str, Any] = {  # noqa: RUF012 (the contract asks for a plain attribute)
        "device_type": "cisco_ios",
        "host": "192.0.2.1",
        "username": "admin",
        "password": "example",
    }

    def target(self, connection: Arguments) -> Target:
        """The device and the whole login: two spellings of one login are equal, two logins never."""
        assert isinstance(connection, NetmikoConnection)
        login = connection.canonical()
        return Target(self.name, login.address, login.port or 22, login_digest(login), login)

    def session(self, target: Target) -> Session:
        """A session that is not open yet."""
        return NetmikoSession(target)


__all__ = ["NetmikoConfig", "NetmikoConnection", "NetmikoDriver", "NetmikoQuery", "NetmikoSession"]
