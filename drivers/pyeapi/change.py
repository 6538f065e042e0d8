"""One change, prepared in a configuration session of the device and put into force as a whole.

Commands: Arista EOS User Manual, "Configure Session"; `configure replace`, and how EOS tells which session waits:
NAPALM's eos driver, for EOS 4.23 and later. A file is what a change is undone by, and no checkpoint, because a file can
be removed again by a documented command.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from drivers.base import Change, Reply, Report, Verdict
from drivers.errors import CommandRejected, DriverError, ReplyTimeout, SessionLost
from drivers.pyeapi.arguments import PyeapiConfig
from drivers.pyeapi.conversation import Command, Conversation, Form, Outcome
from drivers.pyeapi.entries import Entry, entries
from drivers.pyeapi.reading import said

_WAITS = "pendingCommitTimer"
"""The state of a configuration session that is in force until its time is over, or for good once it is committed."""

_LAST_WORD_S = 2.0
"""How long the device may take to drop what was left prepared by a call that broke off."""


class Candidate:
    """The configuration session of one change, and the file by which the change can be undone.

    Both are named after the change, so that they are found again from any login. `in_force` says whether it was
    committed.
    """

    def __init__(self, conversation: Conversation, change: Change, report: Report) -> None:
        assert isinstance(change.args, PyeapiConfig)
        self.in_force = False
        self._conversation = conversation
        self._change = change
        self._args = change.args
        self._report = report
        self._session = f"configure session {change.name}"
        self._before = f"flash:{change.name}.cfg"

    def apply(self) -> str:
        """Make the change, or with `dry_run` see what it would be; returns the difference.

        A failure leaves nothing behind, unless it befalls the commit or comes after it.
        """
        todo = entries(self._change.lines)
        if not self._args.dry_run:
            self._refuse_if_another_waits()
        with self._dropped_on_failure():
            if self._change.undoable and not self._args.dry_run:
                self._step(f"copy running-config {self._before}")
            self._enter(todo)
            difference = said(self._ask([f"show session-config named {self._change.name} diffs"])[0])
        if self._args.dry_run:
            self._ask([f"{self._session} abort"])
        else:
            self._commit()
        return difference

    def undo(self) -> None:
        """Go back: by dropping what is not yet for good, else by putting the configuration of before in its place."""
        if self._state(self._sessions()) in ("pending", _WAITS):
            self._step(f"{self._session} abort")
        else:
            self._step(f"configure replace {self._before}")
            if self._args.save and self._args.revert_in is None:
                self._step("write memory")
        self._forget()

    def keep(self) -> None:
        """Remove the file by which the change could have been undone."""
        self._step(f"delete {self._before}")

    def confirm(self) -> None:
        """Confirm a change that waits for it."""
        if self._state(self._sessions()) != _WAITS:
            raise CommandRejected("no change of that job waits for a confirmation on the device")
        self._step(f"{self._session} commit")
        self._save()

    # ── steps of a change ──

    def _refuse_if_another_waits(self) -> None:
        """The timer of another change would take this one back as well."""
        sessions = self._sessions()
        if any(self._state(sessions, name) == _WAITS for name in _named(sessions)):
            self._skip(self._change.lines)
            raise CommandRejected("another change waits for its confirmation on the device; no line was sent")

    def _enter(self, todo: Sequence[Entry]) -> None:
        opening = [self._session, *["rollback clean-config"] * self._args.replace]
        outcome = self._run([*opening, *(entry.command for entry in todo if entry.command is not None)])
        ran = len(outcome.results)
        if outcome.refusal is not None and ran < len(opening):
            self._report(outcome.reply(opening[ran], outcome.refusal, refused=True))
            self._skip(self._change.lines)
            raise CommandRejected("the device opened no configuration session; no line was entered")
        refused = self._report_lines(todo, outcome, len(opening))
        if refused is not None:
            raise CommandRejected(
                f"line {refused} of {len(self._change.lines)} was refused; none of the lines is in force"
            )

    def _report_lines(self, todo: Sequence[Entry], outcome: Outcome, offset: int) -> int | None:
        """Report what became of each line; the number of the refused one, None if there is none."""
        results = iter(outcome.results[offset:])
        number = 1
        for entry in todo:
            first, *rest = entry.lines
            result = {} if entry.command is None else next(results, None)
            if result is None:
                self._report(outcome.reply(first, outcome.refusal or "", refused=True))
                self._skip(self._change.lines[number:])
                return number
            self._report(outcome.reply(first, said(result)))
            for line in rest:
                self._report(outcome.reply(line, ""))
            number += len(entry.lines)
        return None

    def _commit(self) -> None:
        timer = "" if self._args.revert_in is None else f" timer {_clock(self._args.revert_in)}"
        try:
            self._step(f"{self._session} commit{timer}")
        except CommandRejected:
            self._drop()
            raise
        self.in_force = True
        if self._args.revert_in is None:
            self._save()

    def _save(self) -> None:
        if not self._args.save:
            return
        try:
            self._step("write memory")
        except CommandRejected as error:
            raise CommandRejected("the change was applied, but the device refused to save it") from error

    @contextmanager
    def _dropped_on_failure(self) -> Iterator[None]:
        try:
            yield
        except (CommandRejected, ReplyTimeout, SessionLost):
            self._drop()
            raise

    def _drop(self) -> None:
        """Leave nothing behind, as far as the device lets us: the failure before is what the call is about."""
        with suppress(DriverError):
            self._run([f"{self._session} abort"], _LAST_WORD_S)
        self._forget()

    def _forget(self) -> None:
        if self._change.undoable:
            with suppress(DriverError):  # a file too many harms nobody
                self._run([f"delete {self._before}"], _LAST_WORD_S)

    # ── requests ──

    def _step(self, command: str) -> None:
        """Run a command of our own and report it. Raises CommandRejected."""
        outcome = self._run([command])
        refused = outcome.refusal is not None
        stdout = "\n".join(said(result) for result in outcome.results)
        self._report(outcome.reply(command, outcome.refusal or stdout, refused=refused))
        if refused:
            raise CommandRejected(f"the device refused a step of the change: {command}")

    def _ask(self, commands: Sequence[Command], form: Form = "text") -> Sequence[dict[str, Any]]:
        outcome = self._conversation.run(commands, form, self._args.read_timeout)
        if outcome.refusal is not None:
            raise CommandRejected(f"the device refused a step of the change: {commands[0]}")
        return outcome.results

    def _run(self, commands: Sequence[Command], timeout_s: float | None = None) -> Outcome:
        return self._conversation.run(commands, "text", timeout_s or self._args.read_timeout)

    def _sessions(self) -> dict[str, Any]:
        return self._ask(["show configuration sessions detail"], "json")[0]

    def _state(self, sessions: dict[str, Any], name: str | None = None) -> str:
        """The state of a configuration session, "" if there is none; EOS 4.32 moved who waits (napalm's eos driver)."""
        name = name or self._change.name
        if sessions.get("commitTimerSessionName") == name:
            return _WAITS
        found = _named(sessions).get(name)
        return str(found.get("state", "")) if isinstance(found, dict) else ""

    def _skip(self, lines: Sequence[str]) -> None:
        for line in lines:
            self._report(Reply(line, "", Verdict.SKIPPED, None, 0.0, exit_status=None))


def _named(sessions: dict[str, Any]) -> dict[str, Any]:
    named = sessions.get("sessions")
    waiting = sessions.get("commitTimerSessionName")
    return (named if isinstance(named, dict) else {}) | ({str(waiting): {}} if waiting else {})


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
