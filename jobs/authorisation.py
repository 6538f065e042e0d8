"""What a valid request needs of the key that it came with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from drivers.base import Arguments, HostKeyPolicy, normalise_host
from jobs.principal import QUERIES, Forbidden, Principal
from jobs.requests import Request

_STRICTEST_FIRST = get_args(HostKeyPolicy)


def authorise(principal: Principal, request: Request, policy: HostKeyPolicy) -> None:
    """Raises Forbidden unless `principal` may have `request` carried out. `policy`: the site's for host keys.

    What its jobs may see is one thing with what they may use: a credential that goes to a device of the client's choice
    is the client's.
    """
    principal.require("query" if request.operation in QUERIES else "config")
    connection = request.target.connection
    for host in (request.target.host, getattr(connection, "proxy_host", None)):
        if host is not None:
            principal.require_host(host)
    if request.credential_ref is not None:
        principal.require_credential(request.credential_ref.path)
    _require_policy(principal, connection, policy)


def authorise_again(principal: Principal, request: Mapping[str, Any]) -> None:
    """Raises Forbidden unless `principal` may use the login of a stored request, which another may have sent."""
    jump = request["connection_args"].get("proxy_host")
    if jump is not None:
        principal.require_host(normalise_host(jump))
    if (ref := request.get("credential_ref")) is not None:
        principal.require_credential(ref["path"])


def _require_policy(principal: Principal, connection: Arguments, policy: HostKeyPolicy) -> None:
    """A login may be stricter about its device's key than the site; more lenient, only an admin's."""
    wanted: HostKeyPolicy | None = getattr(connection, "host_key_policy", None)
    if wanted is None or _STRICTEST_FIRST.index(wanted) <= _STRICTEST_FIRST.index(policy):
        return
    if not principal.may("admin"):
        raise Forbidden(
            f"the key {principal.name!r} lacks the scope admin, which host_key_policy {wanted!r} needs at this site"
        )
