"""Requests to one device's command line, each of which begins in exec mode, and what became of their commands."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import SecretStr
from pyeapi.eapilib import CommandError

from drivers.base import Reply, Verdict
from drivers.errors import AuthenticationFailed, DriverError
from drivers.pyeapi.reading import said
from drivers.pyeapi.transport import EapiTransport

Command = str | dict[str, str]
"""A command, or `cmd` and the `input` that it asks for."""
Form = Literal["json", "text"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the commands of one request: the device stops at the first that it refuses."""

    results: Sequence[dict[str, Any]]
    """Of the commands that ran, in order."""
    refusal: str | None
    """What the device said to the one after these; None if all ran."""
    code: int
    """eAPI's error code, 0 if all ran."""
    started_at: datetime
    duration_s: float

    def reply(self, command: str, stdout: str, *, parsed: Any = None, refused: bool = False) -> Reply:
        """One command's reply. eAPI does not tell how long each took: each is given an equal share."""
        share = self.duration_s / (len(self.results) + refused or 1)
        verdict = Verdict.REFUSED if refused else Verdict.DONE
        return Reply(command, stdout, verdict, self.started_at, share, exit_status=int(refused), parsed=parsed)


class Conversation:
    """The command line behind a transport. `secret` is the enable password."""

    def __init__(self, transport: EapiTransport, secret: SecretStr | None) -> None:
        self._transport = transport
        self._secret = secret

    def run(
        self, commands: Sequence[Command], form: Form, timeout_s: float, *, enable: bool = True, **options: bool
    ) -> Outcome:
        """Run commands in one request. Raises AuthenticationFailed if enable mode is refused, and DriverErrors."""
        self._transport.timeout_s = timeout_s
        sent = enable + len(commands)
        started, clock = datetime.now(UTC), time.perf_counter()
        try:
            answer = self._transport.execute([*self._enable() * enable, *commands], form, **options)
            results, refusal, code = answer["result"], None, 0
        except CommandError as error:
            *results, last = error.output or [{}]
            refusal, code = said(last) or error.error_text, error.error_code
        if enable and refusal is not None and not results:
            raise AuthenticationFailed(f"{self._transport} did not let the login into enable mode")
        if len(results) != sent if refusal is None else len(results) >= sent:
            raise DriverError(f"{self._transport} answered for another number of commands than were sent")
        return Outcome(results[enable:], refusal, code, started, time.perf_counter() - clock)

    def _enable(self) -> list[Command]:
        return ["enable" if self._secret is None else {"cmd": "enable", "input": self._secret.get_secret_value()}]
