"""The pool: who waits for whom, what is thrown away, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import psutil
import pytest

from jobs.templating.catalogues import TtpTemplates
from jobs.templating.errors import (
    ChildLost,
    NoChildFree,
    ParsingFailed,
    RenderingFailed,
    SizeExceeded,
    TemplateNotFound,
    TemplateRefused,
    TimeExceeded,
)
from jobs.templating.limits import Limits
from jobs.templating.pool import Children
from jobs.templating.process import NotStarted, Process
from tests.integration.templating.conftest import QUICK, children_up
from tests.waiting import until, until_async

pytestmark = pytest.mark.anyio

ENDLESS = {"pattern": "(?P<name>(a+)+)$", "text": "a" * 60 + "b"}
ANSWER = {"template": "{{ 6 * 7 }}"}

INTERFACES = """Interface              IP-Address      OK? Method Status                Protocol
GigabitEthernet0/0     192.0.2.1       YES NVRAM  up                    up
Loopback0              unassigned      YES unset  administratively down down
"""


async def test_each_engine_answers(children: Children) -> None:
    ours = {"jinja2", "variables", "textfsm", "ttp", "regex", "difference"}
    assert children.engines == ours | {"ntc", "ttp_templates"}
    hosts = {"template": "{% for h in hosts %}{{ h.name | upper }};{% endfor %}", "context": {"hosts": [{"name": "a"}]}}
    assert await children.run("jinja2", hosts) == {"text": "A;"}
    assert (await children.run("variables", {"template": "{{ a.b }}"}))["required"] == ["a"]
    assert await children.run("regex", {"pattern": r"(?P<a>\d)", "text": "1 2"}) == [{"a": "1"}, {"a": "2"}]
    fsm = {"template": "Value Name (\\w+)\n\nStart\n  ^a ${Name} -> Record\n", "text": "a b\nc d\na e\n"}
    assert await children.run("textfsm", fsm) == [{"Name": "b"}, {"Name": "e"}]
    ttp = {"template": "interface {{ name }}\n mtu {{ mtu | to_int }}", "text": "interface Gi0\n mtu 9000\n"}
    assert await children.run("ttp", ttp) == [{"name": "Gi0", "mtu": 9000}]


async def test_templates_of_others_by_platform_and_command(children: Children) -> None:
    task = {"platform": "cisco_ios", "command": "sh ip  int br", "text": INTERFACES}
    records = await children.run("ntc", task)
    assert [record["interface"] for record in records] == ["GigabitEthernet0/0", "Loopback0"]

    show = "GigabitEthernet0/0 is up, line protocol is up \n  MTU 9000 bytes, BW 1000000 Kbit/sec, DLY 10 usec, \n"
    ask = {"platform": "cisco_ios", "command": "show interfaces", "text": show}
    [record] = await children.run("ttp_templates", ask)
    assert (record["name"], record["mtu"]) == ("GigabitEthernet0/0", 9000)

    for engine in ("ntc", "ttp_templates"):
        with pytest.raises(TemplateNotFound, match=r"near: .*show.ip"):
            await children.run(engine, {"platform": "cisco_ios", "command": "shaw ip arp", "text": ""})


async def test_every_template_of_ttp_templates_runs_without_importing_anything(children: Children) -> None:
    failed = []
    for stem in TtpTemplates().stems:
        platform, _, command = stem.partition("_")
        try:
            await children.run("ttp_templates", {"platform": platform, "command": command, "text": INTERFACES})
        except ParsingFailed as error:
            failed.append(str(error))

    # The text is no output of theirs: some find it lacking.
    assert set(failed) <= {"the template failed (ValidationError)", "the template failed (JSONDecodeError)"}
    assert len(failed) < len(TtpTemplates().stems) / 4


async def test_one_template_leaves_nothing_for_the_next(anyio_backend: str) -> None:
    remember = '<vars>\nkept = "yes"\n</vars>\n<group>\na {{ b | record("seen") }}\n{{ kept | set("kept") }}\n</group>'
    recall = "<group>\na {{ b }}\n{{ was | set('seen') }}\n</group>"
    pool = Children(1)
    await pool.start()
    try:
        alone = await pool.run("ttp", {"template": recall, "text": "a 1\n"})
        await pool.run("ttp", {"template": remember, "text": "a 2\n"})
        assert await pool.run("ttp", {"template": recall, "text": "a 1\n"}) == alone
        assert len(pool.pids) == 1
    finally:
        await pool.close()


async def test_what_is_not_plain_small_data_is_refused_before_a_child_sees_it(children: Children) -> None:
    before = children.pids
    nested: list[object] = []
    for _ in range(100):
        nested = [nested]
    for context, kind in (
        ({"a": object()}, TemplateRefused),
        ({"a": float("nan")}, TemplateRefused),
        ({"a": "\ud800"}, TemplateRefused),
        ({"a": nested}, SizeExceeded),
        ({"a": "x" * 17 * 2**20}, SizeExceeded),
    ):
        with pytest.raises(kind):
            await children.run("jinja2", {"template": "", "context": context})
    with pytest.raises(TemplateRefused, match="no such engine"):
        await children.run("mako", ANSWER)
    with pytest.raises(TemplateRefused, match="template must be"):
        await children.run("jinja2", {"template": 1})
    assert children.pids == before


async def test_a_failed_template_does_not_cost_its_child(children: Children) -> None:
    before = children.pids
    for _ in range(3):
        with pytest.raises(RenderingFailed):
            await children.run("jinja2", {"template": "{{ missing }}"})

    assert children.pids == before


async def test_a_child_of_evaluated_code_is_thrown_away(children: Children) -> None:
    await children_up(children, 2)
    before = children.pids

    await children.run("ttp", {"template": "a {{ b }}", "text": "a 1"}, once=True)

    assert len(children.pids) == 1
    await children_up(children, 2)
    assert len(children.pids - before) == 1


async def test_a_killed_child_fails_its_task_alone_and_is_replaced(hasty: Children) -> None:
    await children_up(hasty, 2)
    before = hasty.pids
    running = [asyncio.create_task(hasty.run("regex", ENDLESS)) for _ in range(2)]
    await until_async(lambda: _busy(before), "both compute")

    os.kill(next(iter(before)), signal.SIGKILL)

    done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    assert isinstance(done.pop().exception(), ChildLost)
    await asyncio.gather(*running, return_exceptions=True)
    assert await hasty.run("jinja2", ANSWER) == {"text": "42"}


async def _busy(pids: frozenset[int]) -> bool:
    return all(psutil.Process(pid).status() == psutil.STATUS_RUNNING for pid in pids)


async def test_an_idle_child_that_dies_costs_one_task(hasty: Children) -> None:
    await children_up(hasty, 2)
    for pid in hasty.pids:
        os.kill(pid, signal.SIGKILL)

    results = await asyncio.gather(*(hasty.run("jinja2", ANSWER) for _ in range(4)), return_exceptions=True)

    assert [type(result) for result in results].count(ChildLost) == 2
    assert [result for result in results if isinstance(result, dict)] == [{"text": "42"}] * 2


async def test_cancelling_kills_the_child(hasty: Children) -> None:
    await children_up(hasty, 2)
    before = hasty.pids
    running = [asyncio.create_task(hasty.run("regex", ENDLESS)) for _ in range(2)]
    await until_async(lambda: _busy(before), "both compute")
    began = time.monotonic()

    for task in running:
        task.cancel()
    await asyncio.wait(running)
    until(lambda: not any(_lives(pid) for pid in before), "both are gone")

    assert time.monotonic() - began < QUICK.wall_s
    assert all(task.cancelled() for task in running)
    assert await hasty.run("jinja2", ANSWER) == {"text": "42"}


def _lives(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


async def test_the_kernel_ends_what_computes_too_long_even_if_the_parent_does_not(anyio_backend: str) -> None:
    pool = Children(1, Limits(wall_s=20, cpu_s=1))
    await pool.start()
    try:
        for _ in range(2):  # the allowance is each task's own
            with pytest.raises(TimeExceeded, match="more than 1 s of processor time"):
                await pool.run("regex", ENDLESS)
    finally:
        await pool.close()


async def test_waiting_is_in_order_and_bounded(anyio_backend: str) -> None:
    pool = Children(1, replace(QUICK, wait_s=0.3, waiting=5))
    await pool.start()
    try:
        order: list[int] = []

        async def numbered(number: int) -> None:
            await pool.run("jinja2", ANSWER)
            order.append(number)

        await asyncio.gather(*(numbered(number) for number in range(6)))
        assert order == list(range(6))

        endless = asyncio.create_task(pool.run("regex", ENDLESS))
        await asyncio.sleep(0)
        results = await asyncio.gather(*(pool.run("jinja2", ANSWER) for _ in range(6)), return_exceptions=True)
        assert [str(result) for result in results].count("no template child came free within 0.3 s") == 5
        assert [str(result) for result in results].count("too many templates wait to be run") == 1
        await asyncio.gather(endless, return_exceptions=True)
    finally:
        await pool.close()


async def test_a_waiter_that_is_cancelled_as_its_turn_comes_passes_it_on(anyio_backend: str) -> None:
    pool = Children(1)
    await pool.start()
    try:
        first, second, third = (asyncio.create_task(pool.run("jinja2", ANSWER)) for _ in range(3))
        first.add_done_callback(lambda _: second.cancel())
        assert await third == {"text": "42"}
        assert await first == {"text": "42"}
        assert await pool.run("jinja2", ANSWER) == {"text": "42"}
    finally:
        await pool.close()


async def test_a_large_parent_does_not_wear_its_children_out(anyio_backend: str) -> None:
    """Linux counts what a parent had among the most that its child had."""
    ballast = bytearray(b"x") * (300 * 2**20)
    pool = Children(1)
    await pool.start()
    try:
        pids = pool.pids
        for _ in range(3):
            await pool.run("jinja2", ANSWER)
        assert (pool.pids, len(ballast) > 0) == (pids, True)
    finally:
        await pool.close()


async def test_a_child_is_replaced_after_its_share_of_tasks(anyio_backend: str) -> None:
    pool = Children(1, Limits(tasks=2))
    await pool.start()
    try:
        first = pool.pids
        for _ in range(3):
            await pool.run("jinja2", ANSWER)
        assert pool.pids
        assert pool.pids != first
    finally:
        await pool.close()


async def test_a_start_that_fails_is_tried_again(anyio_backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Children(1)
    await pool.start()
    try:
        [first] = pool.pids
        with monkeypatch.context() as broken:
            broken.setattr(sys, "executable", "/nowhere/python")
            await pool.run("ttp", {"template": "a {{ b }}", "text": "a 1"}, once=True)
            with pytest.raises(NotStarted, match="No such file"):
                await Children(1).start()
            until(lambda: not _lives(first), "the old one has gone")
            assert not pool.pids
        assert await pool.run("jinja2", ANSWER) == {"text": "42"}
    finally:
        await pool.close()


@pytest.mark.parametrize("steps", range(6))
async def test_a_child_that_is_called_off_while_it_comes_up_is_ended(anyio_backend: str, steps: int) -> None:
    """`steps`: how often the loop goes round before that."""
    us = psutil.Process()
    await asyncio.to_thread(int)
    files, processes = us.num_fds(), _children(us)
    starting = asyncio.create_task(Process.start(QUICK))
    for _ in range(steps):
        await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert (us.num_fds(), _children(us)) == (files, processes)


async def test_nothing_is_left(anyio_backend: str) -> None:
    us = psutil.Process()
    await asyncio.to_thread(int)  # the threads of the loop itself
    files, processes, tasks = us.num_fds(), _children(us), len(asyncio.all_tasks())
    pool = Children(2, QUICK)
    await pool.start()
    for once in (True, False, True):
        await pool.run("ttp", {"template": "a {{ b }}", "text": "a 1"}, once=once)
    running = [asyncio.create_task(pool.run("regex", ENDLESS)) for _ in range(3)]
    await asyncio.sleep(0)

    await pool.close()  # at once: with tasks under way, one waiting, and children on their way up

    ends = await asyncio.gather(*running, return_exceptions=True)
    assert all(isinstance(end, (ChildLost, NoChildFree)) for end in ends), ends
    with pytest.raises(NoChildFree, match="closed"):
        await pool.run("jinja2", ANSWER)
    assert _children(us) == processes
    assert (us.num_fds(), len(asyncio.all_tasks())) == (files, tasks)


def _children(process: psutil.Process) -> set[int]:
    return {child.pid for child in process.children()}


_PARENT = """
import asyncio, sys
from jobs.templating.pool import Children
from jobs.templating.process import NotStarted

async def main():
    pool = Children(2)
    await pool.start()
    task = asyncio.create_task(pool.run("regex", {"pattern": "(?P<a>(a+)+)$", "text": "a" * 60 + "b"}))
    await asyncio.sleep(0)
    print(*pool.pids, flush=True)
    await task

asyncio.run(main())
"""


def test_children_do_not_outlive_a_killed_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        children = [int(pid) for pid in parent.stdout.readline().split()]
        parent.kill()

    assert len(children) == 2
    until(lambda: not any(_lives(pid) for pid in children), "the children are gone")
