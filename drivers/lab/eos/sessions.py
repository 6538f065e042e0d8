"""Configuration sessions: changes that are prepared aside, committed as one, and undone unless confirmed in time."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Literal, Protocol

from drivers.lab.eos.config import Config
from drivers.lab.eos.errors import Refused

MAX_PENDING, MAX_COMPLETED = 5, 1

State = Literal["pending", "pendingCommitTimer", "completed"]


class Target(Protocol):
    """What a session changes."""

    running: Config

    def replace(self, config: Config) -> None: ...


@dataclass(eq=False)
class Candidate:
    """One configuration session. `commit_by` (Unix time) is when it is undone; `before` is what it is undone to."""

    name: str
    config: Config
    state: State = "pending"
    before: Config | None = None
    commit_by: float | None = None
    timer: asyncio.TimerHandle | None = field(default=None, repr=False)

    def stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.timer = self.commit_by = None


class Sessions:
    """The configuration sessions of one switch, by name."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._named: dict[str, Candidate] = {}
        self._number = 0

    def all(self) -> list[Candidate]:
        return list(self._named.values())

    def enter(self, name: str | None) -> Candidate:
        """The session of this name, new if there is none; None: a new one with a name of its own. Raises Refused."""
        found = self._named.get(name or "")
        if found is not None and found.state != "completed":
            return found
        if sum(each.state == "pending" for each in self._named.values()) >= MAX_PENDING:
            raise Refused("Maximum number of pending sessions has been reached. Please commit or abort one of them.")
        self._number += 1
        candidate = Candidate(name or f"sess-{self._number}", self._target.running.copy())
        self._named[candidate.name] = candidate
        return candidate

    def find(self, name: str) -> Candidate:
        """Raises Refused when there is no such session, or it is over."""
        found = self._named.get(name)
        if found is None or found.state == "completed":
            raise Refused(f"Session {name} does not exist or is completed")
        return found

    def commit(self, candidate: Candidate) -> None:
        """Put it into force for good; one that waits for this is confirmed. Raises Refused."""
        self._check(candidate)
        if candidate.state == "pending":
            self._target.replace(candidate.config)
        candidate.stop_timer()
        self._complete(candidate)

    def commit_for(self, candidate: Candidate, seconds: float) -> None:
        """Put it into force, to be undone after `seconds` unless committed again. Raises Refused."""
        self._check(candidate)
        if candidate.state == "pending":
            candidate.before = self._target.running.copy()
            self._target.replace(candidate.config)
        candidate.stop_timer()
        candidate.state, candidate.commit_by = "pendingCommitTimer", time.time() + seconds
        candidate.timer = asyncio.get_running_loop().call_later(seconds, self.abort, candidate)

    def abort(self, candidate: Candidate) -> None:
        """Drop it; one that is in force but not confirmed is undone."""
        candidate.stop_timer()
        if candidate.before is not None and candidate.state == "pendingCommitTimer":
            self._target.replace(candidate.before)
        if self._named.get(candidate.name) is candidate:
            del self._named[candidate.name]

    def clear(self) -> None:
        for candidate in self._named.values():
            candidate.stop_timer()
        self._named.clear()

    def _check(self, candidate: Candidate) -> None:
        """Only what is still there can be committed, and nothing while another waits to be confirmed."""
        if self._named.get(candidate.name) is not candidate:
            raise Refused(f"Session {candidate.name} does not exist or is completed")
        for other in self._named.values():
            if other is not candidate and other.state == "pendingCommitTimer":
                raise Refused(f"Cannot commit session {candidate.name}: commit timer of {other.name} is running")

    def _complete(self, candidate: Candidate) -> None:
        candidate.state, candidate.before = "completed", None
        done = [each for each in self._named.values() if each.state == "completed" and each is not candidate]
        for old in done[: max(len(done) + 1 - MAX_COMPLETED, 0)]:
            del self._named[old.name]


def seconds_of(text: str) -> int:
    """Read `HH:MM:SS`. Raises Refused; zero is none."""
    try:
        hours, minutes, seconds = (int(part) for part in text.split(":"))
    except ValueError:
        hours = minutes = seconds = 0
    if not (0 <= hours < 100 and 0 <= minutes < 60 and 0 <= seconds < 60 and hours + minutes + seconds):
        raise Refused("Invalid commit timer: expected HH:MM:SS, more than zero")
    return hours * 3600 + minutes * 60 + seconds
