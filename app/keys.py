"""`/key`: the keys with which clients come, and what each may do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from litestar import Request, delete, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath
from sqlalchemy import Row

from app.bodies import json_body
from app.envelope import Envelope, Failure, Problem
from app.failures import failures
from app.services import Needed, Services
from app.trail import note
from jobs.invalid import validated
from jobs.key_entry import KeyEntry, Rotation, is_name
from jobs.keys import Made, NoLongerCounts, owner
from jobs.principal import Forbidden, Principal, Scope

AnyRequest = Request[Any, Any, Any]

EXAMPLES = {
    "for one site": {
        "value": {
            "name": "backup.hq",
            "scopes": ["read", "query"],
            "hosts": ["192.0.2.0/24", "*.hq.example"],
            "credentials": ["sites/hq/*"],
            "expires_in_days": 365,
            "description": "Nightly backups of the headquarters",
        }
    }
}
ROTATION_EXAMPLES = {"within a day": {"value": {"grace_s": 86_400}}}

TAKEN = ResponseSpec(
    Failure, description="There is, or was, a key of that name: a name is for ever.", generate_examples=False
)
NO_LONGER = ResponseSpec(Failure, description="The key is revoked or has expired.", generate_examples=False)


@dataclass(frozen=True, slots=True)
class KeyView:
    """A key. `id`: the part of its text that is no secret. `hosts`, `credentials`: null for any.

    `requests_per_minute`, `queued_jobs`: null as the site says, 0 no limit. `last_used_at`: to the minute.
    `previous_until`: until when the text before the last rotation counts.
    """

    id: str
    name: str
    status: Literal["active", "expired", "revoked"]
    scopes: list[Scope]
    hosts: list[str] | None
    credentials: list[str] | None
    requests_per_minute: int | None
    queued_jobs: int | None
    description: str
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    previous_until: datetime | None


@dataclass(frozen=True, slots=True)
class MadeKeyView(KeyView):
    """A key that was made or replaced. `key`: its text, which is shown this once."""

    key: str


@get("/key", summary="List API keys", scope="admin", responses=failures(400, 403, 500, 503))
async def list_keys(services: Needed) -> Envelope[list[KeyView]]:
    """All keys by name, the revoked ones too; without their texts, which nobody has."""
    return Envelope([KeyView(**fields_of(row)) for row in await services.keys.every()])


@post(
    "/key",
    summary="Make an API key",
    scope="admin",
    responses={**failures(400, 403, 413, 415, 500, 503), 409: TAKEN},
)
async def post_key(request: AnyRequest, services: Needed) -> Envelope[MadeKeyView]:
    """The answer has its text, this once. A key that is limited to hosts or credentials makes none with wider rights,
    nor does it rotate or revoke one."""
    entry = validated(KeyEntry, await json_body(request))
    rights = entry.model_dump(mode="json", include={"scopes", "hosts", "credentials"}, exclude_none=True)
    note(request.scope, subject=entry.name, detail=rights)
    _require_within(request.user, entry.principal())
    made = await services.keys.create(entry, request.user.name)
    if made is None:
        raise Problem(409, "There is, or was, a key of that name; names are for ever.")
    return Envelope(_made(made))


@get("/key/{name:str}", summary="Get one API key", scope="admin", responses=failures(400, 403, 404, 500, 503))
async def get_key(services: Needed, name: FromPath[str]) -> Envelope[KeyView]:
    """The one key, not a list."""
    return Envelope(KeyView(**fields_of(await _found(services, name))))


@delete(
    "/key/{name:str}",
    status_code=200,
    summary="Revoke an API key",
    scope="admin",
    responses=failures(400, 403, 404, 500, 503),
)
async def delete_key(request: AnyRequest, services: Needed, name: FromPath[str]) -> Envelope[KeyView]:
    """Within two seconds every process refuses it. What it has queued goes on."""
    found = await _found(services, name)
    note(request.scope, subject=name)
    _require_within(request.user, owner(found))
    row = await services.keys.revoke(name)
    assert row is not None  # rows are never removed
    return Envelope(KeyView(**fields_of(row)))


@post(
    "/key/{name:str}/rotate",
    status_code=200,
    summary="Give an API key a new text",
    scope="admin",
    responses={**failures(400, 403, 404, 413, 415, 500, 503), 409: NO_LONGER},
)
async def rotate_key(request: AnyRequest, services: Needed, name: FromPath[str]) -> Envelope[MadeKeyView]:
    """The answer has the new text, this once. The one before counts for `grace_s` seconds."""
    wish = validated(Rotation, await json_body(request))
    found = await _found(services, name)
    note(request.scope, subject=name)
    _require_within(request.user, owner(found))
    try:
        made = await services.keys.rotate(name, wish.grace_s)
    except NoLongerCounts as error:
        raise Problem(409, str(error)) from None
    assert made is not None
    return Envelope(_made(made))


def _require_within(principal: Principal, other: Principal) -> None:
    """Raises Forbidden where it would get hold of rights that it does not have."""
    if not principal.covers(other):
        raise Forbidden(f"the key {principal.name!r} is limited, and {other.name!r} would have wider rights")


async def _found(services: Services, name: str) -> Row[Any]:
    row = await services.keys.find(name) if is_name(name) else None
    if row is None:
        raise Problem(404, "There is no key of that name.")
    return row


def fields_of(row: Row[Any]) -> dict[str, Any]:
    """Those of a KeyView."""
    return {name: getattr(row, name) for name in KeyView.__slots__}


def _made(made: Made) -> MadeKeyView:
    return MadeKeyView(**fields_of(made.row), key=made.text)
