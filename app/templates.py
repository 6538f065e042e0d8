"""`/template/render` and `/template/parse`: trying templates out, without a device."""

from __future__ import annotations

from typing import Annotated, Any, Self

from litestar import Request, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath
from pydantic import Field, model_validator

from app.bodies import json_body
from app.envelope import Envelope, Failure, Problem, invalid
from app.failures import failures
from app.services import Needed
from drivers.base import Arguments
from jobs.invalid import validated
from jobs.rendering import LONGEST_TEMPLATE

AnyRequest = Request[Any, Any, Any]

LONGEST_OUTPUT = 4_000_000
"""Characters of a device's output."""

Engine = Annotated[str, Field(min_length=1, max_length=64)]
TemplateText = Annotated[str, Field(min_length=1, max_length=LONGEST_TEMPLATE)]

RENDER_EXAMPLES = {
    "text": {
        "value": {
            "name": "jinja2",
            "template": "{% for vlan in vlans %}\nvlan {{ vlan.id }}\n name {{ vlan.name }}\n{% endfor %}",
            "context": {"vlans": [{"id": 10, "name": "office"}]},
            "args": {"trim_blocks": True},
        }
    },
    "from the library": {"value": {"name": "jinja2", "template": "name://vlans@2", "context": {"vlans": []}}},
}
_OUTPUT = "GigabitEthernet0/1   192.0.2.1   YES NVRAM  up   up"
PARSE_EXAMPLES = {
    "ntc-templates": {
        "value": {
            "name": "textfsm",
            "platform": "cisco_ios",
            "command": "show ip interface brief",
            "context": _OUTPUT,
        }
    },
    "regex": {"value": {"name": "regex", "template": r"(?m)^(?P<interface>\S+) +(?P<address>\S+)", "context": _OUTPUT}},
}


BUSY = ResponseSpec(
    Failure,
    description="No child process came free in time, or PostgreSQL is out of reach; see Retry-After.",
    generate_examples=False,
)


class RenderBody(Arguments):
    """What to render."""

    name: Engine | None = None
    """The engine: `jinja2` (the default), or an installed plug-in's; may stand in the address instead."""
    template: TemplateText
    """The text itself, or `name://…`, `file://…`, or an address."""
    context: dict[str, Any] = Field(default_factory=dict)
    """Values of the template's variables."""
    args: dict[str, Any] = Field(default_factory=dict)
    """The engine's own, such as `trim_blocks` and `lstrip_blocks`."""


class ParseBody(Arguments):
    """What to parse: by a template, or by the one that ntc-templates or ttp-templates have for a command."""

    name: Engine | None = None
    """The parser: `textfsm`, `ttp`, `regex`, `auto`, or an installed plug-in's; may stand in the address instead."""
    template: TemplateText | None = None
    """The text itself, or `name://…`, `file://…`, or an address; of `regex` a pattern with named groups."""
    platform: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """As ntc-templates names it, such as `cisco_ios`."""
    command: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    """As it was sent to the device."""
    context: Annotated[str, Field(max_length=LONGEST_OUTPUT)]
    """The device's output."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        by_command = (self.platform, self.command)
        if (self.template is None) == (by_command == (None, None)) or (self.template is None and None in by_command):
            raise ValueError("give either template, or platform and command")
        return self


@post(
    ["/template/render", "/template/render/{engine:str}"],
    status_code=200,
    summary="Render a template",
    scope="query",
    responses={**failures(400, 403, 404, 413, 415, 500), 503: BUSY},
)
async def render_template(request: AnyRequest, services: Needed, engine: FromPath[str | None] = None) -> Envelope[str]:
    """The text that the template makes of the context."""
    known = services.templates.renderers
    _require_known(engine, known)
    body = validated(RenderBody, await json_body(request))
    name = _chosen(engine, body.name or (None if engine else "jinja2"), known)
    return Envelope(await services.templates.render(name, body.template, body.context, body.args))


@post(
    ["/template/parse", "/template/parse/{engine:str}"],
    status_code=200,
    summary="Parse a device's output",
    scope="query",
    responses={**failures(400, 403, 404, 413, 415, 500), 503: BUSY},
)
async def parse_output(
    request: AnyRequest, services: Needed, engine: FromPath[str | None] = None
) -> Envelope[list[Any]]:
    """The records that the template finds in the output."""
    known = services.templates.parsers
    _require_known(engine, known)
    body = validated(ParseBody, await json_body(request))
    name = _chosen(engine, body.name, known)
    records = await services.templates.parse(
        name, body.context, template=body.template, platform=body.platform, command=body.command
    )
    return Envelope(records)


def _require_known(engine: str | None, known: tuple[str, ...]) -> None:
    """Raises Problem 404 for an address that names no engine."""
    if engine is not None and engine not in known:
        raise Problem(404, f"There is no such engine; there are {', '.join(known)}.")


def _chosen(in_path: str | None, in_body: str | None, known: tuple[str, ...]) -> str:
    """The engine that is named in either place, or in both. Raises Problem 400."""
    if in_path is not None and in_body not in (None, in_path):
        raise invalid(["name"], "is another engine than the one in the address")
    name = in_path or in_body
    if name is None:
        raise invalid(["name"], f"missing; there are {', '.join(known)}", "missing")
    if name not in known:
        raise invalid(["name"], f"no such engine; there are {', '.join(known)}", "engine")
    return name
