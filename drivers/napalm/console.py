"""A held command line, as NAPALM's drivers use one: with the job's timeout, and with answers to what copies ask."""

from __future__ import annotations

import re
from typing import Any

from netmiko.exceptions import ReadTimeout

from drivers.errors import DriverError
from drivers.netmiko.connection import EventConnection
from drivers.netmiko.refusal import Refusals
from drivers.ssh.fields import CONTROL

_ASKS = re.compile(r"(?:copy|delete|configure|write|rollback|checkpoint) ")
"""Commands of NAPALM's own that ask for file names and confirmations, which it has turned off on the device instead.

That would be a change of the configuration, even in a dry run.
"""

_QUESTION = re.compile(r"(?:\]\s?\?|\[confirm\]|\[y(?:es)?/n(?:o)?\]\s?[?:]?)\s*\Z", re.IGNORECASE)
_MOST_QUESTIONS = 60


class Console:
    """Stands in for the netmiko connection that it wraps, for one call."""

    def __init__(self, held: EventConnection, timeout_s: float, *, asks: bool) -> None:
        """`asks`: answer what NAPALM's own commands ask with the defaults. What a client's ask is never answered."""
        self._held = held
        self._timeout_s = timeout_s
        self._asks = asks
        self._refusals = Refusals(held.device_type)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._held, name)

    def send_command(self, command_string: str, expect_string: str | None = None, **options: Any) -> str:
        """netmiko's, except that every command has the job's time."""
        if CONTROL.search(command_string):
            raise DriverError("a command contains a control character; it was not sent")
        if expect_string is None and self._asks and _ASKS.match(command_string):
            return self.dialogue(command_string)
        if not self._held.settle(self._timeout_s):
            raise ReadTimeout("late output did not end")
        options |= {"read_timeout": self._timeout_s}
        return self._held.send_command(command_string, expect_string=expect_string, **options)

    def _send_command_str(self, *args: Any, **options: Any) -> str:
        return self.send_command(*args, **options)

    def save_config(self, *_: Any, **__: Any) -> str:
        """netmiko's, with an answer to whether what another version wrote shall be overwritten."""
        nxos = "nxos" in self._held.device_type
        return self.dialogue("copy running-config startup-config" if nxos else "write memory")

    def dialogue(self, command: str) -> str:
        """Run a command of NAPALM's, taking the default of every question that it asks; all that was said."""
        held = self._held
        if not held.settle(self._timeout_s):
            raise ReadTimeout("late output did not end")
        output = held.exchange(command, self._asked_or_home, self._timeout_s)
        for _ in range(_MOST_QUESTIONS):
            if not _QUESTION.search(held.tail):
                return held._sanitize_output(output, strip_command=True, command_string=command, strip_prompt=True)
            with held.answering():
                output += held.exchange("", self._asked_or_home, self._timeout_s, verify=False)
        raise DriverError("the device does not stop asking")

    def refuses(self, output: str) -> bool:
        """Whether a line of a loaded file was refused."""
        return self._refusals.in_change(output)

    def _asked_or_home(self, tail: str) -> bool:
        return bool(_QUESTION.search(tail)) or self._held.prompt.ends(tail)
