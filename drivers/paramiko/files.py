"""Files to and from the host by SFTP: resumed, checked by digest, under their name only when whole."""

from __future__ import annotations

import hashlib
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import paramiko

from drivers.base import Reply, Report, Sink, Source, Transfer, Verdict
from drivers.errors import CommandRejected
from drivers.paramiko.arguments import FileTransfer, ParamikoQuery
from drivers.paramiko.execution import Remote
from drivers.paramiko.shell import script_line
from drivers.paramiko.window import Reads, Writes

_BLOCK = 262_144
"""Bytes between two looks at the guard."""

_DIGEST_S = 600.0
"""For the host to digest a file."""

_DIGEST = 'head -c "$2" "$1" | sha256sum'


class Files:
    """Transfers over one file channel. Raises CommandRejected for what the host refuses; OSError, EOFError and
    SSHException too, which mean the end of the connection if the channel is closed by then.
    """

    def __init__(self, remote: Remote, transfer: Transfer, report: Report) -> None:
        assert isinstance(transfer.args, ParamikoQuery)
        self._remote = remote
        self._report = report
        self._args = transfer.args
        self._path = transfer.remote_path
        self._overwrite = transfer.overwrite
        self._wishes = transfer.args.file_transfer or FileTransfer(operation="upload", remote_path=transfer.remote_path)

    def upload(self, source: Source) -> None:
        """Write beside the file, compare digests, then rename. The part is named by the content's digest, so that an
        attempt for another content never goes on with it.
        """
        started, clock = datetime.now(UTC), time.perf_counter()
        with self._channel() as sftp:
            before = self._replaced(sftp)
            part = f"{self._path}.{source.sha256[:12]}.part"
            done = self._part_size(sftp, part, source)
            self._write(sftp, part, source, done)
            self._compare(sftp, part, source.size, source.sha256)
            self._into_place(sftp, part, before)
        self._say("upload", source.size, source.sha256, done, started, time.perf_counter() - clock)

    def download(self, sink: Sink) -> None:
        """Append what the sink lacks, if what it has is the beginning of the file as it is now."""
        started, clock = datetime.now(UTC), time.perf_counter()
        with self._channel() as sftp:
            size, changed = self._found(sftp)
            self._keep_beginning(sftp, sink, size)
            done = sink.size
            self._read(sftp, sink, size)
            whole = sink.sha256
            same = sink.size == size and self._found(sftp) == (size, changed)
            if not (same and self._holds(sftp, self._path, size, whole)):
                sink.clear()
                raise CommandRejected("the file changed while it was being read")
        self._say("download", size, whole, done, started, time.perf_counter() - clock)

    # ── upload ──

    def _replaced(self, sftp: paramiko.SFTPClient) -> paramiko.SFTPAttributes | None:
        """The file that will be replaced, None if there is none. Raises CommandRejected if it must not be."""
        try:
            found = sftp.stat(self._path)
        except FileNotFoundError:
            return None
        if not self._overwrite:
            raise CommandRejected("the file is there already, and overwrite is false")
        if found.st_mode is not None and not stat.S_ISREG(found.st_mode):
            raise CommandRejected("what is there under this name is not a file")
        return found

    def _part_size(self, sftp: paramiko.SFTPClient, part: str, source: Source) -> int:
        """Bytes of an earlier attempt that can be kept; drops one that cannot."""
        try:
            size = sftp.stat(part).st_size or 0
        except FileNotFoundError:
            return 0
        if self._wishes.resume and 0 < size <= source.size and self._holds(sftp, part, size, _beginning(source, size)):
            return size
        self._remote.guard()
        sftp.remove(part)
        return 0

    def _write(self, sftp: paramiko.SFTPClient, part: str, source: Source, offset: int) -> None:
        self._remote.guard()
        with _opened(sftp, part, "r+b" if offset else "wb") as file:
            writes = Writes(sftp, file)
            while data := source.read(offset, _BLOCK):
                self._remote.guard()
                writes.write(offset, data)
                offset += len(data)
            writes.finish()

    def _compare(self, sftp: paramiko.SFTPClient, part: str, size: int, wanted: str) -> None:
        if sftp.stat(part).st_size == size and self._holds(sftp, part, size, wanted):
            return
        self._remote.guard()
        sftp.remove(part)
        raise CommandRejected("the host does not hold what was written to it; the part was removed")

    def _into_place(self, sftp: paramiko.SFTPClient, part: str, before: paramiko.SFTPAttributes | None) -> None:
        mode = int(self._wishes.mode, 8) if self._wishes.mode else _mode(before)
        if mode is not None:
            self._remote.guard()
            sftp.chmod(part, mode)
        self._remote.guard()
        if self._overwrite:
            sftp.posix_rename(part, self._path)
        else:
            sftp.rename(part, self._path)  # refuses if the name was taken in the meantime

    # ── download ──

    def _found(self, sftp: paramiko.SFTPClient) -> tuple[int, int | None]:
        found = sftp.stat(self._path)
        if found.st_mode is not None and not stat.S_ISREG(found.st_mode):
            raise CommandRejected("what is there under this name is not a file")
        return found.st_size or 0, found.st_mtime

    def _keep_beginning(self, sftp: paramiko.SFTPClient, sink: Sink, size: int) -> None:
        """Clear the sink unless it holds the file's beginning."""
        possible = self._wishes.resume and 0 < sink.size <= size
        if sink.size and not (possible and self._holds(sftp, self._path, sink.size, sink.sha256)):
            sink.clear()

    def _read(self, sftp: paramiko.SFTPClient, sink: Sink, size: int) -> None:
        with _opened(sftp, self._path, "rb") as file:
            for data in Reads(sftp, file, sink.size, size).pieces():
                sink.append(data)

    # ── both ──

    @contextmanager
    def _channel(self) -> Iterator[paramiko.SFTPClient]:
        """A file channel; what the host refuses on it becomes CommandRejected."""
        sftp = self._remote.sftp(self._args.timeout)
        channel = sftp.get_channel()
        assert channel is not None
        try:
            yield sftp
        except TimeoutError:
            raise
        except OSError as error:
            if channel.closed:
                raise
            raise CommandRejected(_refusal(error)) from error
        finally:
            channel.close()

    def _holds(self, sftp: paramiko.SFTPClient, path: str, size: int, wanted: str) -> bool:
        """Whether the first `size` bytes have the SHA-256 `wanted`: by the host's own word, or by reading them."""
        line = script_line(_DIGEST, (path if path.startswith("/") else f"./{path}", str(size)), self._args, None)
        said = self._remote.run(line, _DIGEST_S).stdout[:64].decode(errors="replace")
        if said == wanted:
            return True
        digest = hashlib.sha256()  # the host has no sha256sum, or commands see other folders than SFTP does
        with _opened(sftp, path, "rb") as file:
            for data in Reads(sftp, file, 0, size).pieces():
                digest.update(data)
        return digest.hexdigest() == wanted

    def _say(self, what: str, size: int, sha256: str, resumed_at: int, started: datetime, took: float) -> None:
        facts = {"size_bytes": size, "sha256": sha256, "resumed_at_bytes": resumed_at}
        self._report(Reply(f"{what} {self._path}", "", Verdict.DONE, started, took, parsed=facts))


@contextmanager
def _opened(sftp: paramiko.SFTPClient, path: str, mode: str) -> Iterator[paramiko.SFTPFile]:
    """A remote file, closed if all went well; else it ends with the channel, for a silent host would not answer."""
    file = sftp.open(path, mode)
    yield file
    file.close()


def _beginning(source: Source, size: int) -> str:
    """SHA-256 of the first `size` bytes."""
    digest, offset = hashlib.sha256(), 0
    while offset < size and (data := source.read(offset, min(_BLOCK, size - offset))):
        digest.update(data)
        offset += len(data)
    return digest.hexdigest()


def _mode(file: paramiko.SFTPAttributes | None) -> int | None:
    return None if file is None or file.st_mode is None else stat.S_IMODE(file.st_mode)


def _refusal(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "the file, or the folder that it should be in, does not exist on the host"
    if isinstance(error, PermissionError):
        return "the host does not let this login read or write there"
    return "the host refused the transfer: perhaps no space is left, or the name is that of a folder"
