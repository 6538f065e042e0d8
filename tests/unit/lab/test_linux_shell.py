"""The shell: words, files, exit statuses, and becoming root."""

import pytest

from drivers.lab.linux.cli import Linux
from drivers.lab.linux.host import FILE_BYTES
from drivers.lab.users import User
from tests.unit.lab.typist import ANN, Typist, at

TEMPORARY = "/tmp/x"  # noqa: S108 a simulated one


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("echo 'a  b' \"$USER\" '$USER'", "a  b ann $USER\n"),
        ("echo one; echo two", "one\ntwo\n"),
        ("false && echo no; true && echo yes", "yes\n"),
        ("false || echo no", "no\n"),
        ("nosuch; echo $?", "bash: nosuch: command not found\n127\n"),
        ("cat /nope; echo $?", "cat: /nope: No such file or directory\n1\n"),
        ("cat /etc/hosts | grep R1 | wc -l", "1\n"),
        ("cat /etc/hosts | grep -v R1 | head -n 1", "127.0.0.1 localhost\n"),
        ("echo x > f; echo y >> ~/f; cat f", "x\ny\n"),
        ("echo x > /dev/null 2>&1; echo $?", "0\n"),
        ("echo x > /etc/motd; echo $?", "bash: /etc/motd: Permission denied\n1\n"),
        ("cat /etc/shadow", "cat: /etc/shadow: Permission denied\n"),
        ("cd /etc && pwd && ls hostname", "/etc\n/etc/hostname\n"),
        ("cd /nope", "bash: cd: /nope: No such file or directory\n"),
        ("touch a b && rm a && ls", "b\n"),
        ("echo 'open", "bash: unexpected EOF while looking for matching quote\n"),
        ("| wc", "bash: syntax error near unexpected token `|'\n"),
        ("echo >", "bash: syntax error near unexpected token `newline'\n"),
        ("/usr/bin/whoami", "ann\n"),
        ("sudo -n id", "sudo: a password is required\n"),
        ("hostname other", "hostname: you must be root to change the host name\n"),
    ],
)
def test_a_line_and_what_it_shows(line: str, shown: str) -> None:
    async def use(ann: Typist) -> None:
        assert await ann(line) == shown

    at(Linux("R1", ""), use)


def test_root_is_a_password_away_and_it_is_the_users_own() -> None:
    host = Linux("R1", "")

    async def use(ann: Typist) -> None:
        assert "3 incorrect password attempts" in await ann("sudo -s", "a\rb\rc\r")
        assert ann.cli.mode == "shell"
        await ann("sudo -s", f"{ANN.password}\r")
        assert ann.cli.prompt() == "root@R1:/home/ann# "
        await ann("echo hello > /etc/motd")
        assert await ann("exit") == "exit\n"
        assert ann.cli.mode == "shell"
        assert await ann("sudo whoami") == "root\n"
        assert await ann("whoami") == "ann\n"
        assert "/etc/motd: hello" in (host.configs()["running"] or [])

    at(host, use)


def test_not_everyone_may_be_root() -> None:
    async def use(bob: Typist) -> None:
        assert await bob("sudo -s") == "bob is not in the sudoers file.\n"
        assert bob.cli.mode == "shell"

    at(Linux("R1", ""), use, User("bob", "x", 1))


def test_files_are_bounded_and_tmp_does_not_outlive_a_restart() -> None:
    host = Linux("R1", "")
    with pytest.raises(OSError, match="No space left"):
        host.write(TEMPORARY, "x" * (FILE_BYTES + 1))
    host.write(TEMPORARY, "x")
    host.write("/home/ann/y", "y")
    host.restart()
    assert TEMPORARY not in host.files
    assert "/home/ann/y" in host.files


def test_exit_ends_the_session_with_a_status() -> None:
    async def use(ann: Typist) -> None:
        await ann("exit 3")
        assert ann.logged_out
        assert getattr(ann.cli, "status", None) == 3

    at(Linux("R1", ""), use)
