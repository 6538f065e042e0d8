"""Jobs whose lines a template makes, and whose outputs are parsed."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from jobs.database import Pool
from jobs.results import ErrorType, Outcome
from tests.integration.jobs.conftest import Site
from tests.integration.jobs.test_changes import Bench

pytestmark = pytest.mark.anyio

WORD = {"name": "regex", "template": r"(?P<word>\w+)"}
NEVER = {"name": "regex", "template": "no named group"}


@pytest.fixture
async def bench(site: Site, pool: Pool) -> AsyncIterator[Bench]:
    bench = Bench(site, pool, await site.worker())
    yield bench
    await bench.world.templates.close()
    await bench.sessions.close()


async def ask(bench: Bench, **request: Any) -> Outcome:
    return await bench.run(await bench.claimed(operation="command", **request))


async def test_text_is_the_template(bench: Bench) -> None:
    rendering = {"context": {"names": ["a", "b"]}, "args": {"trim_blocks": True}}
    source = "{% for name in names %}\nuser {{ name }}\n{% endfor %}"
    outcome = await bench.run(await bench.claimed(config=source, options={"rendering": rendering}))

    assert [reply.command for reply in outcome.outputs] == ["user a", "user b"], outcome.error_message
    assert await bench.site.connection.fetchval("SELECT rendered FROM netpulse.job") == "user a\nuser b\n"


async def test_an_object_is_the_context(bench: Bench) -> None:
    rendering = {"template": "show {{ what }} {{ how }}", "context": {"how": "brief"}}
    outcome = await ask(bench, command={"what": "clock"}, options={"rendering": rendering})

    assert [reply.command for reply in outcome.outputs] == ["show clock brief"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("show {{ nothing }}", "nothing"),
        ("show {% if", "line 1"),
        ("{# empty #}", "cannot be sent"),
        ("show {{ '\\t' }}clock", "its line 1 must not contain control characters"),
        ("{% for i in range(10**9) %}{% for j in range(10**9) %}{% endfor %}{% endfor %}", "not rendered"),
    ],
)
async def test_what_cannot_be_rendered_touches_no_device(bench: Bench, source: str, said: str) -> None:
    outcome = await ask(bench, command=source, options={"rendering": {}})

    assert (outcome.state, outcome.error_type) == ("failed", ErrorType.RENDERING_ERROR)
    assert said in str(outcome.error_message)
    assert (outcome.outputs, outcome.outcome) == ((), "known")


async def test_each_command_is_parsed(bench: Bench) -> None:
    outcome = await ask(bench, command=["show one", "show two"], options={"parsing": WORD})
    sql = 'SELECT parsed FROM netpulse.job_output ORDER BY "position"'

    assert [reply.parsed for reply in outcome.outputs] == [[{"word": "up"}]] * 2
    assert [record["parsed"] for record in await bench.site.connection.fetch(sql)] == [[{"word": "up"}]] * 2


async def test_what_cannot_be_parsed_keeps_its_text_and_the_job_is_finished(bench: Bench) -> None:
    outcome = await ask(bench, command=["show one"], options={"parsing": NEVER})
    [reply] = outcome.outputs

    assert (outcome.state, reply.stdout, reply.parsed) == ("finished", "up", None)
    assert "group" in str(reply.parsing_error)
    assert await bench.site.connection.fetchval("SELECT parsing_error FROM netpulse.job_output") == reply.parsing_error


async def test_unless_parsing_is_required(bench: Bench) -> None:
    outcome = await ask(bench, command=["show one"], options={"parsing": {**NEVER, "required": True}})

    assert (outcome.state, outcome.error_type) == ("failed", ErrorType.PARSING_ERROR)
    assert outcome.outputs[0].stdout == "up"


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"record": {"word": "up"}}, True),
        ({"record": {"word": "down"}}, False),
        ({"no_record": {"word": "down"}}, True),
        ({"no_record": {"word": "up"}}, False),
    ],
)
async def test_a_check_may_ask_for_records(bench: Bench, condition: dict[str, Any], holds: bool) -> None:
    checks = {"after": [{"command": "show one", "parsing": WORD, **condition}]}
    outcome = await bench.run(await bench.claimed("up", options={"checks": checks}))

    assert outcome.state == ("finished" if holds else "failed"), outcome.error_message
    assert [reply.parsed for reply in outcome.outputs if reply.phase == "after"] == [[{"word": "up"}]]


async def test_a_check_that_cannot_be_parsed_fails(bench: Bench) -> None:
    checks = {"before": [{"command": "show one", "parsing": NEVER, "no_record": {"word": "x"}}]}
    outcome = await bench.run(await bench.claimed("up", options={"checks": checks}))

    assert outcome.error_type is ErrorType.CHECK_FAILED
    assert "could not be parsed" in str(outcome.error_message)


async def test_of_metadata_no_text_is_left_and_parsing_still_counts(bench: Bench) -> None:
    options = {"record": "metadata", "parsing": WORD | {"required": True}, "rendering": {}}
    outcome = await ask(bench, command=["show {{ 'one' }}", "show two"], options=options)
    sql = "SELECT command, digest, size_bytes, parsed, verdict FROM netpulse.job_output ORDER BY position"

    assert (outcome.state, outcome.error_message) == ("finished", None)
    kept = [tuple(row) for row in await bench.site.connection.fetch(sql)]
    assert kept == [("", None, len("up"), None, "done")] * 2
    assert await bench.site.connection.fetchval("SELECT count(*) FROM netpulse.output_text") == 0
    assert await bench.site.connection.fetchval("SELECT rendered FROM netpulse.job") is None
