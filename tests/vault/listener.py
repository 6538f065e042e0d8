"""The HTTP server around the stand-in."""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.vault.answers import Answer
from tests.vault.interface import Request

Deed = Callable[[socket.socket], None]
"""What is done to a connection instead of answering a request on it."""


class Listener(ThreadingHTTPServer):
    """Serves on 127.0.0.1 in a thread of its own, from its making to `close`."""

    daemon_threads = False  # so that closing waits for them

    def __init__(
        self, port: int, serve: Callable[[Request], Answer | Deed], tls: ssl.SSLContext | None, failures: list[str]
    ) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.serve = serve
        self._failures = failures
        self._connections: set[socket.socket] = set()
        if tls is not None:  # the handshake is made by the connection's own thread
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        """Hang up on everyone."""
        self.shutdown()
        self._thread.join()
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may go at any time; anything else is a fault of the stand-in's, and fails the test."""
        error = sys.exception()
        if not isinstance(error, OSError):
            self._failures.append(repr(error))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Listener

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else {}
        headers = {name.title(): value for name, value in self.headers.items()}  # whatever their case
        answer = self.server.serve(Request.of(self.command, self.path, headers, body))
        if isinstance(answer, Answer):
            self._say(answer.status, answer.body)
        else:
            self.close_connection = True
            answer(self.connection)

    def _say(self, status: int, body: Mapping[str, Any] | None) -> None:
        content = b"" if body is None else json.dumps(body).encode() + b"\n"
        self.send_response(status)
        self.send_header("Cache-Control", "no-store")
        if content:
            self.send_header("Content-Type", "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = do_LIST = _serve  # noqa: N815 - as the base class calls them

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: tests look at what the client logs."""
