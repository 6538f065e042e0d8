"""Templates in PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from jobs.database import Pool
from jobs.library import SHOWN_VERSIONS, Draft, Library, is_name, stored_text
from jobs.references import References
from jobs.settings import TemplateSettings
from tests.integration.jobs.conftest import Site

pytestmark = pytest.mark.anyio


@pytest.fixture
async def engine(database: str) -> AsyncIterator[AsyncEngine]:
    """The API's way to the database."""
    engine = create_async_engine(database.replace("postgresql:", "postgresql+asyncpg:"), isolation_level="AUTOCOMMIT")
    yield engine
    await engine.dispose()


@pytest.fixture
def library(engine: AsyncEngine) -> Library:
    return Library(engine)


def draft(text: str = "one", **changes: Any) -> Draft:
    return Draft(**{"kind": "jinja2", "name": "site/base", "text": text, **changes})


async def versions(site: Site) -> list[tuple[int, str]]:
    rows = await site.connection.fetch("SELECT version, text FROM netpulse.template_version ORDER BY version")
    return [(row["version"], row["text"]) for row in rows]


async def test_versions(site: Site, library: Library) -> None:
    assert await library.create(draft("one", description="d", sample="s"), "ann") == 1
    assert await library.create(draft("other"), "bob") is None
    assert await library.revise(draft("two"), "bob") == (2, True)
    assert await library.revise(draft("one"), "bob") == (3, True)
    assert await versions(site) == [(1, "one"), (2, "two"), (3, "one")]
    latest, second = await library.find("jinja2", "site/base"), await library.find("jinja2", "site/base", 2)
    assert latest is not None
    assert second is not None
    assert (latest.version.version, latest.version.text) == (3, "one")
    assert (second.version.version, second.version.text, second.version.created_by) == (2, "two", "bob")
    assert [(row.version, row.created_by) for row in second.versions] == [(3, "bob"), (2, "bob"), (1, "ann")]
    assert (latest.template.description, latest.template.sample) == ("d", "s")


async def test_what_stays_as_it_is_is_not_touched(site: Site, library: Library) -> None:
    await library.create(draft("one", description="d"), "ann")
    row = "SELECT xmin::text, t.* FROM netpulse.template AS t"
    before = await site.connection.fetchrow(row)
    assert await library.revise(draft("one"), "bob") == (1, False)
    assert await library.revise(draft("one", description="d", sample=""), "bob") == (1, False)
    assert await site.connection.fetchrow(row) == before
    assert await library.revise(draft("one", sample="s"), "bob") == (1, True)
    after = await site.connection.fetchrow(row)
    assert (after["description"], after["sample"], after["version"]) == ("d", "s", 1)
    assert after["updated_at"] > before["updated_at"]
    assert await versions(site) == [(1, "one")]


async def test_nothing_there(library: Library) -> None:
    await library.create(draft(), "ann")
    for kind, name in (("ttp", "site/base"), ("jinja2", "site/bas"), ("jinja2", "site")):
        other = draft(kind=kind, name=name)
        assert await library.revise(other, "ann") is None
        assert await library.remove(other.kind, name) == 0
        assert await library.find(other.kind, name) is None
        assert await library.text(other.kind, name, None) is None
    assert await library.find("jinja2", "site/base", 2) is None
    assert await library.text("jinja2", "site/base", 2) is None


async def test_a_version_never_means_two_texts(site: Site, library: Library) -> None:
    """Not even when a template is removed, and its name used again."""
    await library.create(draft("one", description="d", sample="s"), "ann")
    await library.revise(draft("two"), "ann")
    assert await library.remove("jinja2", "site/base") == 2
    assert await library.remove("jinja2", "site/base") == 0
    assert await library.find("jinja2", "site/base") is None
    assert await library.text("jinja2", "site/base", None) is None
    assert await library.revise(draft(), "ann") is None
    assert await library.templates(None, "", 10) == []
    assert await library.create(draft("three"), "bob") == 3
    assert await versions(site) == [(3, "three")]
    stored = await library.find("jinja2", "site/base")
    assert stored is not None
    assert (stored.template.description, stored.template.sample) == ("", "")
    assert stored.template.created_at == stored.version.created_at
    assert await library.find("jinja2", "site/base", 1) is None


async def test_many_at_once(site: Site, library: Library) -> None:
    """One creates, and every text gets a version of its own."""
    created = await asyncio.gather(*(library.create(draft(f"new {number}"), "x") for number in range(8)))
    assert sorted(version or 0 for version in created) == [0] * 7 + [1]
    revised = await asyncio.gather(*(library.revise(draft(f"text {number}"), "x") for number in range(8)))
    assert sorted(found[0] for found in revised if found) == list(range(2, 10))
    assert [version for version, _ in await versions(site)] == list(range(1, 10))


async def test_the_list(library: Library) -> None:
    for kind, name in (("ttp", "a"), ("jinja2", "site/b"), ("jinja2", "site_c"), ("jinja2", "a"), ("regex", "site/b")):
        await library.create(draft(kind=kind, name=name), "ann")
    whole = [("jinja2", "a"), ("jinja2", "site/b"), ("jinja2", "site_c"), ("regex", "site/b"), ("ttp", "a")]

    async def listed(*query: Any) -> list[tuple[str, str]]:
        return [(row.kind, row.name) for row in await library.templates(*query)]

    assert await listed(None, "", 10) == whole
    assert await listed("jinja2", "", 10) == whole[:3]
    assert await listed(None, "site/", 10) == [whole[1], whole[3]]
    assert await listed(None, "site_", 10) == [whole[2]]
    assert await listed(None, "%", 10) == []
    assert await listed(None, "", 2, whole[1]) == whole[2:4]


async def test_of_many_versions_the_latest_are_listed(site: Site, library: Library) -> None:
    await library.create(draft(), "ann")
    await site.connection.execute(
        """WITH more AS (
               INSERT INTO netpulse.template_version (kind, name, version, text, created_by)
               SELECT 'jinja2', 'site/base', n, n::text, 'x' FROM generate_series(2, 150) AS n)
           UPDATE netpulse.template SET version = 150"""
    )
    stored = await library.find("jinja2", "site/base", 1)
    assert stored is not None
    assert [row.version for row in stored.versions] == list(range(150, 150 - SHOWN_VERSIONS, -1))


async def test_references_of_the_api_and_of_workers(library: Library, pool: Pool) -> None:
    await library.create(draft("one"), "ann")
    await library.revise(draft("two"), "ann")
    for lookup in (library.text, partial(stored_text, pool)):
        references = References(lookup, TemplateSettings())
        assert (await references.resolve("jinja2", "name://site/base")).text == "two"
        assert (await references.resolve("jinja2", "name://site/base@1")).text == "one"
        assert await lookup("jinja2", "site/base", 3) is None
        assert await lookup("ttp", "site/base", None) is None


@pytest.mark.parametrize("name", ["a", "0", "a/b/c", "a.b-c_d", "schema/a", "a" * 200, "render", "a/schemas"])
def test_names(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize(
    "name",
    ["", "A", "a b", "/a", "a/", "a//b", ".", "..", "a/../b", "-a", "a@1", "ä", "a\n", "a" * 201, "schema", "a/schema"],
)
def test_what_is_no_name(name: str) -> None:
    assert not is_name(name)
