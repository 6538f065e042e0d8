"""How a NAPALM driver is made to change by a name of ours."""

from __future__ import annotations

from typing import Any, ClassVar

from drivers.base import Change
from drivers.napalm.driver_args import NapalmConfig


class Nothing(Exception):
    """There is nothing to confirm, or nothing by which to undo; the text says what."""


class Way:
    """One driver object, used for one change. What the device refuses is raised as the library does."""

    counts_in_s: ClassVar[int] = 60
    longest_revert_s: ClassVar[int] = 0

    def __init__(self, driver: Any, change: Change) -> None:
        self.driver = driver
        self.change = change

    def rounded(self, revert_in: int) -> int:
        """Seconds, in what the platform counts in."""
        return -(-revert_in // self.counts_in_s) * self.counts_in_s

    def text(self) -> str:
        """What is loaded."""
        return "\n".join(self.change.lines) + "\n"

    def begin(self) -> None:
        """Give the candidate the change's name, where it has one."""

    def remember(self) -> None:
        """Keep what `undo` needs, before the commit."""

    def commit(self) -> None:
        """Put the candidate into force."""
        args = self.change.args
        assert isinstance(args, NapalmConfig)
        given: dict[str, Any] = {"message": args.text} if args.text else {}
        if args.revert_in is not None:
            given["revert_in"] = self.rounded(args.revert_in)
        self.driver.commit_config(**given)

    def discard(self) -> None:
        """Drop the candidate."""
        self.driver.discard_config()

    def last_word(self) -> None:
        """Drop the candidate after the session broke off, where that can still be done."""

    def clean(self) -> None:
        """Remove what a commit leaves behind of the candidate."""

    def undo(self) -> None:
        """Go back to before `change`; nothing if it never came into force. Raises Nothing."""
        raise Nothing("the platform cannot tell this change from others")

    def keep(self) -> None:
        """Drop what `undo` would have needed."""

    def confirm(self) -> None:
        """Raises Nothing."""
        if not self.driver.has_pending_commit():
            raise Nothing("no change waits for a confirmation on the device")
        self.driver.confirm_commit()
