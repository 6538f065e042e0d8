"""The children that templates run in come and go with the runner."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from jobs.library import Kind
from jobs.settings import TemplateSettings
from jobs.template_runner import TemplateRunner
from jobs.templating.errors import NoChildFree, ParsingFailed, TemplateNotFound

pytestmark = pytest.mark.anyio


async def nothing(kind: Kind, name: str, version: int | None) -> str | None:
    """An empty library."""
    return None


@pytest.fixture
async def runner() -> AsyncIterator[TemplateRunner]:
    runner = TemplateRunner.of(nothing, TemplateSettings(children=1))
    yield runner
    await runner.close()


async def test_they_come_when_needed_and_go_at_the_end(runner: TemplateRunner) -> None:
    texts = await asyncio.gather(*(runner.render("jinja2", "{{ n }}", {"n": n}, {}) for n in range(5)))
    assert texts == ["0", "1", "2", "3", "4"]
    assert await runner.start() is await runner.start()
    await runner.close()
    with pytest.raises(NoChildFree, match="closed"):
        await runner.render("jinja2", "x", {}, {})


async def test_whoever_came_first_is_called_off(runner: TemplateRunner) -> None:
    """The others, who wait for the same children, get their answer."""
    second = asyncio.create_task(runner.render("jinja2", "y", {}, {}))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await runner.render("jinja2", "x", {}, {})
    assert await second == "y"


async def test_auto_says_why_the_first_did_not_do(runner: TemplateRunner) -> None:
    """ntc-templates' one refuses the text, ttp-templates has none; and where neither has one."""
    with pytest.raises(ParsingFailed):
        await runner.parse("auto", "no such output", platform="cisco_ios", command="show archive")
    with pytest.raises(TemplateNotFound, match="no template for this platform"):
        await runner.parse("auto", "x", platform="none", command="show version")
