"""`/credential`: what the providers of credentials keep."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Request, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath

from app.bodies import json_body
from app.credential_bodies import CredentialBatch, CredentialEntry, CredentialList, CredentialPath, CredentialRead
from app.credential_views import (
    AboutView,
    BatchReadView,
    CreatedView,
    CredentialView,
    DeletedView,
    NotReadView,
    PathsView,
    ProviderView,
    about_view,
    credential_view,
)
from app.envelope import Envelope, Failure, Problem
from app.failures import failures
from app.services import Needed, Services
from app.trail import note
from jobs.credentials.base import DEFAULT_USERNAME_KEY, CredentialRef, Provider
from jobs.credentials.errors import CredentialError
from jobs.invalid import validated

AnyRequest = Request[Any, Any, Any]

AT_ONCE = 10
"""Reads of one request that are under way at the same time."""

ADMIN = {"scope": "admin"}
REVEALS = {**ADMIN, "reveals": True}

AWAY = ResponseSpec(
    Failure, description="PostgreSQL or the provider is out of reach; see Retry-After.", generate_examples=False
)
FAILURES = failures(400, 403, 404, 413, 415, 500) | {503: AWAY}


@post(
    "/credential/{provider:str}/test",
    status_code=200,
    summary="Test a provider",
    opt=ADMIN,
    responses={**failures(400, 403, 404, 500), 503: AWAY},
)
async def test_provider(request: AnyRequest, services: Needed, provider: FromPath[str]) -> Envelope[ProviderView]:
    """Ask a provider for a sign of life, with the service's own login. It takes no body."""
    asked = _provider(services, provider)
    _note(request, asked, None)
    return Envelope(ProviderView(asked.name, True, dict(await asked.test())))


@post("/credential/{provider:str}/create", status_code=200, summary="Store a credential", opt=ADMIN, responses=FAILURES)
async def create_credential(request: AnyRequest, services: Needed, provider: FromPath[str]) -> Envelope[CreatedView]:
    """Store a login at a path: its first version, or a further one."""
    asked = _provider(services, provider)
    entry = validated(CredentialEntry, await json_body(request))
    _note(request, asked, entry.path)
    request.user.require_credential(entry.path)
    version = await asked.create(entry.path, entry.data(), entry.metadata, request.user.name)
    return Envelope(CreatedView(entry.path, version))


@post("/credential/{provider:str}/read", status_code=200, summary="Read a credential", opt=REVEALS, responses=FAILURES)
async def read_credential(request: AnyRequest, services: Needed, provider: FromPath[str]) -> Envelope[CredentialView]:
    """A login; without its password, unless that is asked for. Other fields at the path are not shown."""
    asked = _provider(services, provider)
    wanted = validated(CredentialRead, await json_body(request))
    field = None if wanted.username_key == DEFAULT_USERNAME_KEY else wanted.username_key
    _note(request, asked, wanted.path, version=wanted.version, revealed=wanted.show_password, username_key=field)
    request.user.require_credential(wanted.path)
    stored = await asked.read(wanted.path, wanted.version)
    return Envelope(credential_view(wanted.ref(), stored, revealed=wanted.show_password))


@post(
    "/credential/{provider:str}/delete", status_code=200, summary="Delete a credential", opt=ADMIN, responses=FAILURES
)
async def delete_credential(request: AnyRequest, services: Needed, provider: FromPath[str]) -> Envelope[DeletedView]:
    """All of its versions, for good."""
    asked = _provider(services, provider)
    path = validated(CredentialPath, await json_body(request)).path
    _note(request, asked, path)
    request.user.require_credential(path)
    await asked.delete(path)
    return Envelope(DeletedView(path, True))


@post("/credential/{provider:str}/list", status_code=200, summary="List credentials", opt=ADMIN, responses=FAILURES)
async def list_credentials(request: AnyRequest, services: Needed, provider: FromPath[str]) -> Envelope[PathsView]:
    """The paths in a folder. A key that is limited to some sees these, and folders."""
    asked = _provider(services, provider)
    wanted = validated(CredentialList, await json_body(request))
    _note(request, asked, wanted.path_prefix or None)
    paths = await asked.list(wanted.path_prefix, recursive=wanted.recursive)
    seen = [path for path in paths if path.endswith("/") or request.user.knows(path)]
    return Envelope(PathsView(wanted.path_prefix, seen))


@post(
    "/credential/{provider:str}/metadata",
    status_code=200,
    summary="Describe a credential",
    opt=ADMIN,
    responses=FAILURES,
)
async def describe_credential(request: AnyRequest, services: Needed, provider: FromPath[str]) -> Envelope[AboutView]:
    """Its versions and its metadata."""
    asked = _provider(services, provider)
    path = validated(CredentialPath, await json_body(request)).path
    _note(request, asked, path)
    request.user.require_credential(path)
    return Envelope(about_view(await asked.about(path)))


@post(
    "/credential/{provider:str}/batch-read",
    status_code=200,
    summary="Read many credentials",
    opt=REVEALS,
    responses=FAILURES,
)
async def read_credentials(request: AnyRequest, services: Needed, provider: FromPath[str]) -> Envelope[BatchReadView]:
    """Up to a hundred logins. One that cannot be read fails alone; with the provider away, all do."""
    asked = _provider(services, provider)
    wanted = validated(CredentialBatch, await json_body(request))
    _note(request, asked, None, paths=wanted.paths, revealed=wanted.show_password)
    for path in wanted.paths:
        request.user.require_credential(path)
    read = await _read_all(asked, wanted)
    succeeded = [view for view in read if isinstance(view, CredentialView)]
    failed = [view for view in read if isinstance(view, NotReadView)]
    return Envelope(BatchReadView(succeeded, failed, len(read), len(succeeded), len(failed)))


def _provider(services: Services, name: str) -> Provider:
    if name not in services.credentials:
        known = ", ".join(sorted(services.credentials))
        raise Problem(404, f"There is no such provider of credentials; known: {known}.")
    return services.credentials[name]


def _note(request: AnyRequest, provider: Provider, path: str | None, **detail: Any) -> None:
    """What the audit event of this request says of it."""
    given = {name: value for name, value in detail.items() if value is not None}
    note(request.scope, subject=path, detail={"provider": provider.name, **given})


async def _read_all(provider: Provider, wanted: CredentialBatch) -> list[CredentialView | NotReadView]:
    slots = asyncio.Semaphore(AT_ONCE)

    async def read(path: str) -> CredentialView | NotReadView:
        async with slots:
            try:
                stored = await provider.read(path)
                return credential_view(CredentialRef(path=path), stored, revealed=wanted.show_password)
            except CredentialError as error:
                return NotReadView(path, str(error))

    try:
        async with asyncio.TaskGroup() as group:
            reads = [group.create_task(read(path)) for path in wanted.paths]
    except ExceptionGroup as failed:  # the others were called off
        raise failed.exceptions[0] from None
    return [task.result() for task in reads]
