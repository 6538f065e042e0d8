"""Templates that others keep: ntc-templates (TextFSM) and ttp-templates (TTP), found by platform and command.

They are looked up in the parent: a child may read no files, and the index would cost each of them memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from jobs.templating.errors import TemplateNotFound, TemplateRefused
from jobs.templating.fields import text

_LONGEST = 300
_COMPLETION = re.compile(r"\[\[(.+?)\]\]")


class Catalogues:
    """Turns a task that names platform and command into one that brings the template."""

    names = frozenset({"ntc", "ttp_templates"})

    def __init__(self) -> None:
        self.ntc, self.ttp = NtcTemplates(), TtpTemplates()

    def resolve(self, engine: str, task: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        """Engine and task to be run. `ntc` and `ttp_templates` take {platform, command, text}; others pass.

        Raises TemplateNotFound, which names near platforms or commands.
        """
        if engine == "ntc":
            template = self.ntc.template(_named(task, "platform"), _named(task, "command"))
            return "textfsm", {"template": template, "text": text(task, "text"), "lower": True}
        if engine == "ttp_templates":
            found = self.ttp.template(_named(task, "platform"), _named(task, "command"))
            return "ttp", {"template": found, "text": text(task, "text")}
        return engine, task


@dataclass(frozen=True)
class Row:
    """One line of ntc-templates' index. Platform and command are regexes, of which a beginning has to match."""

    files: tuple[str, ...]
    platform: str
    command: str

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Of the command and its abbreviations: `sh[[ow]]` stands for sh, sho and show (textfsm.clitable)."""
        return re.compile(_COMPLETION.sub(lambda part: _abbreviated(part[1]), self.command))

    @property
    def words(self) -> str:
        """The command as people write it; a few hold regexes."""
        return _COMPLETION.sub(r"\1", self.command)


class NtcTemplates:
    """ntc-templates. What answers is what its own `parse_output` would take: the first row that matches."""

    def __init__(self) -> None:
        self._folder = files("ntc_templates") / "templates"

    @cached_property
    def rows(self) -> Mapping[str, list[Row]]:
        """By the regex of their platforms, in the index's order."""
        rows: dict[str, list[Row]] = {}
        for row in _read_index(self._folder / "index"):
            rows.setdefault(row.platform, []).append(row)
        return rows

    def template(self, platform: str, command: str) -> list[str]:
        """The texts: mostly one; of several, the columns are joined. Raises TemplateNotFound."""
        known = [row for each, rows in self.rows.items() if re.match(each, platform) for row in rows]
        if not known:
            raise TemplateNotFound(_near("platform", platform, self.rows))
        for row in known:
            if row.pattern.match(command):
                return [(self._folder / file).read_text(encoding="utf-8") for file in row.files]
        raise TemplateNotFound(_near("command of this platform", command, [row.words for row in known]))


class TtpTemplates:
    """ttp-templates: one file per platform and command, named after both."""

    def __init__(self) -> None:
        self._folder = files("ttp_templates") / "platform"

    @property
    def stems(self) -> list[str]:
        """`cisco_ios_show_interfaces` and so on."""
        return sorted(file.name.removesuffix(".txt") for file in self._folder.iterdir() if file.name.endswith(".txt"))

    def template(self, platform: str, command: str) -> str:
        """The text. Raises TemplateNotFound. Naming rule: ttp_templates `get_template`."""
        words = f"{platform} {command}".lower().replace("|", "pipe")
        stem = re.sub(r"[ -]", "_", words.replace('"', "").replace("'", ""))
        if stem not in self.stems:
            raise TemplateNotFound(_near("platform and command", stem, self.stems))
        return (self._folder / f"{stem}.txt").read_text(encoding="utf-8")


def _read_index(index: Traversable) -> Iterator[Row]:
    lines = [line for line in index.read_text(encoding="utf-8").splitlines() if line.strip() and line[0] != "#"]
    for line in lines[1:]:
        names, _, platform, command = (field.strip() for field in line.split(",", 3))
        yield Row(tuple(names.split(":")), platform, command)


def _abbreviated(letters: str) -> str:
    return "".join(f"({letter}" for letter in letters) + ")?" * len(letters)


def _named(task: Mapping[str, Any], name: str) -> str:
    value = " ".join(text(task, name).split())
    if not 0 < len(value) <= _LONGEST:
        raise TemplateRefused(f"{name} must be 1 to {_LONGEST} characters long", name=name)
    return value


def _near(what: str, wanted: str, known: Any) -> str:
    near = get_close_matches(wanted, known, n=5, cutoff=0.5)
    return f"no template for this {what}" + (f"; near: {', '.join(near)}" if near else "")
