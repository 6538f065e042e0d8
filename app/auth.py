"""Who is asking: the API key, from header, query or cookie, and whether its scopes are enough for the route."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.enums import HttpMethod
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.routes import HTTPRoute

from app.envelope import Problem
from app.known_keys import FRESH_S, KnownKey, KnownKeys
from jobs.key_text import digest_of, id_in, is_same
from jobs.principal import SCOPES, Principal, Scope

ANY_SCOPE = SCOPES
"""The `scope` of a route that every key may use."""

ADMIN = Principal("admin", frozenset({"admin"}))
"""Who comes with the key of the settings."""

AnyConnection = ASGIConnection[Any, Any, Any, Any]


class Keyring:
    """Recognises keys: the one of the settings, and those in PostgreSQL. Keeps their digests only."""

    def __init__(self, admin_key: str, parameter: str, known: KnownKeys) -> None:
        """`parameter`: name of the header, query parameter and cookie."""
        self.parameter = parameter
        self._admin = digest_of(admin_key)
        self._known = known

    async def recognise(self, text: str) -> Principal:
        """The owner of a key. Raises Problem 403, and what SQLAlchemy does when PostgreSQL is away."""
        digest = digest_of(text)
        if is_same(digest, self._admin):
            return ADMIN
        key_id = id_in(text)
        key = None if key_id is None else await self._find(key_id, digest)
        if key_id is None or key is None:
            raise Problem(403, "The API key is not known.")
        if (complaint := key.complaint(digest)) is not None:
            raise Problem(403, f"The API key {complaint}.")
        self._known.note_use(key_id)
        return key.principal

    async def _find(self, key_id: str, digest: str) -> KnownKey | None:
        """The key; looked up anew if it seems to be replaced: whoever has the new text may use it at once."""
        now = time.monotonic()
        key = await self._known.find(key_id, now - FRESH_S)
        if key is None or is_same(digest, key.digest) or is_same(digest, key.previous_digest):
            return key
        return await self._known.find(key_id, now)

    def key_in(self, connection: AnyConnection) -> str | None:
        """The key that came along, the header's first. A cookie counts only for pages of our own."""
        name = self.parameter
        given = connection.headers.get(name) or connection.query_params.get(name)
        return given or (None if _is_from_elsewhere(connection) else connection.cookies.get(name))


def _is_from_elsewhere(connection: AnyConnection) -> bool:
    """Whether a browser says that another site's page asks: it adds our cookies to that, too.

    It says so in Sec-Fetch-Site, and without TLS in Origin only.
    """
    headers = connection.headers
    if (site := headers.get("sec-fetch-site")) is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] != headers.get("host")


async def require_key(connection: AnyConnection, handler: BaseRouteHandler) -> None:
    """Guard: let only known keys through that have a scope of the route, and note whose it is."""
    keyring: Keyring = connection.app.state.keyring
    text = keyring.key_in(connection)
    if text is None:
        raise Problem(403, f"An API key is needed, in the header {keyring.parameter}.")
    principal = await keyring.recognise(text)
    connection.scope["user"] = principal
    await connection.app.state.services.limits.admit(principal)
    if not _only_options(handler):
        principal.require(*scopes_of(handler))


def scopes_of(handler: BaseRouteHandler) -> tuple[Scope, ...]:
    """The scopes of which a route needs one: its decorator's `scope`, one or a tuple of them; none: it has none."""
    scope = handler.opt.get("scope", ())
    return (scope,) if isinstance(scope, str) else tuple(scope)  # type: ignore[return-value]  # see require_scopes


def require_scopes(app: Litestar) -> None:
    """Raises LookupError for a guarded route that says no scope, or one that there is not: a bug of ours."""
    for path, handler in guarded_routes(app):
        scopes = scopes_of(handler)
        if not scopes or not set(scopes) <= set(SCOPES):
            raise LookupError(f"the route {path} ({handler.handler_name}) needs a scope of {', '.join(SCOPES)}")


def guarded_routes(app: Litestar) -> Iterator[tuple[str, HTTPRouteHandler]]:
    """Path and handler of every route that needs a key."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                if require_key in handler.resolve_guards() and not _only_options(handler):
                    yield route.path, handler


def _only_options(handler: BaseRouteHandler) -> bool:
    """Litestar's own answer to OPTIONS, which tells the methods of a route."""
    return isinstance(handler, HTTPRouteHandler) and handler.http_methods == {HttpMethod.OPTIONS}
