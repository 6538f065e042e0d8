"""`/storage`: files that were brought from devices."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote
from uuid import UUID

from litestar import Request, delete, get
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath
from litestar.response import Stream
from sqlalchemy import Row

from app.envelope import Envelope, Problem
from app.failures import failures
from app.services import Needed, Services
from app.trail import note
from app.views import FileView, file_view

AnyRequest = Request[Any, Any, Any]

CONTENT = ResponseSpec(
    bytes,
    description="The file. `ETag` is its SHA-256.",
    media_type="application/octet-stream",
    generate_examples=False,
)


@get(
    "/storage/{file_id:uuid}",
    reveals=True,
    summary="Fetch a file that was brought from a device",
    scope="read",
    responses={200: CONTENT, **failures(400, 403, 404, 409, 500, 503)},
)
async def get_file(request: AnyRequest, services: Needed, file_id: FromPath[UUID]) -> Stream:
    """The file as its device had it. 404: there is none, or it is no longer kept.

    409: it is not whole yet, or was sealed under a secret key that is gone.
    """
    row = await _whole(services, request, file_id)
    headers = {
        "Content-Length": str(row.size_bytes),
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(row.name, safe='')}",
        "ETag": f'"{row.sha256}"',
        "X-Content-Type-Options": "nosniff",
    }
    content = await _begun(services.storage.content(file_id, row.size_bytes))
    return Stream(content, headers=headers, media_type="application/octet-stream")


@delete(
    "/storage/{file_id:uuid}",
    status_code=200,
    summary="Remove a file that was brought from a device",
    scope=("query", "config"),
    responses=failures(400, 403, 404, 409, 500, 503),
)
async def delete_file(request: AnyRequest, services: Needed, file_id: FromPath[UUID]) -> Envelope[FileView]:
    """Its content is gone at once for clients, and soon from the disk; that there was such a file stays on record."""
    row = await _whole(services, request, file_id)
    await services.storage.remove(file_id)
    return Envelope(file_view(row))


async def _begun(content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same, its first piece read: what fails there is still an answer. Raises SealBroken."""
    first = await anext(content, b"")

    async def again() -> AsyncIterator[bytes]:
        yield first
        async for piece in content:
            yield piece

    return again()


async def _whole(services: Services, request: AnyRequest, file_id: UUID) -> Row[Any]:
    """The row of a file that is there as a whole. Raises Problem 404 and 409."""
    row = await services.storage.find(file_id, request.user.hosts)
    if row is not None and row.direction == "download" and row.state == "growing":
        raise Problem(409, f"The file is not whole yet; see the job {row.job_id}.")
    if row is None or row.direction != "download" or row.state != "whole" or not row.kept:
        raise Problem(404, f"There is no file {file_id}, or it is no longer kept.")
    note(request.scope, subject=str(file_id), job_id=row.job_id)
    return row
