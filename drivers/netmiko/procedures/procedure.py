"""How a platform makes a change, and how it goes back."""

from __future__ import annotations

from typing import ClassVar

from drivers.base import Capabilities, Change
from drivers.errors import CommandRejected
from drivers.netmiko.driver_args import NetmikoConfig
from drivers.netmiko.entry import Entry


class Procedure:
    """The steps in their order. A platform fills in those that it has; this class alone knows lines only.

    Each hook may raise CommandRejected.
    """

    capabilities: ClassVar[Capabilities] = Capabilities()
    own_mode: ClassVar[bool] = False
    """It enters a mode of its own, so that a client's `config_mode_command` means another procedure."""

    def __init__(self, entry: Entry, change: Change) -> None:
        assert isinstance(change.args, NetmikoConfig)
        self.touched = False
        """Something of the change may be in force: only then is there anything to undo."""
        self.entry = entry
        self.change = change
        self.args = change.args

    # ── see drivers.base.ConfigSession ──

    def apply(self) -> str | None:
        """Make the change; returns the difference."""
        self._refuse_what_it_cannot()
        if not self.args.dry_run and self.another_waits():
            self.refuse("another change waits for its confirmation on the device")
        self.prepare()
        mode = self.mode() or self.args.config_mode_command
        self.entry.enter(mode, self.change.lines, self.unentered())
        self.touched = True
        try:
            difference = self._fill_and_commit()
        except CommandRejected:
            self.drop()
            self.entry.leave()
            self.back_out()
            raise
        self.entry.leave()
        difference = self.compare_after() if difference is None else difference
        if self.args.save and not (self.args.dry_run or self.change.undoable or self.args.revert_in):
            self.entry.save()
        return difference

    def undo(self) -> None:
        """Go back to where it was before."""
        raise CommandRejected("this platform cannot undo a change")

    def keep(self) -> None:
        """Forget what `undo` would need, and save if that was asked for."""
        self.forget()
        if self.args.save and not self.args.revert_in:
            self.entry.save()

    def confirm(self) -> None:
        """Make a timed change stay, and save if that was asked for."""
        self.confirm_timed()
        if self.args.save:
            self.entry.save()

    # ── hooks ──

    def understands(self) -> frozenset[str]:
        """Of `commit`, `check` and `comment`, what can be asked for."""
        return frozenset()

    def another_waits(self) -> bool:
        """Whether a change waits to be confirmed: its end would take this one back, or this one would confirm it."""
        return False

    def prepare(self) -> None:
        """Before configuration mode: take what `undo` needs, if the change is undoable."""

    def mode(self) -> str | None:
        """The command that enters configuration mode, None for netmiko's."""
        return None

    def unentered(self) -> str:
        """What it means if that fails."""
        return "the device did not enter configuration mode"

    def begin(self) -> None:
        """In configuration mode, before the first line."""

    def compare(self) -> str | None:
        """The difference that the candidate makes, in configuration mode."""
        return None

    def check(self) -> None:
        """Have the candidate checked."""

    def commit(self) -> None:
        """Put the candidate in force."""

    def drop(self) -> None:
        """Drop the candidate, where leaving alone would keep it."""

    def back_out(self) -> None:
        """After a refusal, configuration mode left: let go of what `drop` does not reach."""

    def compare_after(self) -> str | None:
        """The difference that was made, configuration mode left."""
        return None

    def forget(self) -> None:
        """Remove what `prepare` left on the device. That it cannot be removed is reported, and fails nothing."""

    def confirm_timed(self) -> None:
        """Make a timed change stay."""
        raise CommandRejected("nothing waits for a confirmation on this platform")

    def _fill_and_commit(self) -> str | None:
        self.begin()
        self.entry.lines(self.change.lines)
        difference = self.compare()
        if self.args.check:
            self.check()
        if self.args.dry_run or self.args.check:
            self.drop()
        elif self.args.commit:
            self.commit()
        return difference

    def _refuse_what_it_cannot(self) -> None:
        args, can, knows = self.args, self.capabilities, self.understands()
        cannot = {
            "dry_run": args.dry_run and not can.dry_run,
            "revert_in": args.revert_in is not None and not can.revert_in,
            "replace": args.replace and not can.replace,
            "commit": not args.commit and "commit" not in knows,
            "check": args.check and "check" not in knows,
            "comment": args.comment is not None and "comment" not in knows,
        }
        for name in (name for name, wanted in cannot.items() if wanted):
            self.refuse(f"{name} cannot be had on this platform, or not with these arguments")

    def nothing_to_undo(self) -> CommandRejected:
        """Why there is nothing to go back to."""
        if self.args.revert_in:
            return CommandRejected("the change does not wait to be reverted: it was reverted already, or confirmed")
        return CommandRejected("nothing is there to go back to: the change was not made to be undoable")

    def refuse(self, why: str) -> None:
        """Refuse the whole change before its first line."""
        self.entry.skip(self.change.lines)
        raise CommandRejected(f"{why}; no line was sent")


def minutes(seconds: int) -> int:
    """Rounded up."""
    return -(-seconds // 60)
