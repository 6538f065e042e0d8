"""Loading, comparing, committing, undoing and confirming a change on one NAPALM driver object."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from drivers.base import Change, Reply, Report, Verdict
from drivers.errors import CommandRejected
from drivers.napalm.driver_args import NapalmConfig
from drivers.napalm.failure import fatal, words
from drivers.napalm.platforms import Platform
from drivers.napalm.ways import Way
from drivers.netmiko.transcript import LONGEST_OUTPUT

T = TypeVar("T")

_ROLLBACK = ("rollback",)
"""A change with this as its only line takes back the last commit that NAPALM made."""


@dataclass(frozen=True)
class Steps:
    """A change in steps, each reported under its method's name. What ends a session is raised as the library's own."""

    platform: Platform
    way: Way
    report: Report

    def apply(self) -> str | None:
        """See `drivers.base.ConfigSession.apply_config`."""
        self._refuse_impossible()
        if tuple(self._change.lines) == _ROLLBACK:
            self._step("rollback", self.way.driver.rollback)
            return None
        try:
            self.way.begin()
            difference = self._loaded()
            if self._change.args.dry_run:
                self._step("discard_config", self.way.discard)
            else:
                self._commit()
        except Exception as error:  # any: the candidate must not stay
            self._drop(error)
            raise
        if not self._change.args.dry_run:
            self._clean()
        return difference

    def undo(self) -> None:
        """See `drivers.base.ConfigSession.undo`."""
        self._step("rollback", self.way.undo)

    def keep(self) -> None:
        """See `drivers.base.ConfigSession.keep`."""
        self._try("keep", self.way.keep)

    def confirm(self) -> None:
        """See `drivers.base.ConfigSession.confirm`."""
        self._step("confirm_commit", self.way.confirm)

    @property
    def _change(self) -> Change:
        return self.way.change

    def _refuse_impossible(self) -> None:
        args, name, able = self._change.args, self.platform.name, self.platform.capabilities
        assert isinstance(args, NapalmConfig)
        if args.text and not self.platform.message:
            raise CommandRejected(f"NAPALM's driver for {name} keeps no commit message; nothing was sent")
        wishes = ((args.revert_in, able.revert_in), (args.replace, able.replace), (args.dry_run, able.dry_run))
        if any(wanted and not can for wanted, can in wishes):
            raise CommandRejected(f"NAPALM's driver for {name} cannot make such a change; nothing was sent")
        longest = self.way.longest_revert_s
        if args.revert_in is not None and self.way.rounded(args.revert_in) > longest:
            raise CommandRejected(f"{name} takes a change back after at most {longest} s; nothing was sent")
        if tuple(self._change.lines) == _ROLLBACK and any(wanted for wanted, _ in wishes):
            raise CommandRejected("a rollback is neither tried, nor confirmed, nor a replacement; nothing was sent")

    def _loaded(self) -> str:
        driver, text = self.way.driver, self.way.text()
        kind = "replace" if self._change.args.replace else "merge"
        load = getattr(driver, f"load_{kind}_candidate")
        self._step(f"load_{kind}_candidate", lambda: load(config=text))
        difference: str = self._try("compare_config", driver.compare_config)
        return difference[:LONGEST_OUTPUT]

    def _commit(self) -> None:
        if self._change.undoable:
            self._try("remember", self.way.remember)
        self._step("commit_config", self.way.commit)

    def _clean(self) -> None:
        try:
            self.way.clean()
        except Exception as error:  # a file too many harms nobody
            if cause := fatal(error):
                raise cause from error

    def _drop(self, error: Exception) -> None:
        try:
            usable = isinstance(error, CommandRejected) or fatal(error) is None
            self.way.discard() if usable else self.way.last_word()
        except Exception as failure:  # noqa: BLE001 (`error` is what the job is about)
            error.add_note(f"the candidate was not discarded ({type(failure).__name__})")

    def _step(self, name: str, function: Callable[[], T]) -> T:
        """Run and report one step. Raises CommandRejected for a refusal."""
        return self._try(name, function, report=True)

    def _try(self, name: str, function: Callable[[], T], *, report: bool = False) -> T:
        started, clock = datetime.now(UTC), time.perf_counter()

        def reply(stdout: str, verdict: Verdict) -> None:
            took = time.perf_counter() - clock
            self.report(Reply(name, stdout, verdict, started, took, exit_status=int(verdict is Verdict.REFUSED)))

        try:
            result = function()
        except Exception as error:  # drivers raise whatever an unexpected answer makes them trip over
            if cause := fatal(error):
                raise cause from error
            reply(words(error), Verdict.REFUSED)
            raise CommandRejected(f"{name} was refused") from error
        if report:
            reply(result if isinstance(result, str) else "", Verdict.DONE)
        return result
