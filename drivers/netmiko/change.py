"""One configuration change: enter, line by line, commit where the platform has candidates, leave, save."""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from netmiko.base_connection import BaseConnection
from netmiko.exceptions import ReadTimeout

from drivers.base import Reply, Report, Verdict
from drivers.errors import CommandRejected, ReplyTimeout, SessionLost
from drivers.netmiko.arguments import NetmikoConfig
from drivers.netmiko.channels import PeerClosed
from drivers.netmiko.connection import EventConnection
from drivers.netmiko.refusal import Refusals

_DISCARD = (
    ("juniper", "rollback 0"),
    ("vyos", "discard"),
    ("huawei_vrp", "clear configuration candidate"),
)
"""How candidates are dropped before leaving, where leaving alone would keep them. (IOS XR: netmiko answers `no`.)"""

_BANNER = re.compile(r"\s*banner\s+\S+\s+(\^C|\S)(.*)", re.IGNORECASE)
_BANNER_TO_EOF = re.compile(r"\s*banner\s+(?:motd|login)\s*", re.IGNORECASE)


class Change:
    """A change on one open connection. `refused` is the number of the line that stopped it, None if none did."""

    def __init__(self, connection: EventConnection, args: NetmikoConfig, report: Report) -> None:
        self._connection = connection
        self._args = args
        self._report = report
        self._refusals = Refusals(connection.device_type, args.error_pattern)
        self.refused: int | None = None

    def apply(self, lines: Sequence[str]) -> None:
        """Enter, apply, commit, leave; raises CommandRejected once the device is back at its prompt."""
        self._enter(lines)
        self._lines(lines)
        if self.refused is not None:
            self._discard()
            self._leave()
            raise CommandRejected(f"line {self.refused} of {len(lines)} was refused; the lines after it were not sent")
        self._commit()
        self._leave()

    def save(self) -> None:
        """Save the running configuration the platform's way. Errors say that the change itself was applied."""
        command = _default(self._connection.save_config, "cmd") or "save"
        try:
            output = self._vendor(command, self._connection.save_config)
        except (NotImplementedError, AttributeError, ValueError) as error:
            raise CommandRejected("the change was applied, but could not be saved on this platform") from error
        except ReadTimeout as error:
            raise ReplyTimeout("the change was applied, but the device did not finish saving it in time") from error
        except (PeerClosed, OSError) as error:
            raise SessionLost("the change was applied, but the session ended while saving it") from error
        if self._refusals.in_answer(output):
            raise CommandRejected("the change was applied, but the device refused to save it")

    def _enter(self, lines: Sequence[str]) -> None:
        if not self._args.enter_config_mode:
            return
        command, home = self._args.config_mode_command, self._connection.prompt
        try:
            self._connection.config_mode(command) if command else self._connection.config_mode()
        except (ValueError, ReadTimeout) as error:
            if isinstance(error, ReadTimeout) and not home.ends(self._connection.tail):
                raise  # no answer yet, so no refusal either
            self._skip(lines)
            raise CommandRejected("the device did not enter configuration mode; no line was sent") from error
        self._connection.relearn()

    def _lines(self, lines: Sequence[str]) -> None:
        for number, (line, in_text) in enumerate(_with_text(lines), start=1):
            reply = self._line(line, in_text=in_text)
            self._report(reply)
            if reply.verdict is Verdict.REFUSED:
                self.refused = number
                self._skip(lines[number:])
                return

    def _line(self, line: str, *, in_text: bool) -> Reply:
        """Enter one line. Within a text (a banner) the device shows no prompt, so its echo alone is waited for."""
        connection, args = self._connection, self._args
        started, clock = datetime.now(UTC), time.perf_counter()
        output = connection.exchange(
            line, _anything if in_text else connection.standing_at, args.read_timeout, verify=args.cmd_verify
        )
        refused = self._refusals.in_change(output)
        output = connection._sanitize_output(
            output,
            strip_command=args.strip_command,
            command_string=line,
            strip_prompt=args.strip_prompt and not in_text,
        )
        verdict = Verdict.REFUSED if refused else Verdict.DONE
        return Reply(line, output, verdict, started, time.perf_counter() - clock, exit_status=int(refused))

    def _skip(self, lines: Sequence[str]) -> None:
        for line in lines:
            self._report(Reply(line, "", Verdict.SKIPPED, None, 0.0, exit_status=None))

    def _commit(self) -> None:
        """Commit on platforms with candidates (those whose netmiko class has a `commit` of its own)."""
        if type(self._connection).commit is BaseConnection.commit:
            return
        try:
            self._vendor("commit", self._connection.commit)
        except ValueError as error:
            self._discard()
            self._leave()
            raise CommandRejected("the device refused to commit the change; it was dropped") from error

    def _discard(self) -> None:
        """Drop the candidate where leaving alone would keep it."""
        name = self._connection.device_type
        command = next((command for prefix, command in _DISCARD if name.startswith(prefix)), None)
        if command:
            self._connection.exchange(command, self._connection.standing_at, self._args.read_timeout)

    def _leave(self) -> None:
        if self._args.enter_config_mode and self._args.exit_config_mode:
            self._connection.exit_config_mode()
        self._connection.relearn()

    def _vendor(self, command: str, function: Callable[[], str]) -> str:
        started, clock = datetime.now(UTC), time.perf_counter()
        with self._connection.answering():
            output = function()
        output = self._connection._sanitize_output(
            output, strip_command=True, command_string=command, strip_prompt=self._args.strip_prompt
        )
        refused = self._refusals.in_answer(output)
        verdict = Verdict.REFUSED if refused else Verdict.DONE
        self._report(Reply(command, output, verdict, started, time.perf_counter() - clock, exit_status=int(refused)))
        return output


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
