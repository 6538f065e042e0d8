"""Detached tasks on a real sshd: they outlive the connection, are started once, and end with all they started."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from drivers.base import TaskState
from drivers.errors import CommandRejected, DriverError, LeaseLost
from drivers.paramiko import ParamikoConnection, ParamikoDriver, ParamikoQuery, ParamikoSession
from tests.sshd import Sshd, sshd, user
from tests.waiting import until

ARGS = ParamikoQuery()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


def login(server: Sshd) -> ParamikoSession:
    fields = {"host": "127.0.0.1", "port": server.port, "username": user(), "pkey": server.key.read_text()}
    driver = ParamikoDriver()
    session = driver.session(driver.target(ParamikoConnection.model_validate(fields)))
    assert isinstance(session, ParamikoSession)
    session.open()
    return session


@pytest.fixture
def session(server: Sshd) -> Iterator[ParamikoSession]:
    with closing(login(server)) as opened:
        yield opened


def look(session: ParamikoSession, task: str, offset: int = 0, size: int = 1000) -> TaskState:
    return session.look_at_task(task, ARGS, offset=offset, size=size)


def ended(session: ParamikoSession, task: str) -> TaskState:
    def seen() -> TaskState | None:
        state = look(session, task)
        return None if state.state == "running" else state

    return until(seen, "the task ended")


def folder(server: Sshd, task: str) -> Path:
    return server.folder / "home" / ".netpulse" / "tasks" / task


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_task_runs_to_its_end(session: ParamikoSession, server: Sshd) -> None:
    task = str(uuid4())
    session.start_task(task, "echo out; echo err >&2; exit 7", ARGS)
    assert ended(session, task) == TaskState("exited", 7, b"out\nerr\n", 8)
    assert oct(folder(server, task).stat().st_mode & 0o777) == "0o700"
    assert (folder(server, task) / "cmd").read_text() == "echo out; echo err >&2; exit 7\n"


def test_the_log_is_read_by_offset(session: ParamikoSession) -> None:
    task = str(uuid4())
    session.start_task(task, "printf 0123456789", ARGS)
    ended(session, task)
    pieces = [look(session, task, offset, 4).log for offset in (0, 4, 8, 10, 99)]
    assert pieces == [b"0123", b"4567", b"89", b"", b""]
    assert look(session, task, 0, 0).log_size == 10


def test_a_task_outlives_its_connection(server: Sshd, tmp_path: Path) -> None:
    task = str(uuid4())
    with closing(login(server)) as first:
        first.start_task(task, f"echo begun; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; echo done", ARGS)
        server.kill_connections()
    with closing(login(server)) as second:
        until(lambda: look(second, task).log == b"begun\n", "it runs")
        assert look(second, task).state == "running"
        (tmp_path / "go").touch()
        assert ended(second, task) == TaskState("exited", 0, b"begun\ndone\n", 11)


def test_starting_it_again_changes_nothing(session: ParamikoSession, tmp_path: Path) -> None:
    task = str(uuid4())
    for _ in range(2):
        session.start_task(task, f"echo once >> {tmp_path}/count", ARGS)
    ended(session, task)
    session.start_task(task, f"echo once >> {tmp_path}/count", ARGS)
    assert ended(session, task).state == "exited"
    assert (tmp_path / "count").read_text() == "once\n"


def test_stopping_ends_all_that_it_started(session: ParamikoSession, tmp_path: Path) -> None:
    task = str(uuid4())
    session.start_task(task, f"set -m; sleep 98 & echo $! > {tmp_path}/pid; sleep 98", ARGS)
    pid = int(until(lambda: "".join(file.read_text() for file in tmp_path.glob("pid")), "it runs"))
    assert session.stop_task(task, ARGS).state == "exited"
    assert look(session, task).exit_status == 143
    assert gone(pid)
    assert session.stop_task(task, ARGS).exit_status == 143  # nothing more happens


def test_stopping_a_task_that_resists(session: ParamikoSession) -> None:
    task = str(uuid4())
    session.start_task(task, "trap '' TERM; echo deaf; while :; do sleep 0.1; done", ARGS)
    until(lambda: look(session, task).log, "it runs")
    state = session.stop_task(task, ARGS)
    assert (state.state, state.exit_status) == ("exited", 137)


def test_forgetting(session: ParamikoSession, server: Sshd) -> None:
    task = str(uuid4())
    session.start_task(task, "sleep 98", ARGS)
    with pytest.raises(CommandRejected, match="still runs"):
        session.forget_task(task, ARGS)
    session.stop_task(task, ARGS)
    session.forget_task(task, ARGS)
    assert not folder(server, task).exists()
    assert look(session, task) == TaskState("lost", None, b"", 0)


@pytest.mark.parametrize("field", [1, 2])
def test_a_process_with_the_same_number_is_not_the_task(session: ParamikoSession, server: Sshd, field: int) -> None:
    """As after the machine restarted: the number is another's, by its start time or by the boot."""
    task = str(uuid4())
    session.start_task(task, "sleep 98", ARGS)
    words = (folder(server, task) / "pid").read_text().split()
    record = [*words]
    record[field] = "1"
    (folder(server, task) / "pid").write_text(" ".join(record) + "\n")
    assert look(session, task).state == "lost"
    session.stop_task(task, ARGS)
    assert not gone(int(words[0]))
    (folder(server, task) / "pid").write_text(" ".join(words) + "\n")
    session.stop_task(task, ARGS)


def test_a_killed_task_is_lost(session: ParamikoSession, server: Sshd) -> None:
    task = str(uuid4())
    session.start_task(task, "sleep 98", ARGS)
    pid = int((folder(server, task) / "pid").read_text().split()[0])
    os.killpg(pid, 9)
    assert ended(session, task).state == "lost"


def test_a_variable_reaches_a_task(session: ParamikoSession) -> None:
    task = str(uuid4())
    session.start_task(task, 'echo "$NETPULSE_A"', ParamikoQuery(environment={"NETPULSE_A": "a"}))
    assert ended(session, task).log == b"a\n"


def test_names_that_are_none(session: ParamikoSession) -> None:
    for name in ("../../x", "$(touch x)", ""):
        with pytest.raises((ValueError, DriverError)):
            session.start_task(name, "true", ARGS)


def test_no_start_without_the_lease(session: ParamikoSession, server: Sshd) -> None:
    def guard() -> None:
        raise LeaseLost("gone")

    task = str(uuid4())
    session.guard = guard
    with pytest.raises(LeaseLost):
        session.start_task(task, "true", ARGS)
    assert not folder(server, task).exists()
