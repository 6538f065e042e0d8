"""Logins by reference: what stands in for one in a request until a worker has resolved it."""

from __future__ import annotations

from typing import Any

from jobs.invalid import RequestInvalid

FIELD = "credential_ref"
LOGIN = ("username", "password")
"""What a reference goes instead of; the drivers' `connection_args` call it so."""

STAND_IN = dict.fromkeys(LOGIN, "-")
"""The drivers' models are asked with it, so that they see to everything else."""


def with_stand_in(body: Any) -> Any:
    """The decoded body of a request as its model wants it: the reference, which may stand in `connection_args`, at the
    top, and the stand-in in its place. Raises RequestInvalid.
    """
    connection = body.get("connection_args") if isinstance(body, dict) else None
    if not isinstance(connection, dict) or (body.get(FIELD) is None and FIELD not in connection):
        return body
    ref, login = reference_in(body, connection)
    return {**body, FIELD: ref, "connection_args": login if ref is None else stood_in(login)}


def reference_in(body: dict[str, Any], connection: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The reference of a body or of its `connection_args`, as it was sent (None: there is none), and the latter without
    it. Raises RequestInvalid for two that differ.
    """
    inner, outer = connection.get(FIELD), body.get(FIELD)
    if None not in (inner, outer) and inner != outer:
        raise _fault([FIELD], "is given twice, with different values")
    login = {name: value for name, value in connection.items() if name != FIELD}
    return outer if inner is None else inner, login


def stood_in(login: dict[str, Any]) -> dict[str, Any]:
    """`connection_args` with the stand-in. Raises RequestInvalid if they have a user's name or a password."""
    for name in LOGIN:
        if login.get(name) is not None:
            raise _fault(["connection_args", name], "credential_ref goes instead of username and password")
    return {**login, **STAND_IN}


def without_stand_in(dumped: dict[str, Any]) -> dict[str, Any]:
    """A dumped request that refers to its login, as it was sent."""
    login = {name: value for name, value in dumped["connection_args"].items() if name not in LOGIN}
    return {**dumped, "connection_args": login}


def _fault(place: list[str | int], message: str) -> RequestInvalid:
    return RequestInvalid([{"loc": place, "msg": message, "type": "value_error"}])
