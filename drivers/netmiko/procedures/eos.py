"""Arista EOS: a configuration session of the change's own name, and a copy on flash to go back to.

No checkpoint: EOS documents no command that removes one.
"""

from __future__ import annotations

from drivers.base import Capabilities
from drivers.errors import CommandRejected
from drivers.netmiko.procedures.procedure import Procedure

_DAY_S = 86_400
_TIMED = "pendingCommitTimer"
_LIST = "show configuration sessions"
_COPIED = "Copy completed successfully"


class EosProcedure(Procedure):
    """Nothing is in force before the session is committed."""

    capabilities = Capabilities(dry_run=True, revert_in=True, rollback=True, replace=True)
    own_mode = True

    @property
    def _session(self) -> str:
        return f"configure session {self.change.name}"

    @property
    def _copy(self) -> str:
        return f"flash:{self.change.name}.cfg"

    def understands(self) -> frozenset[str]:
        return frozenset({"commit"})

    def another_waits(self) -> bool:
        return _TIMED in (self.entry.ask(_LIST, told=False) or "")

    def prepare(self) -> None:
        if self.change.undoable and self.entry.ask(f"copy running-config {self._copy}", shows=_COPIED) is None:
            self.refuse("the device made no copy of its configuration to go back to")

    def mode(self) -> str | None:
        return self._session

    def unentered(self) -> str:
        return "the device did not open a configuration session"

    def begin(self) -> None:
        if self.args.replace:
            self.entry.step("rollback clean-config", "the device did not empty the candidate")

    def compare(self) -> str | None:
        return self.entry.ask("show session-config diffs")

    def commit(self) -> None:
        timer = f" timer {_clock(self.args.revert_in)}" if self.args.revert_in else ""
        self.entry.step(f"commit{timer}", "the device refused to commit the change; it was dropped")

    def drop(self) -> None:
        self.touched = self.entry.ask("abort") is None

    def undo(self) -> None:
        """Also drops a session that was left uncommitted, by a job that was cut off."""
        state = self._state()
        if state is not None:
            self.entry.step(f"{self._session} abort", "the device did not drop the configuration session")
        elif not self.change.undoable:
            raise self.nothing_to_undo()
        if self.change.undoable and state != _TIMED:
            self.entry.step(
                f"configure replace {self._copy}",
                "the device did not go back to its configuration before the change",
            )
        self.forget()

    def forget(self) -> None:
        if self.change.undoable:
            self.entry.ask(f"delete {self._copy}")

    def confirm_timed(self) -> None:
        if self._state() != _TIMED:
            raise CommandRejected("no change waits for a confirmation on this device")
        self.entry.step(f"{self._session} commit", "the device refused the confirmation")

    def _state(self) -> str | None:
        """Of this change's session: None if it is over, or never was."""
        for line in (self.entry.ask(_LIST) or "").splitlines():
            name, _, rest = line.strip(" *").partition(" ")
            if name == self.change.name:
                state = rest.split()[:1]
                return state[0] if state and state[0].startswith("pending") else None
        return None


def _clock(seconds: int) -> str:
    seconds = min(seconds, _DAY_S - 1)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
