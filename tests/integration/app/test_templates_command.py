"""`netpulse templates`."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.cli.templates import Shelf, import_folder
from app.services import database_engine
from jobs.library import Library
from jobs.settings import TemplateSettings
from jobs.template_runner import TemplateRunner
from tests.integration.app.serving import ROOT

pytestmark = pytest.mark.anyio

FILES = {
    "base.j2": "hostname {{ name }}\n",
    "site/hq/vlans.j2": "{% for vlan in vlans %}vlan {{ vlan }}\n{% endfor %}",
    "site/brief.textfsm": "Value NAME (\\S+)\n\nStart\n  ^${NAME} -> Record\n",
    "brief.ttp": "{{ name }} {{ address | IP }}",
    "version.regex": "Version (?P<version>\\S+)",
    "README.md": "no template",
}
BAD = {
    "broken.j2": b"{% if %}",
    "broken.regex": b"(?P<a>",
    "Upper.j2": b"x",
    "empty.j2": b"",
    "latin.j2": b"\xff",
    "null.j2": b"a\0b",
    "large.j2": b"x" * 1_000_001,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of good templates."""
    folder = tmp_path / "templates"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
async def shelf(database: str) -> AsyncIterator[Shelf]:
    """The library, as the command has it."""
    engine = database_engine(database, connections=1)
    library = Library(engine)
    shelf = Shelf(library, TemplateRunner.of(library.text, TemplateSettings()))
    yield shelf
    await shelf.templates.close()
    await engine.dispose()


async def imported(shelf: Shelf, folder: Path) -> dict[str, tuple[int, str]]:
    """By kind and name, the version and what became of it; nothing was bad."""
    items, faults = await import_folder(shelf, folder)
    assert faults == []
    return {f"{item.draft.kind} {item.draft.name}": (item.version, item.outcome) for item in items}


async def test_importing_again_and_again(shelf: Shelf, folder: Path) -> None:
    names = ["ttp brief", "jinja2 base", "jinja2 site/hq/vlans", "textfsm site/brief", "regex version"]
    assert await imported(shelf, folder) == dict.fromkeys(names, (1, "new"))
    assert await shelf.library.text("jinja2", "base", 1) == FILES["base.j2"]
    assert await imported(shelf, folder) == dict.fromkeys(names, (1, "unchanged"))
    (folder / "base.j2").write_text("hostname {{ other }}")
    assert await imported(shelf, folder) == dict.fromkeys(names, (1, "unchanged")) | {"jinja2 base": (2, "revised")}
    assert await shelf.library.text("jinja2", "base", None) == "hostname {{ other }}"


async def test_bad_files(shelf: Shelf, folder: Path) -> None:
    """The others are imported all the same."""
    for name, content in BAD.items():
        (folder / name).write_bytes(content)
    (folder / "gone.j2").symlink_to("nowhere")
    items, faults = await import_folder(shelf, folder)
    assert len(items) == len(FILES) - 1
    assert sorted(fault.partition(": ")[0] for fault in faults) == sorted(str(folder / name) for name in BAD)
    said = dict(fault.removeprefix(f"{folder}/").split(": ", 1) for fault in faults)
    assert said["broken.j2"].startswith("line 1: ")
    assert said["latin.j2"] == "it is not UTF-8 text."
    assert said["Upper.j2"].startswith("a name is made of")
    assert all(said[name].startswith("a template has 1 to ") for name in ("empty.j2", "null.j2", "large.j2"))


def run(database: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """`netpulse templates`, as a person runs it."""
    environment = {**os.environ, "DATABASE_URL": database, "COLUMNS": "120"}
    command = [sys.executable, "-m", "app.cli", "templates", *arguments]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_command(database: str, folder: Path) -> None:
    (folder / "broken.j2").write_bytes(BAD["broken.j2"])
    importing = run(database, "import", str(folder))
    assert importing.returncode == 1
    [fault] = [line for line in importing.stderr.splitlines() if line.startswith("netpulse: ")]
    assert fault.startswith(f"netpulse: {folder}/broken.j2: line 1: ")
    listing = run(database, "list")
    assert listing.returncode == 0
    for table in (importing.stdout, listing.stdout):
        rows = [[cell.strip() for cell in line.split("│")][1:4] for line in table.splitlines() if "│" in line]
        assert sorted(rows) == sorted(
            [
                ["jinja2", "base", "1"],
                ["jinja2", "site/hq/vlans", "1"],
                ["textfsm", "site/brief", "1"],
                ["ttp", "brief", "1"],
                ["regex", "version", "1"],
            ]
        )


def test_without_a_database() -> None:
    done = run("postgresql://nobody@127.0.0.1:1/none", "list")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "netpulse: PostgreSQL is out of reach\n"
