"""The handle by which tests hold a stand-in of Vault."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from tests.ports import free_port
from tests.vault.answers import Answer
from tests.vault.interface import Interface, Request
from tests.vault.listener import Deed, Listener
from tests.vault.policies import Rules
from tests.vault.tokens import Role

PACE_S = 0.02
"""Between the bytes of an answer that trickles."""


class VaultServer:
    """A Vault with KV version 2 and AppRole mounted, unsealed, on a port of 127.0.0.1. A context manager.

    What it keeps survives `stop` and `start`, as with storage on a disk.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        mount: str = "secret",
        approle_mount: str = "approle",
        namespace: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._interface = Interface(clock, mount=mount, approle_mount=approle_mount, namespace=namespace)
        self._tls = tls
        self._port = free_port()
        self._listener: Listener | None = None
        self._instead: tuple[str, Deed] | None = None
        self._released = threading.Event()
        self._failures: list[str] = []
        self._seen: list[Request] = []

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    @property
    def root_token(self) -> str:
        return self._interface.tokens.root.id

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
        assert not self._failures, f"the stand-in failed: {self._failures}"

    def start(self) -> None:
        """Listen, again on the same port."""
        self._released.clear()
        self._listener = Listener(self._port, self._serve, self._tls, self._failures)

    def stop(self) -> None:
        """Hang up on everyone and refuse connections; nothing if it is stopped already."""
        self._released.set()
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def seal(self) -> None:
        self._interface.sealed = True

    def unseal(self) -> None:
        self._interface.sealed = False

    def add_policy(self, name: str, rules: Rules) -> None:
        """`rules`: capabilities by path, such as {"secret/data/sites/*": ["read"]}."""
        with self._interface.lock:
            self._interface.tokens.policies[name] = rules

    def add_role(
        self, policies: Sequence[str], *, ttl_s: float = 3600, max_ttl_s: float = 0, renewable: bool = True
    ) -> tuple[str, str]:
        """An AppRole's role_id and secret_id. `max_ttl_s` 0: its tokens can be renewed for ever."""
        with self._interface.lock:
            role = Role(policies, ttl_s, max_ttl_s, renewable)
            self._interface.tokens.roles[role.role_id] = role
            return role.role_id, role.secret_id

    def remove_role(self, role_id: str) -> None:
        """It can log in no more; its tokens live on."""
        with self._interface.lock:
            del self._interface.tokens.roles[role_id]

    def issue_token(
        self,
        policies: Sequence[str],
        ttl_s: float = 3600,
        *,
        max_ttl_s: float = 0,
        renewable: bool = True,
        default_policy: bool = True,
    ) -> str:
        """A token with the named policies and, as Vault does, the default one, by which it may look itself up."""
        names = ["default", *policies] if default_policy else policies
        with self._interface.lock:
            return self._interface.tokens.issue(names, ttl_s, max_ttl_s=max_ttl_s, renewable=renewable).id

    def revoke(self, token: str) -> None:
        with self._interface.lock:
            self._interface.tokens.revoke(token)

    def revoke_all(self) -> None:
        """Every token but the root token."""
        with self._interface.lock:
            self._interface.tokens.revoke_all()

    def put(self, path: str, data: Mapping[str, Any]) -> int:
        """Store a new version at the path below the mount, as root; its number."""
        with self._interface.lock:
            body = self._interface.engine.write_data(path, {"data": dict(data)}).body
        assert body is not None
        version: int = body["data"]["version"]
        return version

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """What root is answered, without HTTP; `path` below /v1/."""
        return self._interface.answer(Request.of(method, f"/v1/{path}", self._as_root, body or {}))

    @property
    def _as_root(self) -> Mapping[str, str]:
        return {"X-Vault-Token": self.root_token, "X-Vault-Namespace": self._interface.namespace}

    @property
    def requests(self) -> list[tuple[str, str]]:
        """Method and path below /v1/ of every request that came over HTTP, oldest first."""
        return [(request.method, request.path) for request in self.seen]

    @property
    def seen(self) -> list[Request]:
        """The same, whole."""
        with self._interface.lock:
            return list(self._seen)

    def count(self, method: str, path: str) -> int:
        """How often that was asked for over HTTP."""
        return self.requests.count((method, path))

    def _serve(self, request: Request) -> Answer | Deed:
        with self._interface.lock:
            self._seen.append(request)
            instead = self._instead
        if instead is not None and request.path.startswith(instead[0]):
            return instead[1]
        return self._interface.answer(request)

    @contextmanager
    def instead(self, deed: Deed, below: str = "") -> Iterator[None]:
        """Do `deed` to the connections of requests below a path, rather than answer them."""
        self._instead = (below, deed)
        try:
            yield
        finally:
            self._instead = None
            self._released.set()
            self._released = threading.Event()

    @contextmanager
    def stall(self, below: str = "") -> Iterator[None]:
        """Answer nothing; the connections stay open until the block ends, and then close."""
        released = self._released
        with self.instead(lambda _: _wait(released), below):
            yield

    @contextmanager
    def trickle(self, start: bytes, below: str = "") -> Iterator[None]:
        """Send `start`, then a byte now and then, without end, until the client hangs up or the block ends."""
        released = self._released
        with self.instead(lambda connection: _trickle(connection, start, released), below):
            yield

    @contextmanager
    def say(self, status: int, body: bytes, below: str = "", **headers: str) -> Iterator[None]:
        """Answer just that."""
        names = {"Content-Length": str(len(body)), "Connection": "close"}
        names |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in names.items())
        said = f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode() + body
        with self.instead(lambda connection: connection.sendall(said), below):
            yield


def _wait(released: threading.Event) -> None:
    released.wait()


def _trickle(connection: socket.socket, start: bytes, released: threading.Event) -> None:
    connection.sendall(start)
    while not released.wait(PACE_S):
        connection.sendall(b" ")
