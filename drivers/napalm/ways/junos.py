"""Junos, which numbers its commits, and keeps a comment with each."""

from __future__ import annotations

from drivers.napalm.driver_args import NapalmConfig
from drivers.napalm.ways.way import Way


class JunosWay(Way):
    """The commit's comment holds the change's name; one with a timer has the device's own comment instead."""

    longest_revert_s = 86_400

    def commit(self) -> None:
        args = self.change.args
        assert isinstance(args, NapalmConfig)
        if args.revert_in is not None:
            self.driver.commit_config(revert_in=self.rounded(args.revert_in))
        else:
            self.driver.commit_config(message=f"{self.change.name} {args.text}".strip())

    def undo(self) -> None:
        history = self.driver.device.rpc.get_commit_information()
        last = history.findtext("./commit-history/log") or ""
        waits = self.change.args.revert_in is not None and self.driver.has_pending_commit()
        if waits or self.change.name in last:
            self.driver.rollback()
