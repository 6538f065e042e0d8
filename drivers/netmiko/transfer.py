"""Files to and from a device: by SCP over a connection of their own, checked on the session's command line."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime

from drivers.base import Reply, Report, Sink, Source, Transfer, Verdict
from drivers.errors import CommandRejected
from drivers.netmiko.connection import EventConnection
from drivers.netmiko.driver_args import NetmikoQuery
from drivers.netmiko.files import RemoteFile, can_move_files
from drivers.netmiko.scp import Scp


class Copy:
    """One transfer. `scp` opens a channel for it."""

    def __init__(self, connection: EventConnection, transfer: Transfer, report: Report) -> None:
        assert isinstance(transfer.args, NetmikoQuery)
        if not can_move_files(connection.device_type):
            raise CommandRejected("files cannot be moved on this platform")
        wanted = transfer.args.file_transfer
        self._file = RemoteFile(connection, transfer.remote_path, wanted.file_system if wanted else None)
        self._overwrite = transfer.overwrite
        self._report = report

    def upload(self, source: Source, scp: Callable[[], Scp]) -> None:
        """Bring it, then compare size and digest with what the device says that it has."""
        if not self._overwrite and self._file.exists():
            raise CommandRejected("a file of that name is there already")
        started, clock, digest = datetime.now(UTC), time.perf_counter(), hashlib.md5(usedforsecurity=False)
        scp().upload(self._file.path, source, digest)
        self._compare(source.size, digest.hexdigest())
        self._tell("upload", source.size, digest.hexdigest(), started, clock)

    def download(self, sink: Sink, scp: Callable[[], Scp]) -> None:
        """Fetch it from the beginning, SCP knows no other way, and compare likewise."""
        sink.clear()
        started, clock, digest = datetime.now(UTC), time.perf_counter(), hashlib.md5(usedforsecurity=False)
        size = scp().download(self._file.path, sink, digest)
        self._compare(size, digest.hexdigest())
        self._tell("download", size, digest.hexdigest(), started, clock)

    def _compare(self, size: int, md5: str) -> None:
        if self._file.size() != size or self._file.md5() != md5:
            raise CommandRejected("the file on the device is not the same as the one that was transferred")

    def _tell(self, what: str, size: int, md5: str, started: datetime, clock: float) -> None:
        said = f"{size} bytes, md5 {md5}"
        self._report(Reply(f"{what} {self._file.path}", said, Verdict.DONE, started, time.perf_counter() - clock))
