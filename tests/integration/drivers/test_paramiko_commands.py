"""Commands on a real sshd: streams and exit statuses apart, time limits, sudo, environment, terminals."""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from drivers.base import Change, Reply, Verdict
from drivers.errors import (
    CommandRejected,
    DriverError,
    LeaseLost,
    ReplyTimeout,
    SessionAborted,
    SessionLost,
    TooLarge,
    Unreachable,
)
from drivers.paramiko import ParamikoConfig, ParamikoConnection, ParamikoDriver, ParamikoQuery, ParamikoSession
from tests.sshd import Sshd, require_terminals, sshd, user
from tests.waiting import until

SUDO = """#!/bin/sh
# asks as sudo does, and takes only the right password
[ "$1" = -S ] && [ "$2" = -p ] || exit 64
prompt=$3; shift 3
case $1 in --preserve-env=*) shift ;; esac
[ "$1" = -- ] && shift
for try in 1 2 3; do
  stty -echo 2>/dev/null
  printf %s "$prompt" >&2
  IFS= read -r word || exit 1
  stty echo 2>/dev/null && echo >&2
  [ "$word" = right ] && exec "$@"
  echo "Sorry, try again." >&2
done
exit 1
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    folder = tmp_path_factory.mktemp("sshd")
    with sshd(folder) as running:
        (folder / "bin" / "sudo").write_text(SUDO)
        (folder / "bin" / "sudo").chmod(0o755)
        yield running


@pytest.fixture
def session(server: Sshd) -> Iterator[ParamikoSession]:
    opened = login(server)
    opened.open()
    yield opened
    opened.close()


def login(server: Sshd, **changes: Any) -> ParamikoSession:
    fields = {"host": "127.0.0.1", "port": server.port, "username": user(), "pkey": server.key.read_text()}
    driver = ParamikoDriver()
    made = driver.session(driver.target(ParamikoConnection.model_validate(fields | changes)))
    assert isinstance(made, ParamikoSession)
    return made


def run(session: ParamikoSession, *commands: str, **args: Any) -> list[Reply]:
    """The replies; a command that fails is no error here."""
    replies: list[Reply] = []
    try:
        session.run_commands(commands, ParamikoQuery(**args), replies.append)
    except CommandRejected:
        assert any(reply.verdict is Verdict.REFUSED for reply in replies)
    return replies


def marked(mark: str) -> list[int]:
    """Processes that carry `mark` in their command line."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if any(mark in word for word in words):
            found.append(process.pid)
    return found


def test_streams_and_status_are_apart(session: ParamikoSession) -> None:
    first, second = run(session, "echo out; echo err >&2", "echo before; exit 3")
    assert (first.stdout, first.stderr, first.exit_status, first.verdict) == ("out\n", "err\n", 0, Verdict.DONE)
    assert (second.stdout, second.stderr, second.exit_status) == ("before\n", "", 3)
    assert second.verdict is Verdict.REFUSED


def test_a_failure_fails_the_job_after_all_commands_ran(session: ParamikoSession) -> None:
    replies: list[Reply] = []
    with pytest.raises(CommandRejected, match=r"1 of 3 .* number 2"):
        session.run_commands(["true", "false", "echo after"], ParamikoQuery(), replies.append)
    assert [reply.exit_status for reply in replies] == [0, 1, 0]
    assert session.alive()


def test_much_on_stderr_blocks_nothing(session: ParamikoSession) -> None:
    (reply,) = run(session, "head -c 5000000 /dev/zero | tr '\\0' e >&2; echo done")
    assert (reply.stdout, len(reply.stderr), reply.exit_status) == ("done\n", 5_000_000, 0)


def test_bytes_that_are_no_text_end_nothing(session: ParamikoSession) -> None:
    (reply,) = run(session, r"printf 'a\377b'")
    assert reply.stdout == "a\ufffdb"


def test_a_signal_shows_as_128_and_its_number(session: ParamikoSession) -> None:
    (reply,) = run(session, "sh -c 'kill -KILL $$'")
    assert reply.exit_status == 137


def test_a_killed_shell_leaves_no_status(session: ParamikoSession) -> None:
    (reply,) = run(session, "kill -KILL 0")
    assert (reply.exit_status, reply.verdict) == (None, Verdict.REFUSED)
    assert session.alive()


def test_endless_output_ends_at_the_limit(session: ParamikoSession, tmp_path: Path) -> None:
    with pytest.raises(TooLarge):
        run(session, f"yes {tmp_path}")
    until(lambda: not marked(str(tmp_path)), "it ended")


@pytest.mark.parametrize("args", [{}, {"get_pty": True}, {"sudo": True, "sudo_password": "right"}])
def test_a_timeout_leaves_nothing_running(session: ParamikoSession, tmp_path: Path, args: dict[str, Any]) -> None:
    if args.get("get_pty"):
        require_terminals()
    command = f"sh -c 'sleep 97; echo {tmp_path}'"
    with pytest.raises(ReplyTimeout):
        run(session, command, timeout=0.5, **args)
    until(lambda: not marked(str(tmp_path)), "it ended", 5)
    assert not session.alive()


def test_a_command_that_resists_is_killed(session: ParamikoSession, tmp_path: Path) -> None:
    with pytest.raises(ReplyTimeout):
        run(session, f"trap '' TERM; while :; do sleep 0.1; : {tmp_path}; done", timeout=0.3)
    assert not marked(str(tmp_path))


def test_what_goes_on_in_the_background_holds_nobody(session: ParamikoSession) -> None:
    began = time.monotonic()
    (reply,) = run(session, "sleep 3 & echo started", timeout=20)
    assert (reply.stdout, reply.exit_status) == ("started\n", 0)
    assert time.monotonic() - began < 3


def test_abort_ends_the_call_and_the_command(session: ParamikoSession, tmp_path: Path) -> None:
    mark = str(tmp_path)
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(run, session, f"sh -c 'sleep 97; echo {mark}'")
        until(lambda: marked(mark), "it runs")
        began = time.monotonic()
        session.abort()
        with pytest.raises(SessionAborted):
            running.result(10)
    assert time.monotonic() - began < 1  # measured: below 0.1 s
    until(lambda: not marked(mark), "it ended", 5)
    assert not session.alive()


def test_a_dead_peer_is_seen_at_once(server: Sshd, session: ParamikoSession, tmp_path: Path) -> None:
    mark = str(tmp_path)
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(run, session, f"sh -c 'sleep 97; echo {mark}'")
        until(lambda: marked(mark), "it runs")
        began = time.monotonic()
        server.kill_connections()
        with pytest.raises(SessionLost):
            running.result(10)
    assert time.monotonic() - began < 1  # measured: below 0.1 s


def test_a_session_found_dead_sent_nothing(server: Sshd, session: ParamikoSession) -> None:
    assert session.alive()
    assert session.ping(5)
    server.kill_connections()
    until(lambda: not session.alive(), "it is seen")
    assert not session.ping(5)
    with pytest.raises(Unreachable):
        run(session, "true")


def test_a_host_that_stands_still_is_noticed(server: Sshd, session: ParamikoSession) -> None:
    with server.frozen():
        assert session.alive()
        assert not session.ping(0.2)
    assert session.ping(5)


def test_channels_are_given_back(session: ParamikoSession) -> None:
    replies = run(session, *["true"] * 25)  # sshd allows 10 at once
    assert [reply.exit_status for reply in replies] == [0] * 25


def test_the_guard_is_asked_before_every_command(session: ParamikoSession) -> None:
    calls = iter([None, None])

    def guard() -> None:
        if next(calls, LeaseLost) is LeaseLost:
            raise LeaseLost("gone")

    session.guard = guard
    replies: list[Reply] = []
    with pytest.raises(LeaseLost):
        session.run_commands(["echo 1", "echo 2", "echo 3"], ParamikoQuery(), replies.append)
    assert [reply.stdout for reply in replies] == ["1\n", "2\n"]


def test_a_line_is_one_line(session: ParamikoSession) -> None:
    with pytest.raises(DriverError, match="line 2 contains a control character"):
        run(session, "true", "echo a\necho b")


def test_quotes_arrive_as_they_were(session: ParamikoSession) -> None:
    (reply,) = run(session, """printf '%s|' "it's" '"$HOME"' '!x' '\\' "$0" """)
    assert reply.stdout.startswith('it\'s|"$HOME"|!x|\\|')


def test_a_terminal_makes_one_stream(session: ParamikoSession) -> None:
    require_terminals()
    (reply,) = run(session, "tty >&2; echo out", get_pty=True)
    assert reply.stdout.startswith("/dev/pts/")
    assert reply.stdout.endswith("\nout\n")
    assert (reply.stderr, reply.exit_status) == ("", 0)


def test_a_variable_that_the_server_takes_arrives(session: ParamikoSession) -> None:
    (reply,) = run(session, 'echo "$NETPULSE_A-$LC_B"', environment={"NETPULSE_A": "a 'b", "LC_B": "c"})
    assert reply.stdout == "a 'b-c\n"


@pytest.mark.parametrize("name", ["SECRET_A", "PATH"])  # dropped, and overruled
def test_a_variable_that_the_server_drops_is_an_error(session: ParamikoSession, name: str, tmp_path: Path) -> None:
    args = ParamikoQuery(environment={"NETPULSE_A": "a", name: "value"})
    with pytest.raises(CommandRejected, match="drops or changes a variable") as caught:
        session.run_commands([f"touch {tmp_path}/ran"], args, lambda reply: None)
    assert not (tmp_path / "ran").exists()
    assert "value" not in str(caught.value)
    assert session.alive()


@pytest.mark.parametrize("pty", [False, True])
def test_sudo_gets_its_password_and_nobody_sees_it(session: ParamikoSession, pty: bool) -> None:
    if pty:
        require_terminals()
    (reply,) = run(session, "echo done", sudo=True, sudo_password="right", get_pty=pty)
    assert (reply.stdout, reply.stderr, reply.exit_status) == ("done\n", "", 0)


def test_a_password_that_sudo_does_not_ask_for_goes_nowhere(session: ParamikoSession, server: Sshd) -> None:
    real = "/usr/bin/sudo"
    if os.geteuid() != 0 or not Path(real).exists():
        pytest.skip("NO REAL SUDO without a password: the tests do not run as root, or sudo is not installed")
    (server.folder / "bin" / "sudo").rename(server.folder / "sudo")
    try:
        (reply,) = run(session, "cat; id -u", sudo=True, sudo_password="right")
    finally:
        (server.folder / "sudo").rename(server.folder / "bin" / "sudo")
    assert (reply.stdout, reply.stderr, reply.exit_status) == ("0\n", "", 0)


@pytest.mark.parametrize(("password", "why"), [("wrong", "refused"), (None, "wants a password")])
def test_sudo_is_not_asked_again_and_again(session: ParamikoSession, password: str | None, why: str) -> None:
    replies: list[Reply] = []
    with pytest.raises(CommandRejected, match=why):
        session.run_commands(["echo 1", "echo 2"], ParamikoQuery(sudo=True, sudo_password=password), replies.append)
    assert [reply.verdict for reply in replies] == [Verdict.REFUSED, Verdict.SKIPPED]
    assert session.alive()


def test_a_change_stops_at_its_first_failure(session: ParamikoSession, tmp_path: Path) -> None:
    lines = [f"touch {tmp_path}/a", "false", f"touch {tmp_path}/b"]
    replies: list[Reply] = []
    with pytest.raises(CommandRejected, match="line 2 of 3"):
        session.apply_config(Change(lines, ParamikoConfig(), "np0123456789ab"), replies.append)
    assert [reply.verdict for reply in replies] == [Verdict.DONE, Verdict.REFUSED, Verdict.SKIPPED]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a"]


def test_what_cannot_be_done_is_refused_before_it_begins(session: ParamikoSession, tmp_path: Path) -> None:
    change = Change([f"touch {tmp_path}/a"], ParamikoConfig(dry_run=True), "np0123456789ab")
    with pytest.raises(CommandRejected):
        session.apply_config(change, lambda reply: None)
    with pytest.raises(CommandRejected):
        session.undo(change, lambda reply: None)
    with pytest.raises(CommandRejected):
        session.confirm(change, lambda reply: None)
    assert not list(tmp_path.iterdir())


def test_no_thread_outlives_the_session(server: Sshd) -> None:
    before = threading.active_count()
    opened = login(server)
    opened.open()
    run(opened, "true")
    opened.close()
    until(lambda: threading.active_count() <= before, "its threads ended")
