"""Who may call: by name and password, or by the cookie of an earlier login."""

import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie

from drivers.lab.users import User

_COOKIE = "Session"
_MOST = 256  # the oldest login makes room


class Logins:
    """The cookies of one device, and whose they are."""

    def __init__(self) -> None:
        self._users: dict[str, User] = {}

    def open(self, user: User) -> str:
        """Log in; return the `Set-Cookie` header."""
        token = secrets.token_urlsafe(24)
        self._users[token] = user
        while len(self._users) > _MOST:
            del self._users[next(iter(self._users))]
        return f"{_COOKIE}={token}; Path=/; Secure; HttpOnly"

    def find(self, headers: Mapping[str, str]) -> User | None:
        return self._users.get(_token(headers))

    def close(self, headers: Mapping[str, str]) -> None:
        self._users.pop(_token(headers), None)

    def clear(self) -> None:
        self._users.clear()


def _token(headers: Mapping[str, str]) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(_COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def basic(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """Name and password of an `Authorization: Basic` header."""
    kind, _, encoded = headers.get("authorization", "").partition(" ")
    try:
        name, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (name, password) if kind.lower() == "basic" and colon else None


def in_body(body: bytes) -> tuple[str, str] | None:
    """Name and password of a `/login` request."""
    try:
        fields = json.loads(body)
        return str(fields["username"]), str(fields["password"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
