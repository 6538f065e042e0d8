"""Commands in order, each in a channel of its own, and what becomes of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from drivers.base import Reply, Report, Verdict
from drivers.errors import CommandRejected, DriverError
from drivers.paramiko.arguments import Running
from drivers.paramiko.execution import Ended, Remote
from drivers.paramiko.shell import command_line, script_line
from drivers.ssh.fields import CONTROL

_SHOW = r'for n; do eval "v=\${$n-}"; printf "%s\0" "$v"; done'
"""Prints the values of the variables named by its parameters, each with a NUL behind it."""


def refuse_unsendable(commands: Sequence[str]) -> None:
    """Raises DriverError for a command that would be more than one line."""
    for number, command in enumerate(commands, start=1):
        if CONTROL.search(command):
            raise DriverError(f"line {number} contains a control character; nothing was sent")


def check_environment(remote: Remote, args: Running, password: str | None) -> None:
    """Have the host show the variables that it was given. Raises CommandRejected if it dropped or changed one."""
    wanted = args.environment
    if not wanted:
        return
    shown = remote.run(script_line(_SHOW, tuple(wanted), args, password), args.timeout).stdout.split(b"\0")
    lost = [name for name, value in zip(wanted, shown, strict=False) if value != wanted[name].encode()]
    if lost or len(shown) <= len(wanted):
        raise CommandRejected("the host drops or changes a variable of the environment; no command was run")


class Batch:
    """Commands to run on one host with the same arguments. `password` is for sudo."""

    def __init__(self, remote: Remote, args: Running, password: str | None, report: Report) -> None:
        self._remote = remote
        self._args = args
        self._password = password
        self._report = report

    def run_all(self, commands: Sequence[str]) -> None:
        """Every one, whatever becomes of those before. Raises CommandRejected afterwards if any failed."""
        failed = [number for number in range(len(commands)) if not self._run(commands, number)]
        if failed:
            raise CommandRejected(
                f"{len(failed)} of {len(commands)} commands had an exit status other than 0, the first: "
                f"number {failed[0] + 1}"
            )

    def run_until_failure(self, commands: Sequence[str]) -> None:
        """Up to the first that fails, the rest skipped. Raises CommandRejected if one did."""
        for number in range(len(commands)):
            if not self._run(commands, number):
                self._skip(commands[number + 1 :])
                raise CommandRejected(
                    f"line {number + 1} of {len(commands)} had an exit status other than 0; those after it were not run"
                )

    def _run(self, commands: Sequence[str], number: int) -> bool:
        """Run and report one; False if its exit status is not 0."""
        started, clock = datetime.now(UTC), time.perf_counter()

        def reply(verdict: Verdict, ended: Ended) -> Reply:
            stdout, stderr = (stream.decode(errors="replace") for stream in (ended.stdout, ended.stderr))
            took = time.perf_counter() - clock
            return Reply(commands[number], stdout, verdict, started, took, stderr, ended.exit_status)

        try:
            ended = self._ended(commands[number])
        except CommandRejected:  # by sudo, which locks accounts that fail again and again
            self._report(reply(Verdict.REFUSED, Ended(b"", b"", 1)))
            self._skip(commands[number + 1 :])
            raise
        done = ended.exit_status == 0
        self._report(reply(Verdict.DONE if done else Verdict.REFUSED, ended))
        return done

    def _ended(self, command: str) -> Ended:
        return self._remote.run(command_line(command, self._args, self._password), self._args.timeout)

    def _skip(self, commands: Sequence[str]) -> None:
        for command in commands:
            self._report(Reply(command, "", Verdict.SKIPPED, None, 0.0, exit_status=None))
