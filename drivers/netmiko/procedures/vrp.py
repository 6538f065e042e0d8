"""Huawei VRP 8: one candidate for each session."""

from __future__ import annotations

from drivers.base import Capabilities
from drivers.netmiko.procedures.procedure import Procedure


class VrpProcedure(Procedure):
    """Nothing is in force before the commit."""

    capabilities = Capabilities(dry_run=True)

    def understands(self) -> frozenset[str]:
        return frozenset({"comment"})

    def compare(self) -> str | None:
        return self.entry.ask("display configuration candidate")

    def commit(self) -> None:
        comment = f' comment "{self.args.comment}"' if self.args.comment else ""
        self.entry.step(
            f"commit{comment}",
            "the device refused to commit the change; it was dropped",
            never_shows="Failed to generate committed config",
        )

    def drop(self) -> None:
        self.entry.ask("clear configuration candidate")
