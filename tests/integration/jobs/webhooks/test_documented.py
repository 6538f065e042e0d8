"""docs/webhooks.md: its snippets do what it says."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.settings import TemplateSettings
from jobs.template_runner import TemplateRunner
from jobs.webhooks.plugins import installed
from jobs.webhooks.signature import SIGNATURE, TIMESTAMP
from tests.integration.jobs.webhooks.conftest import Hooks, Start
from tests.integration.jobs.webhooks.receiver import Receiver

pytestmark = pytest.mark.anyio

PAGE = (Path(__file__).parents[4] / "docs" / "webhooks.md").read_text(encoding="utf-8")
JOB = {
    "id": "0197",
    "device_name": 'r1 "core"',
    "status": "failed",
    "submitted_by": "ops",
    "result": {"error": {"type": "Unreachable", "message": "No login was opened."}},
}


def snippets(language: str) -> list[str]:
    """The page's snippets, in order."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def pager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The page's plug-in, installed."""
    (tmp_path / "netpulse_pager.py").write_text(snippets("python")[1])
    about = tmp_path / "netpulse_pager-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: netpulse-pager\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[netpulse.webhooks]\npager = netpulse_pager:Pager\n")
    monkeypatch.syspath_prepend(tmp_path)
    installed.cache_clear()
    yield
    installed.cache_clear()


async def test_the_check_of_signatures(hooks: Hooks, deliver: Start, receiver: Receiver) -> None:
    await deliver(private_urls=f"127.0.0.1:{receiver.port}")
    await hooks.until_state(await hooks.ended(receiver.url, secret="a long random text"), "delivered")
    [told] = receiver.received
    names: dict[str, Any] = {}
    exec(snippets("python")[0], names)  # noqa: S102 - the page's own
    is_genuine = names["is_genuine"]
    headers = {name: told.headers[name.lower()] for name in (TIMESTAMP, SIGNATURE)}
    assert is_genuine("a long random text", headers, told.body)
    assert not is_genuine("another text", headers, told.body)
    assert not is_genuine("a long random text", headers, told.body + b" ")
    assert not is_genuine("a long random text", {**headers, TIMESTAMP: str(int(headers[TIMESTAMP]) - 900)}, told.body)


@pytest.mark.parametrize("error", [JOB["result"], {"error": None}])
async def test_slack_and_teams(error: Any) -> None:
    async def nothing(_kind: str, _name: str, _version: int | None) -> str | None:
        return None

    templates = TemplateRunner.of(nothing, TemplateSettings(children=1))
    try:
        slack, teams = [
            json.loads(await templates.render("jinja2", template, {**JOB, "result": error}, {}))
            for template in snippets("jinja")
        ]
    finally:
        await templates.close()
    told = " with Unreachable: No login was opened." if error["error"] else ""
    assert slack == {"text": f'*r1 "core"*: job 0197 failed{told}'}
    assert teams["attachments"][0]["content"]["body"][0]["text"] == 'r1 "core": failed'


async def test_the_plug_in(hooks: Hooks, deliver: Start, receiver: Receiver, pager: None) -> None:
    await deliver(private_urls=f"127.0.0.1:{receiver.port}")
    job = await hooks.ended(receiver.url, name="pager", secret="s3cret-key", headers={"X-Key": "k"})
    await hooks.until_state(job, "delivered")
    [told] = receiver.received
    assert told.json == {"event_action": "resolve", "dedup_key": "r1", "payload": {"source": "netpulse"}}
    assert told.headers["x-key"] == "k"
    assert "x-netpulse-signature" in told.headers


async def test_the_query(hooks: Hooks, deliver: Start, receiver: Receiver) -> None:
    await deliver()
    job = await hooks.ended(receiver.url)
    await hooks.until_state(job, "failed")
    [row] = await hooks.site.connection.fetch(snippets("sql")[0])
    assert (row["receiver"], row["given_up"]) == (receiver.name, 1)
    assert "no public address" in row["why"]
