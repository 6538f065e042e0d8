"""What the devices really received, kept independently of whoever sent it: the proof for tests of exactly-once."""

import asyncio
import json
import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from itertools import count, takewhile
from typing import Any, Literal

Kind = Literal["command", "answer"]
Ending = Literal["running", "done", "lost"]


@dataclass(slots=True)
class Entry:
    """One line that a device received: a command, or the answer to a question (`***` if it was not echoed).

    `began` and `ended` are `time.monotonic()` of the machine, `began_at` and `ended_at` Unix time. It runs from the
    end of the line to the next prompt; `lost` means that the session ended first. `overlaps` are the `seq` of commands
    that were running on the device when this one began.
    """

    seq: int
    device: str
    session: int
    user: str
    mode: str
    line: str
    kind: Kind = "command"
    began: float = field(default_factory=time.monotonic)
    began_at: float = field(default_factory=time.time)
    ended: float | None = None
    ended_at: float | None = None
    ending: Ending = "running"
    overlaps: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Stats:
    """Counts of one device since the lab began. `sessions_peak` is the most sessions that it had at a time."""

    device: str
    connections: int = 0
    logins_ok: int = 0
    logins_failed: int = 0
    sessions: int = 0
    sessions_peak: int = 0
    commands: int = 0
    overlaps: int = 0
    reloads: int = 0


@dataclass(slots=True)
class Login:
    """One attempt to log in. The password is not kept."""

    device: str
    user: str
    ok: bool
    at: float = field(default_factory=time.time)


class Journal:
    """The record of a whole lab: in memory the newest `keep` entries, on file (if any) all of them."""

    def __init__(self, *, keep: int = 200_000, path: str | None = None) -> None:
        self.entries: deque[Entry] = deque(maxlen=keep)
        self.logins: deque[Login] = deque(maxlen=keep)
        self.stats: dict[str, Stats] = {}
        self._running: dict[str, dict[int, Entry]] = {}
        self._seq = 0
        self._sessions = count(1)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if path else None
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    def enrol(self, device: str) -> Stats:
        """Begin to keep counts of a device."""
        self._running[device] = {}
        return self.stats.setdefault(device, Stats(device))

    def begin(self, device: str, session: int, user: str, mode: str, line: str, kind: Kind = "command") -> Entry:
        """A line has arrived. Empty lines and answers are kept too, but only commands can overlap."""
        self._seq += 1
        entry = Entry(self._seq, device, session, user, mode, line, kind)
        if line and kind == "command":
            self._count(entry)
        self.entries.append(entry)
        self._write("begin", asdict(entry) if self._file is not None else {})
        self._changed()
        return entry

    def _count(self, entry: Entry) -> None:
        stats, running = self.stats[entry.device], self._running[entry.device]
        stats.commands += 1
        if running:
            stats.overlaps += 1
            entry.overlaps = list(running)
        running[entry.seq] = entry

    def end(self, entry: Entry, ending: Ending) -> None:
        """The prompt is out again, or the session is gone."""
        entry.ended, entry.ended_at, entry.ending = time.monotonic(), time.time(), ending
        self._running[entry.device].pop(entry.seq, None)
        self._write("end", {"seq": entry.seq, "device": entry.device, "ended_at": entry.ended_at, "ending": ending})
        self._changed()

    def login(self, device: str, user: str, *, ok: bool) -> None:
        stats = self.stats[device]
        stats.logins_ok += ok
        stats.logins_failed += not ok
        self.logins.append(Login(device, user, ok))
        self._write("login", asdict(self.logins[-1]))
        self._changed()

    def next_session(self) -> int:
        """A number for a session that begins."""
        return next(self._sessions)

    def session(self, device: str, change: Literal[1, -1]) -> None:
        """A session has begun or ended."""
        stats = self.stats[device]
        stats.sessions += change
        stats.sessions_peak = max(stats.sessions_peak, stats.sessions)
        self._changed()

    def find(self, device: str | None = None, *, since: int = 0) -> list[Entry]:
        """Entries with a `seq` above `since`, oldest first."""
        newest = takewhile(lambda entry: entry.seq > since, reversed(self.entries))
        return [entry for entry in newest if device in (None, entry.device)][::-1]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return once `condition`, asked after every change, is true."""
        if condition():
            return
        waiter = (condition, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        try:
            await waiter[1]
        finally:
            self._waiters.remove(waiter)

    def _changed(self) -> None:
        for condition, future in self._waiters:
            if not future.done() and condition():
                future.set_result(None)

    def _write(self, event: str, fields: dict[str, Any]) -> None:
        if self._file is not None:  # one write() to an O_APPEND file: whole lines, even if we are killed
            os.write(self._file, (json.dumps({"event": event, **fields}) + "\n").encode())

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
