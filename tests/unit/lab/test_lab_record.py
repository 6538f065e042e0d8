"""The record of what was received, logins and addresses."""

import asyncio
import json
from pathlib import Path

import pytest

from drivers.lab.addresses import plan
from drivers.lab.record import Journal
from drivers.lab.users import Credentials, User


def journal(path: Path | None = None) -> Journal:
    kept = Journal(path=str(path) if path else None)
    kept.enrol("R1")
    kept.enrol("R2")
    return kept


def test_commands_at_the_same_time_on_one_device_overlap() -> None:
    kept = journal()
    first = kept.begin("R1", 1, "ann", "exec", "show a")
    other = kept.begin("R2", 2, "ann", "exec", "show a")
    second = kept.begin("R1", 3, "bob", "exec", "show b")
    kept.end(first, "done")
    third = kept.begin("R1", 1, "ann", "exec", "show c")
    assert [e.overlaps for e in (first, other, second, third)] == [[], [], [first.seq], [second.seq]]
    assert (kept.stats["R1"].overlaps, kept.stats["R2"].overlaps, kept.stats["R1"].commands) == (2, 0, 3)


def test_bare_returns_and_answers_are_not_commands() -> None:
    kept = journal()
    kept.begin("R1", 1, "ann", "exec", "reload")
    assert kept.begin("R1", 1, "ann", "exec", "yes", "answer").overlaps == []
    assert kept.begin("R1", 2, "ann", "exec", "").overlaps == []
    assert kept.stats["R1"].commands == 1


def test_a_session_that_ends_first_leaves_the_command_lost() -> None:
    kept = journal()
    entry = kept.begin("R1", 1, "ann", "exec", "show a")
    kept.end(entry, "lost")
    assert entry.ending == "lost"
    assert kept.begin("R1", 2, "ann", "exec", "show a").overlaps == []


def test_the_high_water_mark_stays() -> None:
    kept = journal()
    kept.session("R1", 1)
    kept.session("R1", 1)
    kept.session("R1", -1)
    assert (kept.stats["R1"].sessions, kept.stats["R1"].sessions_peak) == (1, 2)


def test_the_file_holds_whole_lines_and_no_password(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    for _ in range(2):  # a second lab appends
        kept = journal(path)
        kept.login("R1", "ann", ok=False)
        kept.end(kept.begin("R1", 1, "ann", "exec", "show a"), "done")
        kept.close()
    events = [json.loads(line) for line in path.read_text().splitlines()]
    assert [event["event"] for event in events] == ["login", "begin", "end"] * 2
    assert events[1]["line"] == "show a"


def test_waiting_ends_with_the_change_it_waits_for() -> None:
    async def run() -> bool:
        kept = journal()
        waiting = asyncio.ensure_future(kept.until(lambda: kept.stats["R1"].commands == 2))
        await asyncio.sleep(0)
        kept.begin("R1", 1, "ann", "exec", "show a")
        await asyncio.sleep(0)
        early = waiting.done()
        kept.begin("R1", 1, "ann", "exec", "show b")
        await asyncio.wait_for(waiting, 1)
        return early

    assert asyncio.run(run()) is False


def test_ports_follow_each_other_or_are_free_ones() -> None:
    assert plan(2, port=2200) == [("127.0.0.1", 2200), ("127.0.0.1", 2201)]
    assert plan(2) == [("127.0.0.1", 0), ("127.0.0.1", 0)]
    with pytest.raises(ValueError, match="no room"):
        plan(2, port=65535)


def test_spread_addresses_skip_network_and_broadcast() -> None:
    hosts = [host for host, _ in plan(3, host="127.0.7.254", port=2200, spread=True)]
    assert hosts == ["127.0.7.254", "127.0.8.1", "127.0.8.2"]


def test_logins_come_from_the_environment_first() -> None:
    environ = {"NETPULSE_LAB_PASSWORD": "p", "NETPULSE_LAB_USERS": '[{"name": "bob", "password": "q", "privilege": 1}]'}
    logins = Credentials.read(environ, [User.parse("eve:r:5")])
    assert logins.check("admin", "p") == User("admin", "p")
    assert logins.check("bob", "q") == User("bob", "q", 1)
    assert logins.check("eve", "r") == User("eve", "r", 5)
    assert logins.check("bob", "p") is None
    assert logins.secret != Credentials.read(environ).secret


def test_a_bad_user_is_refused_without_repeating_the_password() -> None:
    with pytest.raises(ValueError, match="name:password") as caught:
        User.parse("ann:hush:x")
    assert "hush" not in str(caught.value)
    assert "hush" not in repr(User("ann", "hush"))
