"""`/host-key`: the keys and certificates with which devices prove who they are."""

from __future__ import annotations

import json
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, Self, TypeAlias, get_args

from litestar import Request, Response, delete, get, post
from litestar.datastructures import ResponseHeader
from litestar.params import QueryParameter
from pydantic import Field, field_validator, model_validator
from sqlalchemy import Row

from app.bodies import json_body
from app.circuits import ClearedView
from app.envelope import Envelope, invalid
from app.failures import failures
from app.filters import Host, host_name, needed_host
from app.jobs import NEXT_CURSOR
from app.services import Needed
from app.trail import note
from drivers.base import Arguments, device_key, fingerprint, normalise_host
from jobs.addresses import host_and_port
from jobs.host_keys import clear_host_keys, enter_host_key, find_host_keys
from jobs.invalid import validated

AnyRequest = Request[Any, Any, Any]

Kind: TypeAlias = Literal[
    "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa", "x509"
]


EXAMPLES = {
    "fingerprint": {
        "value": {
            "host": "192.0.2.1",
            "kind": "ssh-ed25519",
            "fingerprint": "SHA256:RFzBCUItH9LZS0cKB5UE6ceAYhBD5C8GeOBip8Z11+4",
        }
    },
    "public key": {
        "value": {
            "host": "192.0.2.1",
            "port": 22,
            "public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f",
        }
    },
}


class HostKeyEntry(Arguments):
    """A key to trust: either `kind` and `fingerprint`, or `public_key`."""

    host: str
    port: int = Field(22, ge=1, le=65535)
    kind: Kind | None = None
    """`x509` for a certificate (of HTTPS)."""
    fingerprint: Annotated[str, Field(pattern=r"^SHA256:[A-Za-z0-9+/]{43}$")] | None = None
    """As `ssh-keygen -l` writes it; of a certificate, the SHA-256 of its DER form in the same way."""
    public_key: Annotated[str, Field(max_length=16_384)] | None = None
    """A line as in `/etc/ssh/ssh_host_ed25519_key.pub`."""

    @field_validator("host")
    @classmethod
    def _one_spelling(cls, value: str) -> str:
        return normalise_host(value)

    @field_validator("public_key")
    @classmethod
    def _readable(cls, value: str | None) -> str | None:
        if value is not None:
            _key_of(value)
        return value

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        parts = (self.kind, self.fingerprint)
        if (self.public_key is None) == (parts == (None, None)) or (self.public_key is None and None in parts):
            raise ValueError("give either kind and fingerprint, or public_key")
        return self

    def key(self) -> tuple[str, str]:
        """Its kind and fingerprint."""
        return _key_of(self.public_key) if self.public_key is not None else (self.kind or "", self.fingerprint or "")


def _key_of(line: str) -> tuple[str, str]:
    """Kind and fingerprint of a public key's line: `kind base64 comment` (RFC 4253, 6.6). Raises ValueError."""
    kind, blob = (*line.split(), "", "")[:2]
    try:
        key = b64decode(blob, validate=True)
    except ValueError:
        key = b""
    name = kind.encode()
    if kind not in get_args(Kind) or kind == "x509" or not key.startswith(len(name).to_bytes(4, "big") + name):
        raise ValueError("not a public key in OpenSSH's format, such as `ssh-ed25519 AAAA…`")
    return kind, fingerprint(key)


@dataclass(frozen=True, slots=True)
class HostKeyView:
    """A key on record. `source`: learnt at the first login, or entered. `last_seen_at` is noted once a day."""

    host: str
    port: int
    kind: str
    fingerprint: str
    source: Literal["learnt", "entered"]
    first_seen_at: datetime | None
    last_seen_at: datetime | None


@get(
    "/host-key",
    summary="List host keys",
    scope="read",
    response_headers=[
        ResponseHeader(
            NEXT_CURSOR, documentation_only=True, description="`cursor` of the next page, if there may be one."
        )
    ],
    responses=failures(400, 403, 500, 503),
)
async def list_host_keys(
    request: AnyRequest,
    services: Needed,
    host: Host = None,
    limit: Annotated[int, QueryParameter(name="limit", ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, QueryParameter(name="cursor", description="The last page's X-Next-Cursor.")] = None,
) -> Response[Envelope[list[HostKeyView]]]:
    """The keys and certificates on record, by host and port."""
    device = None if host is None else host_name(host)
    after = None if cursor is None else _after(cursor)
    rows = await find_host_keys(services.database, device, limit, after, request.user.hosts)
    headers = {NEXT_CURSOR: _cursor(rows[-1])} if len(rows) == limit else {}
    return Response(Envelope([_view(row) for row in rows]), headers=headers)


@post(
    "/host-key",
    status_code=200,
    summary="Enter a host key",
    scope="admin",
    responses=failures(400, 403, 413, 415, 500, 503),
)
async def post_host_key(request: AnyRequest, services: Needed) -> Envelope[HostKeyView]:
    """Put a key on record, in place of another one of the same kind."""
    entry = validated(HostKeyEntry, await json_body(request))
    note(request.scope, host=entry.host)
    request.user.require_host(entry.host)
    row = await enter_host_key(services.database, device_key(entry.host, entry.port), *entry.key())
    return Envelope(_view(row))


@delete("/host-key", status_code=200, summary="Forget host keys", scope="admin", responses=failures(400, 403, 500, 503))
async def delete_host_keys(
    request: AnyRequest,
    services: Needed,
    host: Host = None,
    port: Annotated[int | None, QueryParameter(name="port", ge=1, le=65535)] = None,
) -> Envelope[ClearedView]:
    """The keys of a device, at one port or at all: as if it had never been seen."""
    device = needed_host(host)
    note(request.scope, host=device)
    request.user.require_host(device)
    return Envelope(ClearedView(await clear_host_keys(services.database, device, port)))


def _view(row: Row[Any]) -> HostKeyView:
    host, port = host_and_port(row.address)
    return HostKeyView(host, port, row.kind, row.fingerprint, row.source, row.first_seen_at, row.last_seen_at)


def _cursor(row: Row[Any]) -> str:
    return urlsafe_b64encode(json.dumps([row.address, row.kind]).encode()).decode()


def _after(cursor: str) -> tuple[str, str]:
    try:
        address, kind = json.loads(urlsafe_b64decode(cursor))
    except (ValueError, TypeError):
        address = kind = None
    if not (isinstance(address, str) and isinstance(kind, str)) or "\0" in address + kind:
        raise invalid(["query", "cursor"], "not a cursor; take it from X-Next-Cursor")
    return address, kind
