"""Cisco IOS and IOS XE: a copy on flash to go back to, and IOS's own timer ("rollback confirmed change")."""

from __future__ import annotations

from drivers.base import Capabilities
from drivers.netmiko.expected import PATTERNS
from drivers.netmiko.procedures.procedure import Procedure, minutes

_NOTHING_PENDING = "No Rollback Confirmed Change pending"
_OVERWRITE = r"over write\? \[confirm\][ ]?\Z"
_NOT_OVERWRITTEN = "Not overwritten"
_LONGEST_MIN = 120


class IosProcedure(Procedure):
    """Lines are in force as they are entered. There is no candidate, so no dry run."""

    capabilities = Capabilities(revert_in=True, rollback=True)

    @property
    def _copy(self) -> str:
        return f"flash:{self.change.name}.cfg"

    def another_waits(self) -> bool:
        """The timer, when it runs out, brings back the whole configuration."""
        said = self.entry.ask("show archive config rollback timer", shows="Timer value", told=False)
        return said is not None

    def prepare(self) -> None:
        if self.args.revert_in and minutes(self.args.revert_in) > _LONGEST_MIN:
            self.refuse(f"the platform reverts a change after {_LONGEST_MIN} minutes at most")
        if self.args.revert_in and self.args.config_mode_command:
            self.refuse("revert_in enters configuration mode in its own way, so that config_mode_command cannot be had")
        if self.change.undoable:
            self._copy_running()

    def _copy_running(self) -> None:
        """A copy that is there already was made by an earlier attempt at this very change, and stays."""
        said = self.entry.ask(
            f"copy running-config {self._copy}",
            shows="bytes copied",
            fine_if=_NOT_OVERWRITTEN,
            answers={PATTERNS["filename"]: "", _OVERWRITE: "n"},
        )
        if said is None:
            self.refuse("the device made no copy of its configuration to go back to")

    def mode(self) -> str | None:
        return f"configure terminal revert timer {minutes(self.args.revert_in)}" if self.args.revert_in else None

    def unentered(self) -> str:
        if self.args.revert_in:
            return "the device did not begin a timed change, which needs `archive` with a `path` in its configuration"
        return super().unentered()

    def back_out(self) -> None:
        if self.args.revert_in:
            self.entry.ask("configure revert now", never_shows=_NOTHING_PENDING)

    def compare_after(self) -> str | None:
        if not self.change.undoable:
            return None
        return self.entry.ask(f"show archive config differences {self._copy} system:running-config")

    def undo(self) -> None:
        if not self._reverted_now():
            self._replace()
        self.forget()

    def _reverted_now(self) -> bool:
        if not self.args.revert_in:
            return False
        return self.entry.ask("configure revert now", never_shows=_NOTHING_PENDING) is not None

    def _replace(self) -> None:
        if not self.change.undoable:
            raise self.nothing_to_undo()
        self.entry.step(
            f"configure replace {self._copy} force",
            "the device did not go back to its configuration before the change",
            shows="Rollback Done",
        )

    def forget(self) -> None:
        if self.change.undoable:
            self.entry.ask(f"delete /force {self._copy}")

    def confirm_timed(self) -> None:
        self.entry.step(
            "configure confirm", "no change waits for a confirmation on this device", never_shows=_NOTHING_PENDING
        )
