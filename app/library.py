"""`/template/{kind}/{name}`: the template library."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from litestar import Request, Response, delete, get, post, put
from litestar.datastructures import ResponseHeader
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter
from pydantic import Field, field_validator
from sqlalchemy import Row

from app.bodies import json_body
from app.envelope import Envelope, Failure, Problem, invalid
from app.failures import failures
from app.jobs import NEXT_CURSOR
from app.services import Needed
from app.templates import BUSY, TemplateText
from app.trail import note
from drivers.base import Arguments
from jobs.invalid import validated
from jobs.library import KINDS, LONGEST_DESCRIPTION, LONGEST_NAME, LONGEST_SAMPLE, Draft, Kind, Stored, is_name

AnyRequest = Request[Any, Any, Any]

SCHEMA = "/schema"
"""What a template's variables are, at the end of its address."""

EXAMPLES = {
    "jinja2": {
        "value": {
            "template": "ntp server {{ server }}",
            "description": "The site's time server",
            "sample": '{"server": "192.0.2.123"}',
        }
    }
}


TAKEN = ResponseSpec(Failure, description="There is a template of that name already.", generate_examples=False)


class TemplateEntry(Arguments):
    """A template to store."""

    template: TemplateText
    """Its text; of `regex` a pattern with named groups."""
    description: Annotated[str, Field(max_length=LONGEST_DESCRIPTION)] | None = None
    """For people; left out, it stays as it is."""
    sample: Annotated[str, Field(max_length=LONGEST_SAMPLE)] | None = None
    """An example: a context in JSON, or a device's output; left out, it stays as it is."""

    @field_validator("template", "description", "sample")
    @classmethod
    def _storable(cls, value: str | None) -> str | None:
        if value is not None and "\0" in value:  # PostgreSQL's text cannot hold it
            raise ValueError("must not contain null characters")
        return value


@dataclass(frozen=True, slots=True)
class TemplateSummary:
    """A template in the library. `version`: its latest."""

    kind: Kind
    name: str
    version: int
    description: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class VersionView:
    """One of a template's versions, and whose it is."""

    version: int
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class TemplateView:
    """A template in one version. `versions`: the latest hundred, newest first."""

    kind: Kind
    name: str
    version: int
    template: str
    description: str
    sample: str
    created_at: datetime
    created_by: str
    versions: list[VersionView]


@dataclass(frozen=True, slots=True)
class SavedView:
    """What was stored. `changed`: false if all was as it is already."""

    kind: Kind
    name: str
    version: int
    changed: bool


@dataclass(frozen=True, slots=True)
class RemovedView:
    """How many versions are gone."""

    removed_versions: int


@get(
    "/template",
    summary="List templates",
    scope="read",
    response_headers=[
        ResponseHeader(
            NEXT_CURSOR, documentation_only=True, description="`cursor` of the next page, if there may be one."
        )
    ],
    responses=failures(400, 403, 500, 503),
)
async def list_templates(
    services: Needed,
    kind: Annotated[Kind | None, QueryParameter(name="kind")] = None,
    prefix: Annotated[str, QueryParameter(name="prefix", description="How names begin.", max_length=LONGEST_NAME)] = "",
    limit: Annotated[int, QueryParameter(name="limit", ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, QueryParameter(name="cursor", description="The last page's X-Next-Cursor.")] = None,
) -> Response[Envelope[list[TemplateSummary]]]:
    """The templates, by kind and name."""
    after = None if cursor is None else _after(cursor)
    rows = await services.library.templates(kind, prefix, limit, after)
    headers = {NEXT_CURSOR: f"{rows[-1].kind}/{rows[-1].name}"} if len(rows) == limit else {}
    return Response(Envelope([_summary(row) for row in rows]), headers=headers)


@get(
    "/template/{kind:str}/{name:path}",
    summary="Get a template",
    scope="read",
    responses=failures(400, 403, 404, 500, 503),
)
async def get_template(
    services: Needed,
    kind: FromPath[str],
    name: FromPath[str],
    version: Annotated[int | None, QueryParameter(name="version", ge=1, le=2**31 - 1)] = None,
) -> Envelope[TemplateView | dict[str, Any]]:
    """A template, in its latest version or in another. With `/schema` behind the name of one of kind jinja2: the JSON
    schema of its variables."""
    if not name.endswith(SCHEMA):
        return Envelope(_view(await _found(services, kind, name, version)))
    stored = await _found(services, kind, name.removesuffix(SCHEMA), version)
    if stored.template.kind != "jinja2":
        raise Problem(404, "Only templates of kind jinja2 have a schema.")
    return Envelope(await services.templates.variables(stored.version.text))


@post(
    "/template/{kind:str}/{name:path}",
    status_code=200,
    summary="Store a new template",
    scope="config",
    responses={**failures(400, 403, 404, 413, 415, 500), 409: TAKEN, 503: BUSY},
)
async def post_template(
    request: AnyRequest, services: Needed, kind: FromPath[str], name: FromPath[str]
) -> Envelope[SavedView]:
    """Check and store it. 409: there is one of that name."""
    draft = await _draft(request, services, kind, name)
    version = await services.library.create(draft, request.user.name)
    if version is None:
        raise Problem(409, "There is a template of that name already; PUT stores a new version.")
    return Envelope(SavedView(draft.kind, draft.name, version, changed=True))


@put(
    "/template/{kind:str}/{name:path}",
    summary="Store a new version of a template",
    scope="config",
    responses={**failures(400, 403, 404, 413, 415, 500), 503: BUSY},
)
async def put_template(
    request: AnyRequest, services: Needed, kind: FromPath[str], name: FromPath[str]
) -> Envelope[SavedView]:
    """Check and store it. The version stays the same if the text does. 404: there is no template of that name."""
    draft = await _draft(request, services, kind, name)
    revised = await services.library.revise(draft, request.user.name)
    if revised is None:
        raise _missing()
    return Envelope(SavedView(draft.kind, draft.name, *revised))


@delete(
    "/template/{kind:str}/{name:path}",
    status_code=200,
    summary="Remove a template",
    scope="config",
    responses=failures(400, 403, 404, 500, 503),
)
async def delete_template(
    request: AnyRequest, services: Needed, kind: FromPath[str], name: FromPath[str]
) -> Envelope[RemovedView]:
    """All its versions. A template that gets the name later goes on counting versions from here."""
    known, plain = _writable(request, kind), name.removeprefix("/")
    note(request.scope, subject=f"{known}/{plain}")
    removed = await services.library.remove(known, plain) if is_name(plain) else 0
    if not removed:
        raise _missing()
    return Envelope(RemovedView(removed))


async def _draft(request: AnyRequest, services: Needed, kind: str, name: str) -> Draft:
    """What the client wants to store, if it is valid. Raises Problem 400 and 404, RequestInvalid, TemplateErrors,
    Forbidden.
    """
    known, plain = _writable(request, kind), name.removeprefix("/")
    if not is_name(plain):
        message = (
            f"a name is at most {LONGEST_NAME} of a-z 0-9 . _ - and /, each part begins with a letter or a digit, "
            "and the last one is not schema"
        )
        raise invalid(["path", "name"], message)
    note(request.scope, subject=f"{known}/{plain}")
    entry = validated(TemplateEntry, await json_body(request))
    await services.templates.check(known, entry.template)
    return Draft(known, plain, entry.template, entry.description, entry.sample)


async def _found(services: Needed, kind: str, name: str, version: int | None) -> Stored:
    known, plain = _kind(kind), name.removeprefix("/")
    stored = await services.library.find(known, plain, version) if is_name(plain) else None
    if stored is None:
        raise _missing()
    return stored


def _kind(kind: str) -> Kind:
    for known in KINDS:
        if known == kind:
            return known
    raise Problem(404, f"There is no such kind of templates; there are {', '.join(KINDS)}.")


def _writable(request: AnyRequest, kind: str) -> Kind:
    """Raises Forbidden for a key without admin and a template that evaluates code. Else as `_kind`."""
    known = _kind(kind)
    if known == "ttp":
        request.user.require("admin")
    return known


def _missing() -> Problem:
    return Problem(404, "There is no such template, or not in this version.")


def _summary(row: Row[Any]) -> TemplateSummary:
    return TemplateSummary(row.kind, row.name, row.version, row.description, row.created_at, row.updated_at)


def _view(stored: Stored) -> TemplateView:
    about, version = stored.template, stored.version
    versions = [VersionView(row.version, row.created_at, row.created_by) for row in stored.versions]
    written = (version.created_at, version.created_by)
    shown = (about.description, about.sample)
    return TemplateView(about.kind, about.name, version.version, version.text, *shown, *written, versions)


def _after(cursor: str) -> tuple[str, str]:
    kind, _, name = cursor.partition("/")
    if kind not in KINDS or not is_name(name):
        raise invalid(["query", "cursor"], "not a cursor; take it from X-Next-Cursor")
    return kind, name
