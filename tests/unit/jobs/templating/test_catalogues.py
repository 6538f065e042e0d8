"""All of ntc-templates and ttp-templates can be found, as their own libraries find them."""

from __future__ import annotations

import re
from pathlib import Path

import ntc_templates
import pytest
import ttp_templates
from textfsm.clitable import CliTable

from jobs.templating.catalogues import NtcTemplates, Row, TtpTemplates
from jobs.templating.errors import TemplateNotFound

FOLDER = Path(ntc_templates.__file__).parent / "templates"


@pytest.fixture(scope="module")
def ntc() -> NtcTemplates:
    return NtcTemplates()


@pytest.fixture(scope="module")
def table() -> CliTable:
    return CliTable("index", str(FOLDER))


def _platforms(row: Row) -> list[str]:
    """`(hp|aruba)_procurve` stands for two, `.*vyos.*` for one."""
    plain = row.platform.replace(".*", "")
    choice = re.search(r"\((.*?)\)", plain)
    return [plain.replace(choice[0], each) for each in choice[1].split("|")] if choice else [plain]


def _commands(row: Row) -> list[str]:
    """A command that a row is for, in full and as short as it goes: its regexes by the first of their choices."""
    short = re.sub(r"(?<=\s)\[\[(.).*?\]\]", r"\1", row.command)  # a word that may be left out but for its space
    full, short = row.words, re.sub(r"\[\[.+?\]\]", "", short)
    return [_spelled(command) for command in (full, short)]


def _spelled(pattern: str) -> str:
    for regex, plain in (
        (r"\\d\+|\[0-9\]\+", "1"),
        (r"\\S\+|\\w\+|\[\^\\s\]\+", "x"),
        (r"\\s\+|\\s\*|\\s", " "),
        (r"\\([./|-])", r"\1"),
        (r"\.\*|\.\+", "x"),
        (r"\[(\w)\w*\]", r"\1"),
        (r" \*", ""),
        (r"\$$|^\^", ""),
        (r"\((?:\?:)?([^()|]*)[^()]*\)[?*]", ""),
    ):
        pattern = re.sub(regex, plain, pattern)
    while (inner := re.search(r"\((?:\?:)?([^()|]*)[^()]*\)", pattern)) is not None:
        pattern = pattern[: inner.start()] + inner[1] + pattern[inner.end() :]
    return " ".join(pattern.replace("?", "").split())


def test_every_row_of_the_index_resolves_as_its_own_library_does(ntc: NtcTemplates, table: CliTable) -> None:
    rows = [row for rows in ntc.rows.values() for row in rows]
    assert len(rows) == len(table.index) > 900
    missed = []
    for row in rows:
        for platform in _platforms(row):
            for command in _commands(row):
                try:
                    ours = ntc.template(platform, command)
                except TemplateNotFound:
                    missed.append((platform, command))
                    continue
                number = table.index.GetRowMatch({"Platform": platform, "Command": command})
                files = table.index.index[number]["Template"].split(":")
                assert ours == [(FOLDER / file).read_text(encoding="utf-8") for file in files], (platform, command)
    assert missed == []


def test_every_row_names_templates_that_are_there(ntc: NtcTemplates) -> None:
    named = {file for rows in ntc.rows.values() for row in rows for file in row.files}

    assert named <= {path.name for path in FOLDER.glob("*.textfsm")}


def test_abbreviations(ntc: NtcTemplates) -> None:
    full = ntc.template("cisco_ios", "show ip interface brief")

    assert ntc.template("cisco_ios", "sh ip int br") == ntc.template("cisco_ios_telnet", "sho ip inter bri") == full
    with pytest.raises(TemplateNotFound):
        ntc.template("cisco_ios", "sx ip int br")


def test_unknown_ones_name_their_neighbours(ntc: NtcTemplates) -> None:
    with pytest.raises(TemplateNotFound, match="no template for this platform; near: cisco_ios"):
        ntc.template("cisco_ois", "show version")
    with pytest.raises(TemplateNotFound, match="no template for this command of this platform; near: show version"):
        ntc.template("cisco_ios", "shaw version")
    with pytest.raises(TemplateNotFound, match=r"^no template for this platform$"):
        ntc.template("zzz", "show version")


def test_every_template_of_ttp_templates_resolves() -> None:
    catalogue = TtpTemplates()
    assert len(catalogue.stems) > 50
    for stem in catalogue.stems:
        vendor, system, *words = stem.split("_")
        command = " ".join(words).replace("pipe", "|") if words else ""
        text = catalogue.template(f"{vendor}_{system}", command) if words else ""
        same = ttp_templates.get_template(platform=f"{vendor}_{system}", command=command) if words else ""
        assert text == same
        assert text or not words


@pytest.mark.parametrize(
    ("platform", "command"), [("../../platform/cisco_ios", "show interfaces"), ("cisco_ios", "../x")]
)
def test_no_way_out_of_the_folder(platform: str, command: str) -> None:
    for catalogue in (NtcTemplates(), TtpTemplates()):
        with pytest.raises(TemplateNotFound):
            catalogue.template(platform, command)
