"""A JunOS router's state: the active configuration, the candidate, and all that were active before."""

import time
import zlib
from dataclasses import dataclass, field

from drivers.lab.countdown import MINUTE_MS, Countdown
from drivers.lab.junos.statements import Statements

_FACTORY = """\
set system host-name {name}
set system root-authentication encrypted-password "$6$lab"
set system services ssh
set interfaces fxp0 unit 0 family inet address 192.0.2.{octet}/24
set interfaces ge-0/0/0 description uplink
set interfaces ge-0/0/1
"""
_ROOT = ("system", "root-authentication")
_KEPT = 50


class CommitFailed(Exception):
    """The candidate is no valid configuration; the text is what JunOS says of it."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit: what became active, when and by whom."""

    statements: Statements
    user: str
    comment: str = ""
    at: float = field(default_factory=time.time)


class Router:
    """What all sessions of one device share. `history` is newest first: `rollback N` is its Nth."""

    def __init__(self, name: str) -> None:
        number = zlib.crc32(name.encode())
        self.serial = f"NPL{number % 10**8:08}"
        self.history = [Commit(Statements.parse(_FACTORY.format(name=name, octet=number % 254 + 1)), "root")]
        self.candidate = self.active.copy()
        self.minute_ms = MINUTE_MS
        self.pending: Countdown | None = None
        self.holder: object | None = None  # the session that configures exclusively
        self.booted = time.time()

    @property
    def active(self) -> Statements:
        return self.history[0].statements

    @property
    def hostname(self) -> str:
        return self.active.value("system", "host-name") or "Amnesiac"

    def check(self, candidate: Statements) -> None:
        """Raises CommitFailed."""
        if not any(path[:2] == _ROOT for path in candidate.paths):
            raise CommitFailed(
                "[edit]\n  'system'\n    Missing mandatory statement: 'root-authentication'\n"
                "error: commit failed: (missing mandatory statements)\n"
            )

    def commit(self, candidate: Statements, user: str, *, comment: str = "", minutes: int | None = None) -> None:
        """Make `candidate` active; with `minutes`, only for so long unless it is confirmed. Raises CommitFailed."""
        self.check(candidate)
        self.confirm()
        if candidate != self.active or minutes is not None:
            self._activate(Commit(candidate.copy(), user, comment))
        if minutes is not None:
            self.pending = Countdown(minutes, self.minute_ms, self._unconfirmed)

    def confirm(self) -> None:
        """Whatever waits to be confirmed is."""
        pending, self.pending = self.pending, None
        if pending is not None:
            pending.cancel()

    def _unconfirmed(self) -> None:
        self.pending = None
        self._activate(Commit(self.history[1].statements.copy(), "root", "automatic rollback"))
        self.candidate = self.active.copy()

    def _activate(self, commit: Commit) -> None:
        self.history = [commit, *self.history][:_KEPT]

    def restart(self) -> None:
        """Boot: what was committed stays, if it was confirmed."""
        if self.pending is not None:
            self.confirm()
            self._unconfirmed()
        self.candidate, self.holder, self.booted = self.active.copy(), None, time.time()

    def configs(self) -> dict[str, list[str] | None]:
        lines = self.active.set_lines()
        return {"running": lines, "startup": lines, "candidate": self.candidate.set_lines()}
