"""Files to and from a real sshd by SFTP: broken off and resumed, checked, atomic."""

import hashlib
import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from drivers.base import Reply, Transfer, Verdict
from drivers.errors import CommandRejected, LeaseLost, ReplyTimeout, SessionAborted, SessionLost, TooLarge
from drivers.paramiko import FileTransfer, ParamikoConnection, ParamikoDriver, ParamikoQuery, ParamikoSession
from drivers.paramiko.window import PIECE
from tests.sshd import Sshd, sshd, user

SIZE = 64_000_000
FLAT = 24_000_000
"""Bytes by which the process may grow while it moves SIZE: 2 MB are under way in each direction."""


class Content:
    """A `Source` on disk. `at` is called with each offset that is read from."""

    def __init__(self, file: Path, at: Callable[[int], None] = lambda offset: None) -> None:
        self._file = file
        self._at = at
        self.size = file.stat().st_size
        with file.open("rb") as content:
            self.sha256 = hashlib.file_digest(content, "sha256").hexdigest()

    def read(self, offset: int, size: int) -> bytes:
        self._at(offset)
        with self._file.open("rb") as content:
            return os.pread(content.fileno(), size, offset)


class Kept:
    """A `Sink` on disk that knows its digest. `at` is called with its size before each append."""

    def __init__(self, file: Path, at: Callable[[int], None] = lambda size: None) -> None:
        self.file = file
        self.at = at
        self.cleared = 0
        self._digest = hashlib.sha256()
        self.size = 0
        file.touch()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def append(self, data: bytes) -> None:
        self.at(self.size)
        with self.file.open("ab") as kept:
            kept.write(data)
        self._digest.update(data)
        self.size += len(data)

    def clear(self) -> None:
        self.file.write_bytes(b"")
        self._digest, self.size = hashlib.sha256(), 0
        self.cleared += 1


class Cable:
    """A forwarded port that can be cut."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._ends: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def cut(self) -> None:
        """End the connections that pass through; the next ones do again."""
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.cut()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for end in (self._listener, *self._ends):
            end.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                here = self._listener.accept()[0]
                there = socket.create_connection(("127.0.0.1", self._to))
                self._ends += [here, there]
                for pair in ((here, there), (there, here)):
                    self._threads.append(threading.Thread(target=_pass_on, args=pair))
                    self._threads[-1].start()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(262_144):
            sink.sendall(data)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture
def cable(server: Sshd) -> Iterator[Cable]:
    with closing(Cable(server.port)) as cable:
        yield cable


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("large") / "image.bin"
    with file.open("wb") as content:
        for _ in range(SIZE // 1_000_000):
            content.write(os.urandom(1_000_000))
    return file


@contextmanager
def logged_in(server: Sshd, port: int | None = None) -> Iterator[ParamikoSession]:
    fields = {"host": "127.0.0.1", "port": port or server.port, "username": user(), "pkey": server.key.read_text()}
    driver = ParamikoDriver()
    session = driver.session(driver.target(ParamikoConnection.model_validate(fields)))
    assert isinstance(session, ParamikoSession)
    session.open()
    with closing(session):
        yield session


def transfer(operation: str, path: Path, **wishes: Any) -> Transfer:
    overwrite = wishes.pop("overwrite", True)
    wish = FileTransfer.model_validate({"operation": operation, "remote_path": str(path)} | wishes)
    return Transfer(str(path), ParamikoQuery(file_transfer=wish), overwrite)


def upload(server: Sshd, source: Content, to: Path, *, port: int | None = None, **wishes: Any) -> Reply:
    replies: list[Reply] = []
    with logged_in(server, port) as session:
        session.upload(transfer("upload", to, **wishes), source, replies.append)
    (reply,) = replies
    return reply


def download(server: Sshd, sink: Any, path: Path, *, port: int | None = None, **wishes: Any) -> Reply:
    replies: list[Reply] = []
    with logged_in(server, port) as session:
        session.download(transfer("download", path, **wishes), sink, replies.append)
    (reply,) = replies
    return reply


class Growth:
    """How far the process grew while it was watched, bytes."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._before = self._process.memory_info().rss
        self.most = 0

    def look(self) -> None:
        self.most = max(self.most, self._process.memory_info().rss - self._before)


class Cuts:
    """Cuts a cable once at each of these offsets."""

    def __init__(self, cable: Cable, *offsets: int) -> None:
        self._cable = cable
        self._offsets = list(offsets)
        self.growth = Growth()

    def __call__(self, offset: int) -> None:
        self.growth.look()
        if self._offsets and offset >= self._offsets[0]:
            self._offsets.pop(0)
            self._cable.cut()


def test_an_upload_cut_off_twice_goes_on(server: Sshd, cable: Cable, large: Path, tmp_path: Path) -> None:
    target = tmp_path / "image.bin"
    cuts = Cuts(cable, 20_000_000, 45_000_000)
    source = Content(large)
    source._at = cuts
    kept = [0]
    for _ in range(2):
        with pytest.raises(SessionLost):
            upload(server, source, target, port=cable.port)
        server.wait_idle()  # it still writes what it had read
        assert not target.exists()
        (part,) = tmp_path.iterdir()
        kept.append(part.stat().st_size)
    reply = upload(server, source, target, port=cable.port)
    assert 0 < kept[1] < kept[2] < SIZE
    assert reply.verdict is Verdict.DONE
    assert reply.parsed == {"size_bytes": SIZE, "sha256": source.sha256, "resumed_at_bytes": kept[2]}
    assert [file.name for file in tmp_path.iterdir()] == ["image.bin"]
    assert Content(target).sha256 == source.sha256
    assert cuts.growth.most < FLAT


def test_a_download_cut_off_twice_goes_on(server: Sshd, cable: Cable, large: Path, tmp_path: Path) -> None:
    cuts = Cuts(cable, 20_000_000, 45_000_000)
    sink = Kept(tmp_path / "kept", cuts)
    kept = [0]
    for _ in range(2):
        with pytest.raises(SessionLost):
            download(server, sink, large, port=cable.port)
        kept.append(sink.size)
    reply = download(server, sink, large, port=cable.port)
    assert 0 < kept[1] < kept[2] < SIZE
    assert reply.parsed == {"size_bytes": SIZE, "sha256": Content(large).sha256, "resumed_at_bytes": kept[2]}
    assert Content(sink.file).sha256 == Content(large).sha256
    assert sink.cleared == 0
    assert cuts.growth.most < FLAT


def test_without_sha256sum_the_file_is_read_back(server: Sshd, tmp_path: Path) -> None:
    source = Content(written(tmp_path / "source", 3 * PIECE + 5))
    missing = server.folder / "bin" / "sha256sum"
    missing.write_text("#!/bin/sh\nexit 127\n")
    missing.chmod(0o755)
    try:
        upload(server, source, tmp_path / "target")
        sink = Kept(tmp_path / "kept")
        download(server, sink, tmp_path / "target")
    finally:
        missing.unlink()
    assert sink.sha256 == source.sha256 == Content(tmp_path / "target").sha256


def test_a_login_that_is_for_files_only(server: Sshd, tmp_path: Path) -> None:
    source = Content(written(tmp_path / "source", 3 * PIECE + 5))
    with sshd(tmp_path / "sshd", extra="ForceCommand internal-sftp\n") as only:
        upload(only, source, tmp_path / "target")
        sink = Kept(tmp_path / "kept")
        download(only, sink, tmp_path / "target")
    assert sink.sha256 == source.sha256 == Content(tmp_path / "target").sha256


@pytest.mark.parametrize("instead", ["/bin/false", "echo noise"])
def test_a_login_without_files(server: Sshd, tmp_path: Path, instead: str) -> None:
    source = Content(written(tmp_path / "source", 5))
    with sshd(tmp_path / "sshd", extra=f"ForceCommand {instead}\n") as none, logged_in(none) as session:
        with pytest.raises(CommandRejected, match="no file transfer"):
            session.upload(transfer("upload", tmp_path / "target"), source, never)
        assert session.alive()


@pytest.mark.parametrize("size", [0, 1, PIECE, PIECE + 1])
def test_sizes_at_the_edges(server: Sshd, tmp_path: Path, size: int) -> None:
    source = Content(written(tmp_path / "source", size))
    upload(server, source, tmp_path / "target")
    sink = Kept(tmp_path / "kept")
    download(server, sink, tmp_path / "target")
    assert sink.sha256 == source.sha256 == Content(tmp_path / "target").sha256


def test_a_part_that_differs_is_not_gone_on_with(server: Sshd, tmp_path: Path) -> None:
    source = Content(written(tmp_path / "source", 100_000))
    part = tmp_path / f"target.{source.sha256[:12]}.part"
    part.write_bytes(b"other" * 1000)
    reply = upload(server, source, tmp_path / "target")
    assert reply.parsed["resumed_at_bytes"] == 0
    assert Content(tmp_path / "target").sha256 == source.sha256


def test_a_part_is_left_aside_if_the_client_says_so(server: Sshd, tmp_path: Path) -> None:
    source = Content(written(tmp_path / "source", 100_000))
    begun = (tmp_path / "source").read_bytes()[:50_000]
    part = tmp_path / f"target.{source.sha256[:12]}.part"
    part.write_bytes(begun)
    assert upload(server, source, tmp_path / "target", resume=False).parsed["resumed_at_bytes"] == 0
    part.write_bytes(begun)
    assert upload(server, source, tmp_path / "target").parsed["resumed_at_bytes"] == 50_000


def test_a_download_begins_anew_when_the_file_changed(server: Sshd, tmp_path: Path) -> None:
    sink = Kept(tmp_path / "kept")
    sink.append(b"of another file")
    remote = written(tmp_path / "remote", 100_000)
    assert download(server, sink, remote).parsed["resumed_at_bytes"] == 0
    assert sink.cleared == 1
    assert sink.file.read_bytes() == remote.read_bytes()


def test_a_file_that_changes_while_it_is_read_is_refused(server: Sshd, tmp_path: Path) -> None:
    remote = written(tmp_path / "remote", 10 * PIECE)

    def grow(size: int) -> None:
        with remote.open("ab") as file:
            file.write(b"more")

    sink = Kept(tmp_path / "kept", grow)
    with pytest.raises(CommandRejected, match="changed"):
        download(server, sink, remote)
    assert sink.size == 0


def test_a_file_that_is_there_stays_unless_it_may_go(server: Sshd, tmp_path: Path) -> None:
    source = Content(written(tmp_path / "source", 1000))
    target = tmp_path / "target"
    target.write_text("old")
    with pytest.raises(CommandRejected, match="there already"):
        upload(server, source, target, overwrite=False)
    assert target.read_text() == "old"
    assert upload(server, source, tmp_path / "new", overwrite=False).verdict is Verdict.DONE


def test_a_name_taken_during_the_upload_is_not_replaced(server: Sshd, tmp_path: Path) -> None:
    target = tmp_path / "target"
    source = Content(written(tmp_path / "source", 1000), lambda offset: void(target.write_text("other")))
    with pytest.raises(CommandRejected):
        upload(server, source, target, overwrite=False)
    assert target.read_text() == "other"


def test_permissions(server: Sshd, tmp_path: Path) -> None:
    source = Content(written(tmp_path / "source", 1000))
    target = tmp_path / "target"
    upload(server, source, target, mode="0640")
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    upload(server, source, target)  # those of the file that it replaces
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_what_the_host_refuses_leaves_the_session_usable(server: Sshd, tmp_path: Path) -> None:
    source = Content(written(tmp_path / "source", 1000))
    (tmp_path / "folder").mkdir()
    with logged_in(server) as session:
        for path in (tmp_path / "no" / "target", tmp_path / "folder"):
            with pytest.raises(CommandRejected):
                session.upload(transfer("upload", path), source, never)
            with pytest.raises(CommandRejected):
                session.download(transfer("download", path), Kept(tmp_path / "kept"), never)
        assert session.alive()
        session.run_commands(["true"], ParamikoQuery(), lambda reply: None)


@pytest.mark.parametrize("failure", [LeaseLost, TooLarge])
def test_what_the_store_raises_ends_the_transfer(server: Sshd, tmp_path: Path, failure: type[Exception]) -> None:
    remote = written(tmp_path / "remote", 100 * PIECE)

    def fail(size: int) -> None:
        if size > 50 * PIECE:
            raise failure("enough")

    with pytest.raises(failure):
        download(server, Kept(tmp_path / "kept", fail), remote)
    with pytest.raises(failure):
        upload(server, Content(remote, fail), tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_abort_ends_a_transfer_and_the_part_stays(server: Sshd, tmp_path: Path) -> None:
    source = Content(written(tmp_path / "source", 200 * PIECE))
    with logged_in(server) as session:
        source._at = lambda offset: session.abort() if offset > 100 * PIECE else None
        with pytest.raises(SessionAborted):
            session.upload(transfer("upload", tmp_path / "target"), source, never)
    assert [file.name for file in tmp_path.glob("target*")] == [f"target.{source.sha256[:12]}.part"]


def test_a_host_that_stands_still_is_given_up(server: Sshd, tmp_path: Path) -> None:
    source = Content(written(tmp_path / "source", 200 * PIECE))
    wish = FileTransfer(operation="upload", remote_path=str(tmp_path / "target"))
    asked = Transfer(wish.remote_path, ParamikoQuery(file_transfer=wish, timeout=0.5))
    with ExitStack() as standing, logged_in(server) as session:
        frozen = standing.enter_context
        source._at = lambda offset: void(frozen(server.frozen())) if offset == 2 * PIECE * 8 else None
        with pytest.raises(ReplyTimeout):
            session.upload(asked, source, never)


def test_no_write_without_the_lease(server: Sshd, tmp_path: Path) -> None:
    source = Content(written(tmp_path / "source", 1000))

    def guard() -> None:
        raise LeaseLost("gone")

    with logged_in(server) as session:
        session.guard = guard
        with pytest.raises(LeaseLost):
            session.upload(transfer("upload", tmp_path / "target"), source, never)
    assert not list(tmp_path.glob("target*"))


def written(file: Path, size: int) -> Path:
    file.write_bytes(os.urandom(size))
    return file


def never(reply: Reply) -> None:
    raise AssertionError("a transfer that failed reports nothing")


def void(_: object) -> None:
    """What a callback returns."""
