"""What a device said, turned into records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from drivers.base import Arguments, Reply, Verdict
from jobs.rendering import LONGEST_TEMPLATE
from jobs.template_runner import TemplateRunner
from jobs.templating.errors import TemplateError

NETMIKO_NAMES = frozenset({"use_textfsm", "textfsm_template", "use_ttp", "ttp_template"})

LONGEST_REASON = 500
"""Characters of what is kept of a failure."""


class Parsing(Arguments):
    """How each command's output is parsed. Without a template, one is found by platform and command."""

    name: Annotated[str, Field(max_length=64)]
    """The parser: `textfsm`, `ttp`, `regex`, `auto`, or an installed plug-in's."""
    template: Annotated[str, Field(min_length=1, max_length=LONGEST_TEMPLATE)] | None = None
    """Text, `name://…`, `file://…`, or an address."""
    platform: Annotated[str, Field(max_length=64)] | None = None
    """As ntc-templates and ttp-templates name it; by default the login's `device_type`."""
    command: Annotated[str, Field(max_length=1000)] | None = None
    """The command for which a template is looked for; by default the one that was sent."""
    required: bool = False
    """Whether a job fails when its output cannot be parsed."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.template is not None and (self.platform or self.command):
            raise ValueError("template, or platform and command: not both")
        if self.name == "regex" and self.template is None:
            raise ValueError("regex needs a template: the pattern, with named groups")
        return self


class ParsingRequired(Exception):
    """An output could not be parsed, and the request says that the job fails then. The message is for the client."""


async def parsed(runner: TemplateRunner, wanted: Parsing, device_type: str | None, reply: Reply) -> Reply:
    """`reply` with its records, or with why there are none. What was refused, or not sent, is left as it is."""
    if reply.verdict is not Verdict.DONE or reply.phase != "main":
        return reply
    try:
        return replace(reply, parsed=await records_of(runner, wanted, device_type, reply))
    except TemplateError as error:
        return replace(reply, parsing_error=str(error)[:LONGEST_REASON])


async def records_of(runner: TemplateRunner, wanted: Parsing, device_type: str | None, reply: Reply) -> list[Any]:
    """The records of one output. Raises TemplateErrors."""
    if wanted.template is not None:
        return await runner.parse(wanted.name, reply.stdout, template=wanted.template)
    platform, command = wanted.platform or device_type, wanted.command or reply.command
    return await runner.parse(wanted.name, reply.stdout, platform=platform, command=command)


def has_record(records: list[Any], where: Mapping[str, Any]) -> bool:
    """Whether a record has all of these values."""
    return any(isinstance(record, dict) and where.items() <= record.items() for record in records)


def from_driver_args(args: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """netmiko's own names for parsing: the other arguments, and the `options.parsing` that they mean, if any."""
    rest = {name: value for name, value in args.items() if name not in NETMIKO_NAMES}
    for parser in ("textfsm", "ttp"):
        if args.get(f"use_{parser}"):
            template = args.get(f"{parser}_template")
            return rest, {"name": parser, **({"template": template} if template is not None else {})}
    return rest, None
