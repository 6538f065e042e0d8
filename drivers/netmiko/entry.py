"""Lines and steps entered on one open connection, each reported as it ends."""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from netmiko.exceptions import ReadTimeout

from drivers.base import Reply, Report, Verdict
from drivers.errors import CommandRejected, ReplyTimeout, SessionLost
from drivers.netmiko.channels import PeerClosed
from drivers.netmiko.connection import EventConnection
from drivers.netmiko.driver_args import NetmikoConfig
from drivers.netmiko.refusal import Refusals
from drivers.netmiko.transcript import Ending

_SLOW_S = 120.0
"""A commit, a roll-back or a copy may take this long, whatever a line may take (netmiko: `commit`)."""

_BANNER = re.compile(r"\s*banner\s+\S+\s+(\^C|\S)(.*)", re.IGNORECASE)
_BANNER_TO_EOF = re.compile(r"\s*banner\s+(?:motd|login)\s*", re.IGNORECASE)


class Entry:
    """What a change does on the connection's command line."""

    def __init__(self, connection: EventConnection, args: NetmikoConfig, report: Report) -> None:
        self.connection = connection
        self._args = args
        self._report = report
        self._refusals = Refusals(connection.device_type)
        self._line_refusals = Refusals(connection.device_type, args.error_pattern)
        self._home = connection.prompt
        self._entered = True

    def enter(self, command: str | None, lines: Sequence[str], otherwise: str) -> None:
        """Enter configuration mode, by `command` or netmiko's own. Raises CommandRejected saying `otherwise`."""
        if not self._args.enter_config_mode:
            return
        try:
            said = self.connection.config_mode(command) if command else self.connection.config_mode()
        except (ValueError, ReadTimeout) as error:
            if isinstance(error, ReadTimeout) and not self._home.ends(self.connection.tail):
                raise  # no answer yet, so no refusal either
            self.skip(lines)
            raise CommandRejected(f"{otherwise}; no line was sent") from error
        # Root of a Linux host is there from the login on, and nothing was typed: `exit` would end the session.
        self._entered = bool(said) or not self.connection.device_type.startswith("linux")
        self.connection.relearn()

    def lines(self, lines: Sequence[str]) -> None:
        """Enter line after line. Raises CommandRejected at the first refused one, the rest reported as skipped."""
        for number, (line, in_text) in enumerate(_with_text(lines), start=1):
            reply = self._line(line, in_text=in_text)
            self._report(reply)
            if reply.verdict is Verdict.REFUSED:
                self.skip(lines[number:])
                raise CommandRejected(f"line {number} of {len(lines)} was refused; the lines after it were not sent")

    def skip(self, lines: Sequence[str]) -> None:
        """Report lines that are not sent."""
        for line in lines:
            self._report(Reply(line, "", Verdict.SKIPPED, None, 0.0, exit_status=None))

    def step(
        self,
        command: str,
        otherwise: str,
        *,
        shows: str = "",
        never_shows: str = "",
        answers: Mapping[str, str] | None = None,
    ) -> str:
        """Take a step of the procedure's own; return what the device says.

        Raises CommandRejected saying `otherwise` unless the device takes it: its answer is no refusal, contains the
        text `shows`, and not `never_shows`. `answers`: by pattern, for questions that the step is known to ask.
        """
        output = self.ask(command, shows=shows, never_shows=never_shows, answers=answers)
        if output is None:
            raise CommandRejected(otherwise)
        return output

    def ask(
        self,
        command: str,
        *,
        shows: str = "",
        never_shows: str = "",
        fine_if: str = "",
        answers: Mapping[str, str] | None = None,
        told: bool = True,
    ) -> str | None:
        """Like `step`; None if the device does not take it, unless it shows the text `fine_if`. `told`: reported."""
        started, clock = datetime.now(UTC), time.perf_counter()
        output = self._conversation(command, answers or {})
        refused = self._refusals.in_change(output) or shows not in output or bool(never_shows and never_shows in output)
        refused = refused and not (fine_if and fine_if in output)
        output = self.connection._sanitize_output(
            output, strip_command=True, command_string=command, strip_prompt=self._args.strip_prompt
        )
        if told:
            self._tell(command, output, refused, started, clock)
        return None if refused else output

    def vendor(self, command: str, function: Callable[[], str]) -> str:
        """Let netmiko take a step, and answer what it asks; returns what the device said."""
        started, clock = datetime.now(UTC), time.perf_counter()
        with self.connection.answering():
            output = function()
        output = self.connection._sanitize_output(
            output, strip_command=True, command_string=command, strip_prompt=self._args.strip_prompt
        )
        self._tell(command, output, self._refusals.in_answer(output), started, clock)
        return output

    def leave(self) -> None:
        """Leave configuration mode, if it is to be left."""
        if self._args.enter_config_mode and self._args.exit_config_mode and self._entered:
            self.connection.exit_config_mode()
        self.connection.relearn()

    def save(self) -> None:
        """Save the running configuration the platform's way. Errors say that the change itself was applied."""
        command = _default(self.connection.save_config, "cmd") or "save"
        try:
            output = self.vendor(command, self.connection.save_config)
        except (NotImplementedError, AttributeError, ValueError) as error:
            raise CommandRejected("the change was applied, but could not be saved on this platform") from error
        except ReadTimeout as error:
            raise ReplyTimeout("the change was applied, but the device did not finish saving it in time") from error
        except (PeerClosed, OSError) as error:
            raise SessionLost("the change was applied, but the session ended while saving it") from error
        if self._refusals.in_answer(output):
            raise CommandRejected("the change was applied, but the device refused to save it")

    def _line(self, line: str, *, in_text: bool) -> Reply:
        """Enter one line. Within a text (a banner) the device shows no prompt, so its echo alone is waited for."""
        connection, args = self.connection, self._args
        started, clock = datetime.now(UTC), time.perf_counter()
        output = connection.exchange(
            line, _anything if in_text else connection.standing_at, args.read_timeout, verify=args.cmd_verify
        )
        refused = self._line_refusals.in_change(output)
        output = connection._sanitize_output(
            output,
            strip_command=args.strip_command,
            command_string=line,
            strip_prompt=args.strip_prompt and not in_text,
        )
        return _reply(line, output, refused, started, clock)

    def _conversation(self, command: str, answers: Mapping[str, str]) -> str:
        """A command, and the answers to what it asks, each question at most once. Raises ReplyTimeout."""
        timeout_s = max(self._args.read_timeout, _SLOW_S)
        try:
            return self._asked_and_answered(command, dict(answers), timeout_s)
        except ReadTimeout as error:
            raise ReplyTimeout(f"the device did not finish a step of the change within {timeout_s:g} s") from error

    def _asked_and_answered(self, command: str, left: dict[str, str], timeout_s: float) -> str:
        connection = self.connection
        output = said = connection.exchange(command, self._standing_or(left), timeout_s, home=self._home)
        while question := next((pattern for pattern in left if re.search(pattern, said)), None):
            answer = left.pop(question)
            with connection.answering():
                said = connection.exchange(answer, self._standing_or(left), timeout_s, verify=False, home=self._home)
            output += said
        return output

    def _standing_or(self, questions: Mapping[str, str]) -> Ending:
        patterns = [re.compile(pattern) for pattern in questions]
        return lambda tail: self.connection.standing_at(tail) or any(pattern.search(tail) for pattern in patterns)

    def _tell(self, command: str, output: str, refused: bool, started: datetime, clock: float) -> None:
        self._report(_reply(command, output, refused, started, clock))


def _reply(command: str, output: str, refused: bool, started: datetime, clock: float) -> Reply:
    verdict = Verdict.REFUSED if refused else Verdict.DONE
    return Reply(command, output, verdict, started, time.perf_counter() - clock, exit_status=int(refused))


def _with_text(lines: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Each line, and whether the device expects free text after it: within a banner, up to its delimiter."""
    delimiter = None
    for line in lines:
        if delimiter is None:
            delimiter = _opened(line)
        elif delimiter in line:
            delimiter = None
        yield line, delimiter is not None


def _opened(line: str) -> str | None:
    if _BANNER_TO_EOF.fullmatch(line):
        return "EOF"
    match = _BANNER.fullmatch(line)
    return match.group(1) if match and match.group(1) not in match.group(2) else None


def _anything(_tail: str) -> bool:
    return True


def _default(function: Callable[..., str], name: str) -> str | None:
    parameter = inspect.signature(function).parameters.get(name)
    return parameter.default if parameter and isinstance(parameter.default, str) else None
