"""Device keys (`host:port`, IPv6 in brackets) taken apart."""

from __future__ import annotations

from sqlalchemy import Column, ColumnElement, func

from drivers.base import device_key


def host_and_port(key: str) -> tuple[str, int]:
    """What `drivers.base.device_key` put together."""
    host, _, port = key.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def host_in(column: ColumnElement[str]) -> ColumnElement[str]:
    """The host that a column of device keys names."""
    return func.regexp_replace(column, r"^\[?([^]]*)\]?:[0-9]+$", r"\1")


def is_at(column: Column[str], host: str) -> ColumnElement[bool]:
    """True where a column of device keys names `host`, whatever the port. A host holds no colon outside brackets."""
    return func.starts_with(column, device_key(host, 0).removesuffix("0"))
