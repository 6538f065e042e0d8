"""One login on one device's eAPI."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from drivers.base import Arguments, Change, Guard, Report, Target, Trust
from drivers.errors import (
    AuthenticationFailed,
    CommandRejected,
    DriverError,
    HostKeyMismatch,
    LeaseLost,
    SessionAborted,
    SessionLost,
    Unreachable,
)
from drivers.pyeapi.arguments import PyeapiConnection, PyeapiQuery
from drivers.pyeapi.change import Candidate
from drivers.pyeapi.conversation import Conversation, Form, Outcome
from drivers.pyeapi.reading import NO_JSON, said
from drivers.pyeapi.transport import EapiTransport
from drivers.ssh.fields import CONTROL

_PLAIN = (Unreachable, AuthenticationFailed, HostKeyMismatch, SessionAborted, LeaseLost)
"""What `open` may raise."""


class PyeapiSession:
    """A `drivers.base.ConfigSession`."""

    def __init__(self, target: Target, key_folders: Sequence[Path] = ()) -> None:
        assert isinstance(target.connection, PyeapiConnection)
        self.transport = EapiTransport(target.connection, key_folders)
        self._login = target.connection
        self._where = target.device_key
        self._conversation = Conversation(self.transport, target.connection.secret)
        self._host_name = ""
        self._untouched = ""  # the name of a change that was refused as a whole: there is nothing to undo

    @property
    def guard(self) -> Guard:
        """See `drivers.base.Session`."""
        return self.transport.guard

    @guard.setter
    def guard(self, guard: Guard) -> None:
        self.transport.guard = guard

    @property
    def trust(self) -> Trust:
        """See `drivers.base.Session`."""
        return self.transport.trust

    @trust.setter
    def trust(self, trust: Trust) -> None:
        self.transport.trust = trust

    # ── life ──

    def open(self) -> None:
        """See `drivers.base.Session.open`. HTTP has no login of its own, so a first command finds out."""
        try:
            self.transport.open()
            outcome = self._conversation.run(["show hostname"], "json", self._login.timeout, enable=False)
        except _PLAIN:
            self.close()
            raise
        except DriverError as error:
            self.close()
            raise Unreachable(f"{self._where} did not finish the login: {error}") from error
        self._host_name = str(outcome.results[0].get("hostname", ""))[:253] if outcome.results else ""

    def alive(self) -> bool:
        """See `drivers.base.Session.alive`."""
        return self.transport.alive()

    def ping(self, timeout_s: float) -> bool:
        """See `drivers.base.Session.ping`."""
        return self.transport.ping(timeout_s)

    def prompt(self) -> str:
        """The device's name: there is no prompt."""
        return self._host_name

    def abort(self) -> None:
        """See `drivers.base.Session.abort`."""
        self.transport.abort()

    def close(self) -> None:
        """See `drivers.base.Session.close`."""
        self.transport.close()

    # ── work ──

    def run_commands(self, commands: Sequence[str], args: Arguments, report: Report) -> None:
        """See `drivers.base.Session.run_commands`. One request each: eAPI skips what follows a refused command."""
        assert isinstance(args, PyeapiQuery)
        _refuse_unsendable(commands)
        with self._call():
            refused = [command for command in commands if self._ask(command, args, report)]
        if refused:
            raise CommandRejected(f"{len(refused)} of {len(commands)} commands were refused, the first: {refused[0]}")

    def apply_config(self, change: Change, report: Report) -> str | None:
        """See `drivers.base.ConfigSession.apply_config`."""
        candidate = Candidate(self._conversation, change, report)
        try:
            with self._call():
                return candidate.apply()
        except CommandRejected:
            if not candidate.in_force:
                self._untouched = change.name
            raise
        except (AuthenticationFailed, HostKeyMismatch) as error:
            if not candidate.in_force:
                raise
            raise SessionLost(f"the change was applied, and {self._where} refuses this login since") from error

    def undo(self, change: Change, report: Report) -> None:
        """See `drivers.base.ConfigSession.undo`."""
        if change.name != self._untouched:
            with self._call():
                Candidate(self._conversation, change, report).undo()

    def keep(self, change: Change, report: Report) -> None:
        """See `drivers.base.ConfigSession.keep`."""
        with self._call():
            Candidate(self._conversation, change, report).keep()

    def confirm(self, change: Change, report: Report) -> None:
        """See `drivers.base.ConfigSession.confirm`."""
        with self._call():
            Candidate(self._conversation, change, report).confirm()

    def _ask(self, command: str, args: PyeapiQuery, report: Report) -> bool:
        """Run one command and report it; True if it was refused."""
        form = args.form
        outcome = self._run(command, args, form)
        if outcome.code == NO_JSON:  # nothing was run: as pyeapi does, ask for the form that it has
            form = "text"
            outcome = self._run(command, args, form)
        if outcome.refusal is not None:
            report(outcome.reply(command, outcome.refusal, refused=True))
            return True
        result = outcome.results[0]
        if form == "json":
            report(outcome.reply(command, json.dumps(result, indent=2, ensure_ascii=False), parsed=result))
        else:
            report(outcome.reply(command, said(result)))
        return False

    def _run(self, command: str, args: PyeapiQuery, form: Form) -> Outcome:
        options = args.model_dump(include={"autoComplete", "expandAliases"}, exclude_none=True)
        return self._conversation.run([command], form, args.read_timeout, enable=args.enable_mode, **options)

    @contextmanager
    def _call(self) -> Iterator[None]:
        """One call: what fails after its first request was written is not as if the device had seen nothing."""
        self.transport.sent = False
        try:
            yield
        except Unreachable as error:
            if not self.transport.sent:
                raise
            raise SessionLost(f"{self._where} could not be reached again after something was sent") from error


def _refuse_unsendable(commands: Sequence[str]) -> None:
    for number, command in enumerate(commands, start=1):
        if CONTROL.search(command):
            raise DriverError(f"line {number} contains a control character; nothing was sent")
