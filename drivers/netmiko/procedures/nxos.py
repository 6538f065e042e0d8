"""Cisco NX-OS: a checkpoint to go back to."""

from __future__ import annotations

from drivers.base import Capabilities
from drivers.netmiko.procedures.procedure import Procedure


class NxosProcedure(Procedure):
    """Lines are in force as they are entered. There is no candidate, so no dry run."""

    capabilities = Capabilities(rollback=True)

    def prepare(self) -> None:
        if self.change.undoable and self.entry.ask(f"checkpoint {self.change.name}") is None:
            self.refuse("the device made no checkpoint to go back to")

    def compare_after(self) -> str | None:
        if not self.change.undoable:
            return None
        return self.entry.ask(f"show diff rollback-patch checkpoint {self.change.name} running-config")

    def undo(self) -> None:
        if not self.change.undoable:
            raise self.nothing_to_undo()
        self.entry.step(
            f"rollback running-config checkpoint {self.change.name}",
            "the device did not go back to its checkpoint before the change",
            shows="completed successfully",
        )
        self.forget()

    def forget(self) -> None:
        if self.change.undoable:
            self.entry.ask(f"no checkpoint {self.change.name}")
