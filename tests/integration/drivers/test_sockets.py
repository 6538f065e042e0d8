"""Connections over loopback that another thread ends at any moment."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from drivers.errors import SessionAborted, Unreachable
from drivers.sockets import TcpLine


@pytest.fixture(params=["127.0.0.1", "::1"])
def black_hole(request: pytest.FixtureRequest) -> Iterator[TcpLine]:
    """An address that does not answer: the listener's queue is full, so the kernel drops what comes after."""
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with socket.socket(family) as listener:
        try:
            listener.bind((request.param, 0))
        except OSError:
            pytest.skip(f"no {request.param} here")
        listener.listen(0)
        queue = [socket.socket(family) for _ in range(4)]
        for waiting in queue:
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield TcpLine(request.param, listener.getsockname()[1])
        for waiting in queue:
            waiting.close()


def test_no_answer_is_told_in_time(black_hole: TcpLine) -> None:
    with pytest.raises(Unreachable, match=r"gave no answer in 0\.2 s"):
        black_hole.connect(0.2)


def test_abort_ends_a_connect_in_progress(black_hole: TcpLine) -> None:
    with ThreadPoolExecutor(1) as threads:
        connecting = threads.submit(black_hole.connect, 60)
        while black_hole._pending is None:
            pass
        began = time.monotonic()
        black_hole.abort()
        with pytest.raises(SessionAborted):
            connecting.result(10)
    assert time.monotonic() - began < 2  # measured: below 1 ms


def test_an_aborted_line_connects_no_more() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        line = TcpLine("127.0.0.1", listener.getsockname()[1])
        line.abort()
        with pytest.raises(SessionAborted):
            line.connect(1)


def test_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unreachable, match=f"^127.0.0.1:{port} refused the connection$"):
        TcpLine("127.0.0.1", port).connect(1)


def test_a_name_that_does_not_resolve() -> None:
    with pytest.raises(Unreachable, match=r"the name nowhere\.invalid (does not resolve|was not resolved in)"):
        TcpLine("nowhere.invalid", 22).connect(5)


def test_a_name_that_resolves() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        line = TcpLine("localhost", listener.getsockname()[1])
        line.connect(5)
        assert line.alive()
        line.close()
        assert not line.alive()


def test_options_and_life() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        line = TcpLine("127.0.0.1", listener.getsockname()[1])
        assert not line.alive()
        sock = line.connect(5)
        accepted, _ = listener.accept()
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
        assert line.alive()
        accepted.close()
        while line.alive():  # until the FIN is here
            pass
        line.close()


def test_abort_ends_a_read() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as threads:
        line = TcpLine("127.0.0.1", listener.getsockname()[1])
        sock = line.connect(60)
        ready = threading.Event()

        def read() -> bytes:
            ready.set()
            return sock.recv(1)

        reading = threads.submit(read)
        ready.wait(5)
        line.abort()
        assert reading.result(10) == b""
        line.close()
