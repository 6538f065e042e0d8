"""Who is asking: the API key, from header, query or cookie."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from app.envelope import Problem


@dataclass(frozen=True, slots=True)
class Principal:
    """The owner of a key."""

    name: str


class Keyring:
    """Recognises keys. Keeps their hashes only; keys are long random texts, so a plain SHA-256 is enough."""

    def __init__(self, admin_key: str, parameter: str) -> None:
        """`parameter`: name of the header, query parameter and cookie."""
        self.parameter = parameter
        self._admin = sha256(admin_key.encode()).digest()

    def recognise(self, key: str) -> Principal | None:
        """The owner of `key`, compared in constant time; None for an unknown one."""
        given = sha256(key.encode("utf-8", "surrogateescape")).digest()
        return Principal("admin") if hmac.compare_digest(given, self._admin) else None

    def key_in(self, connection: ASGIConnection[Any, Any, Any, Any]) -> str | None:
        """The key that came along, the header's first."""
        name = self.parameter
        return connection.headers.get(name) or connection.query_params.get(name) or connection.cookies.get(name)


def require_key(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Guard: let only known keys through, and note whose it is."""
    keyring: Keyring = connection.app.state.keyring
    key = keyring.key_in(connection)
    if key is None:
        raise Problem(403, f"An API key is needed, in the header {keyring.parameter}.")
    principal = keyring.recognise(key)
    if principal is None:
        raise Problem(403, "The API key is not known.")
    connection.scope["user"] = principal
