"""Juniper Junos: one candidate for all, commits that are numbered and carry a comment."""

from __future__ import annotations

import re

from drivers.base import Capabilities
from drivers.errors import CommandRejected
from drivers.netmiko.procedures.procedure import Procedure, minutes

_DROPPED = "the device refused to commit the change; it was dropped"
_LIST = "show system commit"
_WAITS = "rollback in"
_ENTRY = re.compile(r"^(\d+) +\d{4}-", re.MULTILINE)


class JunosProcedure(Procedure):
    """Nothing is in force before the commit. The change's name in the commit's comment is how it is known again."""

    capabilities = Capabilities(dry_run=True, revert_in=True, rollback=True)

    def understands(self) -> frozenset[str]:
        return frozenset({"commit", "check", "comment"})

    def another_waits(self) -> bool:
        """Any commit, and a check too, would confirm the last one, whoever made it."""
        said = self.entry.ask(_LIST, told=False) or ""
        return any(_WAITS in last for last in _ENTRY.split(said, maxsplit=2)[2:3])

    def mode(self) -> str | None:
        """Alone, so that nobody else's changes are committed or dropped; shared only to leave a candidate behind."""
        return self.args.config_mode_command or ("configure exclusive" if self.args.commit else None)

    def compare(self) -> str | None:
        return self.entry.ask("show | compare")

    def check(self) -> None:
        self.entry.step(
            "commit check",
            "the device found fault with the change; it was dropped",
            shows="configuration check succeeds",
        )

    def commit(self) -> None:
        if self.args.revert_in:
            command, shows = f"commit confirmed {minutes(self.args.revert_in)}", "will be automatically rolled back in"
        else:
            command, shows = "commit", "commit complete"
        self.entry.step(command + self._comment(), _DROPPED, shows=shows)

    def _comment(self) -> str:
        name = self.change.name if self.change.undoable or self.args.revert_in else None
        text = " ".join(part for part in (name, self.args.comment) if part)
        return f' comment "{text}"' if text else ""

    def drop(self) -> None:
        self.entry.ask("rollback 0")

    def undo(self) -> None:
        """Back to the commit before; nothing to do if there was no commit, refused if it is not the last."""
        position, _ = self._found()
        if position is None:
            return
        if position > 0:
            raise CommandRejected("another change was committed after this one, which therefore cannot be undone alone")
        self._in_configuration("rollback 1", "commit")

    def confirm_timed(self) -> None:
        position, timed = self._found()
        if position != 0 or not timed:
            raise CommandRejected("no change waits for a confirmation on this device")
        self._in_configuration("commit")

    def _in_configuration(self, *commands: str) -> None:
        self.entry.enter("configure exclusive", (), self.unentered())
        try:
            for command in commands:
                shows = "commit complete" if command == "commit" else ""
                self.entry.step(command, "the device refused the commit", shows=shows)
        except CommandRejected:
            self.drop()
            raise
        finally:
            self.entry.leave()

    def _found(self) -> tuple[int | None, bool]:
        """Where the change stands among the commits, the last being 0, and whether it waits to be confirmed."""
        said = self.entry.step(_LIST, "the device does not list its commits")
        starts = [*_ENTRY.finditer(said)]
        for start, end in zip(starts, [*(match.start() for match in starts[1:]), len(said)], strict=True):
            text = said[start.start() : end]
            if self.change.name in text:
                return int(start.group(1)), _WAITS in text
        return None, False
