"""Platforms that copy the running configuration to a file, and put one in its place."""

from __future__ import annotations

from drivers.napalm.ways.way import Nothing, Way

_LAST_WORD_S = 2.0
"""How long a device may take to drop what was left prepared by a call that broke off."""


class FileWay(Way):
    """Platforms that copy the running configuration to a file and put one in its place: IOS, NX-OS, EOS."""

    def file(self) -> str:
        """The name of the file that holds what was there before `change`."""
        return f"{self.change.name}.cfg"

    def undo(self) -> None:
        """See `Way.undo`."""
        if self.change.args.revert_in is not None and self.waits():
            self.revert()
        elif self.has():
            self.restore()
        self.keep()

    def keep(self) -> None:
        """See `Way.keep`."""
        if self.has():
            self.delete()

    def waits(self) -> bool:
        """Whether `change` waits for its confirmation."""
        return False

    def revert(self) -> None:
        """Undo it while it waits."""
        self.driver.rollback()

    def has(self) -> bool:
        """Whether the file is there: without one nothing came into force."""
        raise NotImplementedError

    def restore(self) -> None:
        """Put the file's content in force."""
        raise NotImplementedError

    def delete(self) -> None:
        """Delete the file."""
        raise NotImplementedError


class IosWay(FileWay):
    """`driver` is a `drivers.napalm.ios.HeldIos`."""

    longest_revert_s = 7200  # "configure terminal revert timer" counts to 120 minutes

    def text(self) -> str:
        """With `end`, without which IOS cannot always tell the difference ("error 5", says NAPALM)."""
        lines = [line for line in self.change.lines if line.strip() != "end"]
        return "\n".join([*lines, "end"]) + "\n"

    def begin(self) -> None:
        self.driver.candidate_cfg = self.driver.merge_cfg = f"{self.change.name}.new"

    def remember(self) -> None:
        self.driver.copy_running(self.file())

    def clean(self) -> None:
        self.driver.discard_config()

    def waits(self) -> bool:
        return bool(self.driver.has_pending_commit())

    def has(self) -> bool:
        return self.driver.has_file(self.file())  # type: ignore[no-any-return]

    def restore(self) -> None:
        self.driver.rollback_cfg = self.file()
        self.driver.rollback()

    def delete(self) -> None:
        self.driver.delete_file(self.file())


class EosWay(FileWay):
    """`driver` is a `drivers.napalm.eos.HeldEos`. Its configuration session has the change's name."""

    counts_in_s = 1
    longest_revert_s = 86_399  # NAPALM writes the time of day

    def begin(self) -> None:
        self.driver.config_session = self.change.name

    def remember(self) -> None:
        self._run(f"copy running-config flash:{self.file()}")

    def commit(self) -> None:
        super().commit()
        self.driver.config_session = None  # or `discard_config` would take a change back that waits

    def last_word(self) -> None:
        self.driver.device.connection.timeout_s = _LAST_WORD_S
        self.driver.discard_config()

    def waits(self) -> bool:
        return self.change.name in self.driver._get_pending_commits()

    def revert(self) -> None:
        self._run(f"configure session {self.change.name} abort")

    def has(self) -> bool:
        listed = self.driver._run_commands(["dir flash:"], encoding="text")[0]["output"]
        return self.file() in listed.split()

    def restore(self) -> None:
        self._run(f"configure replace flash:{self.file()}")
        self._run("write memory")

    def delete(self) -> None:
        self._run(f"delete flash:{self.file()}")

    def confirm(self) -> None:
        if not self.waits():
            raise Nothing("no change of that job waits for a confirmation on the device")
        self._run(f"configure session {self.change.name} commit")
        self._run("write memory")

    def _run(self, command: str) -> None:
        self.driver._run_commands([command], encoding="text")


class NxosWay(FileWay):
    """NX-API, and NX-OS on a command line."""

    def begin(self) -> None:
        self.driver.candidate_cfg = f"{self.change.name}.new"

    def remember(self) -> None:
        self.driver._save_to_checkpoint(self.file())

    def has(self) -> bool:
        return self.driver._check_file_exists(self.file())  # type: ignore[no-any-return]

    def restore(self) -> None:
        self.driver.rollback_cfg = self.file()
        self.driver.rollback()

    def delete(self) -> None:
        self.driver._delete_file(self.file())
