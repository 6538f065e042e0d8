"""Reading and writing for every netmiko platform, event-driven, and where the command line stands."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from netmiko import log
from netmiko.base_connection import BaseConnection
from netmiko.exceptions import NetmikoAuthenticationException, ReadException, ReadTimeout

from drivers.netmiko.channels import EventChannel, PeerClosed
from drivers.netmiko.prompt import TAIL, Prompt, plausible
from drivers.netmiko.stream import TextStream

MOVED_QUIET_S = 0.5
"""Silence after which a related prompt counts as the end of a command's output."""

_PROMPT_QUIET_S = 0.1
"""Silence at a known prompt that ends netmiko's timing-based reads, which otherwise want two seconds."""

_RETURN_PATIENCE_S = 5.0
"""How long an empty line may wait for the prompt that it must not be sent without."""

_WINDOW = 8192
"""Characters that netmiko's own patterns may reach back over."""


class EventReads(BaseConnection):
    """What netmiko's `BaseConnection` reads and writes with, waiting for data instead of sleeping."""

    channel: EventChannel

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.gate: Callable[[], None] = lambda: None  # called before every write; raises to forbid it
        self._full_prompt = ""
        self._tail = ""
        self._settled = False
        self._answering = False
        self._passwords_sent = 0
        super().__init__(*args, **kwargs)
        log.removeFilter(self._secrets_filter)  # one for each connection would slow every log record down
        self._stream = TextStream(self.encoding)

    def write_channel(self, out_data: str) -> None:
        """The one way out. An empty line is sent at a prompt only: it would answer a question with its default."""
        if self._settled and not self._answering and not out_data.strip():
            self._await_prompt()
        data = out_data.encode(self.encoding)
        self._try_password_once(out_data)
        self.gate()
        self._tail = ""
        self.channel.send(data)

    def _try_password_once(self, out_data: str) -> None:
        """netmiko's telnet logins repeat a refused password until they tire, which locks accounts."""
        if self._settled or self.protocol != "telnet" or not self.password or out_data.strip() != self.password:
            return
        self._passwords_sent += 1
        if self._passwords_sent > 1 + (self.username == self.password):
            raise NetmikoAuthenticationException("the password was asked for again")

    def read_channel(self) -> str:
        """Everything that is there, as text, without waiting. Raises PeerClosed at the end."""
        buffered, self._read_buffer = self._read_buffer, ""
        try:
            data = self.channel.receive()
        except PeerClosed:
            if buffered:
                return buffered
            raise
        normalise = str if self.disable_lf_normalization else self.normalize_linefeeds
        strip = self.strip_ansi_escape_codes if self.ansi_escape_codes else None
        fresh = self._stream.feed(data, normalise, strip)
        self._tail = (self._tail + fresh)[-TAIL:]
        return buffered + fresh

    def read_until_pattern(
        self,
        pattern: str = "",
        read_timeout: float = 10.0,
        re_flags: int = 0,
        max_loops: int | None = None,  # noqa: ARG002 (netmiko's signature)
    ) -> str:
        """netmiko's, event-driven: up to and including the first match, the rest stays for the next read."""
        if not pattern:
            raise ReadException("an empty pattern is found in everything")
        expression = re.compile(pattern, re_flags)
        until = deadline(read_timeout)
        output = ""
        while True:
            fresh = self.read_channel()
            match = expression.search(output := output + fresh, max(0, len(output) - len(fresh) - _WINDOW))
            if match and output:
                self._read_buffer = output[match.end() :] + self._read_buffer
                return output[: match.end()]
            if over(until) or not self.channel.wait(left(until)):
                raise ReadTimeout("pattern not seen in time")

    def read_channel_timing(
        self,
        last_read: float = 2.0,
        read_timeout: float = 120.0,
        delay_factor: float | None = None,  # noqa: ARG002 (netmiko's signature)
        max_loops: int | None = None,  # noqa: ARG002
    ) -> str:
        """netmiko's: until nothing came for `last_read` seconds, or for a moment at a known prompt."""
        until = deadline(read_timeout)
        output = ""
        while True:
            output += self.read_channel()
            at_prompt = self._settled and self.at_prompt()
            quiet = _PROMPT_QUIET_S if at_prompt else last_read if output else None
            silent = not self.channel.wait(left(until, quiet))
            if silent and output:
                return output
            if over(until):
                raise ReadTimeout("nothing came in time, or it did not end")

    def clear_buffer(self, backoff: bool = True, backoff_max: float = 3.0, delay_factor: float | None = None) -> str:
        """netmiko's: read until nothing comes for a moment, at most ten times; waits for data, does not sleep."""
        pause = 0.1 * (self.global_delay_factor if delay_factor is None else delay_factor)
        output = self.read_channel()
        for _ in range(10):
            if not self.channel.wait(pause):
                break
            output += self.strip_ansi_escape_codes(self.read_channel())
            pause = min(pause * 2, backoff_max) if backoff else pause
        return output

    # ── where the command line stands ──

    @property
    def prompt(self) -> Prompt:
        """The prompt as last seen, whole, with the part that stays in every mode."""
        base = self.base_prompt.strip()
        return Prompt(self._full_prompt, base if base and base in self._full_prompt else self._full_prompt)

    @property
    def tail(self) -> str:
        """The end of what the device said since the last write."""
        return self._tail

    def pending(self) -> bool:
        """Whether there is anything unread."""
        return bool(self._read_buffer) or self.channel.pending()

    def at_prompt(self) -> bool:
        """Whether all is read and the last of it is a prompt of this device, in whatever mode."""
        return not self.channel.pending() and (self.prompt.ends(self._tail) or self.prompt.related(self._tail))

    def settle(self, timeout_s: float) -> bool:
        """Drop what is unread until the device stands at a prompt; False if it does not within `timeout_s` seconds."""
        until = deadline(timeout_s)
        while True:
            if self.pending():
                self.read_channel()
            if self.at_prompt():
                return True
            if over(until) or not self.channel.wait(left(until)):
                return False

    def at_home(self, timeout_s: float) -> bool:
        """Like `settle`, but at the very prompt that the last call left behind."""
        return self.settle(timeout_s) and self.prompt.ends(self._tail)

    def drop_unread(self) -> None:
        """Drop what is there, wherever the device stands."""
        if self.pending():
            self.read_channel()

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Let netmiko answer what its own command asks (a password, `save? [y]`), even with an empty line."""
        self._answering = True
        try:
            yield
        finally:
            self._answering = False

    def _await_prompt(self) -> None:
        if not self.settle(MOVED_QUIET_S) and not plausible(self._tail) and not self.settle(_RETURN_PATIENCE_S):
            raise ReadTimeout("the device does not stand at its prompt")
        self._read_buffer = ""


def deadline(timeout_s: float) -> float | None:
    """A point of `time.monotonic()`; None, for ever, for netmiko's timeout of 0."""
    return time.monotonic() + timeout_s if timeout_s else None


def left(until: float | None, most_s: float | None = None) -> float | None:
    """Seconds left until a deadline, at most `most_s`; None for ever."""
    rest = None if until is None else max(0.0, until - time.monotonic())
    return rest if most_s is None else most_s if rest is None else min(rest, most_s)


def over(until: float | None) -> bool:
    """Whether a deadline has passed."""
    return until is not None and time.monotonic() >= until
