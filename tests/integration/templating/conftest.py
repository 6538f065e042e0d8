"""Children to run templates in."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jobs.templating.errors import TemplateError
from jobs.templating.limits import Limits
from jobs.templating.pool import Children
from tests.waiting import until_async

QUICK = Limits(wall_s=1.0, cpu_s=1)
"""For what does not end by itself."""

# TTP as it is, in a process without any sandbox; its pickle goes where the test may write.
_BARE_TTP = """
import json, sys
from ttp import ttp
task = json.load(sys.stdin)
parser = ttp(data=task["text"], template=task["template"], log_level="CRITICAL")
parser.parse(one=True)
print(json.dumps(parser.result(structure="flat_list"), default=str))
"""


@pytest.fixture(scope="module")
async def children(anyio_backend: str) -> AsyncIterator[Children]:
    """Two of them, with the limits as delivered."""
    async with _started(Children(2)) as pool:
        yield pool


@pytest.fixture(scope="module")
async def hasty(anyio_backend: str) -> AsyncIterator[Children]:
    """Two that are killed after a second."""
    async with _started(Children(2, QUICK)) as pool:
        yield pool


@asynccontextmanager
async def _started(pool: Children) -> AsyncIterator[Children]:
    await pool.start()
    try:
        yield pool
    finally:
        await pool.close()


@dataclass(frozen=True)
class Failure:
    """How a task failed, and after how many seconds."""

    error: TemplateError
    seconds: float


async def failure(children: Children, engine: str, task: Mapping[str, Any], *, once: bool = False) -> Failure:
    """Run a task that must fail."""
    began = time.monotonic()
    try:
        result = await children.run(engine, task, once=once)
    except TemplateError as error:
        return Failure(error, time.monotonic() - began)
    pytest.fail(f"it answered: {result!r}"[:500])


async def children_up(children: Children, count: int) -> None:
    """Wait until so many are up: those that an earlier test killed have been replaced."""

    async def look() -> bool:
        return len(children.pids) == count

    await until_async(look, f"{count} children")


def bare_ttp(template: str, text: str, folder: Path, **environment: str) -> str:
    """The positive control: what TTP answers where nothing holds it back, and what it printed."""
    run = subprocess.run(
        [sys.executable, "-c", _BARE_TTP],
        input=json.dumps({"template": template, "text": text}),
        env={"TTPCACHEFOLDER": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    return run.stdout + run.stderr
