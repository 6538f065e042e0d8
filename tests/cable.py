"""A cable between a client and a server on this machine that a test can pull, pinch and slow down."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain

_RST = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: close() sends RST
_PIECE = 65_536


class Cable:
    """Forwards TCP connections from `port` to a server's port, byte for byte, until told otherwise. Any thread.

    `sent` and `received` count the bytes of all clients and of the server, before they are passed on. Each of the
    limits counts as these do, strikes once, and is then None again.
    """

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self.sent = 0
        self.received = 0
        self.dribbles = False
        """Forward to the client one byte, one packet at a time."""
        self.pull_after: int | None = None
        """Pull the cable when the server has said so many bytes; not one more gets through."""
        self.pull_after_sent: int | None = None
        """Pull it when the clients have said so many bytes, which the server still gets."""
        self.pinch_after: int | None = None
        """Pinch it when the server has said so many bytes; not one more gets through."""
        self.held = threading.Event()
        """Set when something waits for a pinched cable."""
        self._flows = threading.Event()
        self._flows.set()
        self._counting = threading.Lock()
        self._frozen: set[socket.socket] = set()
        self._closed = threading.Event()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def pull(self) -> None:
        """Both ends see a reset. New connections work again."""
        pairs, self._pairs = self._pairs, []  # not those that are laid once a client has noticed
        for sock in chain.from_iterable(pairs):
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
                sock.shutdown(socket.SHUT_RD)  # wakes who reads it, and puts nothing on the wire
            sock.close()

    def pinch(self) -> None:
        """Nothing goes through any more, and nobody is told, not even of an end."""
        self._flows.clear()

    def freeze(self) -> None:
        """Nothing goes through the connections of now any more, and nobody is told. New ones work."""
        self._frozen.update(sock for pair in self._pairs for sock in pair)

    def release(self) -> None:
        """It flows again."""
        self._flows.set()
        self.held.clear()

    def close(self) -> None:
        """Pull it for good."""
        self._closed.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes `accept`
        self._threads[0].join(5)
        self._listener.close()
        self.pull()
        self.release()
        for thread in self._threads:
            thread.join(5)

    def _start(self, function: Callable[..., None], *args: object) -> None:
        self._threads.append(threading.Thread(target=function, args=args, name="cable", daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._server_port), 5)
            except OSError:
                client.close()
                continue
            self._lay(client, server)

    def _lay(self, client: socket.socket, server: socket.socket) -> None:
        server.settimeout(None)
        for sock in (client, server):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connections += 1
        self._pairs.append((client, server))
        self._start(self._forward, server, client, self._pass_back)
        self._start(self._forward, client, server, self._pass_on)

    def _forward(
        self, source: socket.socket, sink: socket.socket, pass_on: Callable[[bytes, socket.socket], None]
    ) -> None:
        with suppress(OSError, ValueError):  # pulled, or closed by either end
            while data := source.recv(_PIECE):
                if source in self._frozen:
                    self._closed.wait()
                    return
                pass_on(data, sink)
        self._wait()
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def _wait(self) -> None:
        if not self._flows.is_set():
            self.held.set()
            self._flows.wait()

    def _pass_on(self, data: bytes, server: socket.socket) -> None:
        self._wait()
        self.sent += len(data)
        last = self.pull_after_sent is not None and self.sent >= self.pull_after_sent
        if last:
            self.pull_after_sent, self.pull_after = None, self.received  # an answer may be there before we are
        server.sendall(data)
        if last:
            self.pull()
            self.pull_after = None

    def _pass_back(self, data: bytes, client: socket.socket) -> None:
        self._wait()
        with self._counting:
            said, self.received = self.received, self.received + len(data)
        if (room := self._room(self.pull_after, said)) < len(data):
            self.pull_after = None
            self._put(data[:room], client)
            self.pull()
        elif (room := self._room(self.pinch_after, said)) < len(data):
            self.pinch_after = None
            self.pinch()
            self._put(data[:room], client)
            self._wait()
            self._put(data[room:], client)
        else:
            self._put(data, client)

    def _room(self, limit: int | None, said: int) -> int:
        return _PIECE if limit is None else max(limit - said, 0)

    def _put(self, data: bytes, client: socket.socket) -> None:
        step = 1 if self.dribbles else _PIECE
        for position in range(0, len(data), step):
            client.sendall(data[position : position + step])


@contextmanager
def cable(server_port: int) -> Iterator[Cable]:
    """A cable to a server's port, closed afterwards."""
    laid = Cable(server_port)
    try:
        yield laid
    finally:
        laid.close()
