"""eAPI servers that behave as no device should, or as only some do."""

import json
import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from drivers.base import Reply
from drivers.errors import AuthenticationFailed, DriverError, SessionLost, Unreachable
from drivers.pyeapi import PyeapiConnection, PyeapiDriver, PyeapiQuery, PyeapiSession

Answers = Callable[[str, dict[str, Any]], bytes]
"""From a request's head and body to the bytes that answer it."""


@dataclass
class Peer:
    """A server of one connection after another. `heads` are those of the requests that came."""

    answers: Answers
    tls: ssl.SSLContext | None = None
    heads: list[str] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    def serve(self, listener: socket.socket) -> None:
        self.port = listener.getsockname()[1]
        while True:
            sock, _ = listener.accept()
            self.connections += 1
            with suppress(OSError, ValueError), self._secured(sock) as client:
                self._serve(client)

    def _secured(self, sock: socket.socket) -> socket.socket:
        return self.tls.wrap_socket(sock, server_side=True) if self.tls else sock

    def _serve(self, client: socket.socket) -> None:
        with client.makefile("rb") as requests:
            while head := self._head(requests):
                self.heads.append(head)
                size = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0] or 0)
                client.sendall(self.answers(head, json.loads(requests.read(size) or b"{}")))
                if "Connection: close" in head:
                    return

    def _head(self, requests: Any) -> str:
        lines = [requests.readline().decode()]
        while lines[-1].strip():
            lines.append(requests.readline().decode())
        return "".join(lines)


def http(body: Any, status: str = "200 OK", *headers: str) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", *headers]
    return "\r\n".join([*head, "", ""]).encode() + content


def well(head: str, request: dict[str, Any]) -> bytes:
    """As a device answers that does nothing."""
    return http({"jsonrpc": "2.0", "id": request["id"], "result": [{} for _ in request["params"]["cmds"]]})


Starter = Callable[..., Peer]


@pytest.fixture
def start() -> Iterator[Starter]:
    """Start peers."""
    listeners: list[socket.socket] = []
    served: list[Future[None]] = []
    with ThreadPoolExecutor() as threads:

        def make(answers: Answers, tls: ssl.SSLContext | None = None) -> Peer:
            listener = socket.create_server(("127.0.0.1", 0))
            listeners.append(listener)
            peer = Peer(answers, tls, port=listener.getsockname()[1])
            served.append(threads.submit(peer.serve, listener))
            return peer

        yield make
        for listener in listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
    for each in served:
        assert isinstance(each.exception(), OSError)  # the end of its listener, and nothing else


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Callable[..., PyeapiSession]]:
    """Make sessions with a peer; http unless told otherwise."""
    made: list[PyeapiSession] = []

    def make(peer: Peer, **changes: Any) -> PyeapiSession:
        fields = {"host": "127.0.0.1", "port": peer.port, "username": "admin", "password": "secret", "timeout": 5}
        plain = {"transport": "http", "host_key_policy": "off"}
        driver = PyeapiDriver([tmp_path])
        target = driver.target(PyeapiConnection.model_validate(fields | plain | changes))
        session = driver.session(target)
        assert isinstance(session, PyeapiSession)
        made.append(session)
        return session

    yield make
    for session in made:
        session.close()


Maker = Callable[..., PyeapiSession]


def run(session: PyeapiSession, *commands: str) -> list[Reply]:
    replies: list[Reply] = []
    session.run_commands(commands, PyeapiQuery(read_timeout=5), replies.append)
    return replies


def test_http_for_those_who_insist(start: Starter, session: Maker) -> None:
    peer = start(well)
    opened = session(peer)
    opened.open()
    run(opened, "show version", "show version")
    assert peer.connections == 1
    assert "Authorization: Basic YWRtaW46c2VjcmV0\r\n" in peer.heads[0]


def test_a_second_answer_is_not_taken_for_the_next_one(start: Starter, session: Maker) -> None:
    def answers(head: str, request: dict[str, Any]) -> bytes:
        results = [{"long": "x" * 20_000} for _ in request["params"]["cmds"]]  # more than is read ahead
        return http({"id": request["id"], "result": results}) * 2

    peer = start(answers)
    opened = session(peer)
    opened.open()
    with pytest.raises(DriverError):
        run(opened, "show version", "show version")


def test_an_answer_to_another_request(start: Starter, session: Maker) -> None:
    peer = start(lambda head, request: well(head, request | {"id": "x"}))
    with pytest.raises(Unreachable, match="does not belong to the request"):
        session(peer).open()


@pytest.mark.parametrize("extra", [-1, 1])
def test_results_that_are_not_as_many_as_the_commands(start: Starter, session: Maker, extra: int) -> None:
    def answers(head: str, request: dict[str, Any]) -> bytes:
        count = len(request["params"]["cmds"]) + (extra if len(request["params"]["cmds"]) > 1 else 0)
        return http({"id": request["id"], "result": [{}] * count})

    opened = session(start(answers))
    opened.open()
    with pytest.raises(DriverError, match="another number of commands"):
        run(opened, "show version")


def test_a_peer_that_closes_after_each_answer(start: Starter, session: Maker) -> None:
    def answers(head: str, request: dict[str, Any]) -> bytes:
        return well(head, request).replace(b"\r\n", b"\r\nConnection: close\r\n", 1)

    peer = start(answers)
    opened = session(peer)
    opened.open()
    assert not opened.alive()  # so that nobody keeps it
    assert len(run(opened, "show version", "show version")) == 2
    assert peer.connections == 3


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("401 Unauthorized", AuthenticationFailed),
        ("403 Forbidden", AuthenticationFailed),
        ("404 Not Found", Unreachable),
        ("502 Bad Gateway", Unreachable),
    ],
)
def test_a_login_without_an_eapi(start: Starter, session: Maker, status: str, error: type[DriverError]) -> None:
    with pytest.raises(error):
        session(start(lambda *_: http(b"<html>", status))).open()


def test_an_eapi_that_fails_behind_its_web_server(start: Starter, session: Maker) -> None:
    def answers(head: str, request: dict[str, Any]) -> bytes:
        return http(b"", "502 Bad Gateway") if len(request["params"]["cmds"]) > 1 else well(head, request)

    opened = session(start(answers))
    opened.open()
    with pytest.raises(SessionLost, match="502"):
        run(opened, "show version")


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\nConnection: close\r\n\r\n",
    ],
)
def test_what_is_no_http(start: Starter, session: Maker, answer: bytes) -> None:
    opened = session(start(lambda *_: answer), timeout=0.4)
    with pytest.raises(Unreachable):
        opened.open()
    assert not opened.alive()


# ── client certificates, cookies ──


@pytest.fixture(scope="module")
def identity() -> tuple[str, ec.EllipticCurvePrivateKey]:
    """A certificate for 127.0.0.1 that vouches for itself, and its key; used by both sides."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "peer")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(hours=1), now + timedelta(hours=1))
    signed = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode(), key


def pem(key: ec.EllipticCurvePrivateKey, password: bytes | None = None) -> str:
    sealed = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed).decode()


@pytest.fixture
def tls(identity: tuple[str, ec.EllipticCurvePrivateKey], tmp_path: Path) -> ssl.SSLContext:
    """A server's TLS; clients must show the same certificate if `verify_mode` says so."""
    (tmp_path / "cert.pem").write_text(identity[0])
    (tmp_path / "key.pem").write_text(pem(identity[1]))
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    made.load_verify_locations(cadata=identity[0])
    return made


@pytest.mark.parametrize("form", ["text", "file"])
def test_a_client_certificate_logs_in(
    start: Starter, session: Maker, tls: ssl.SSLContext, identity: tuple[str, ec.EllipticCurvePrivateKey], form: str
) -> None:
    tls.verify_mode = ssl.CERT_REQUIRED
    peer = start(well, tls)
    texts = {"client_cert": identity[0], "client_key": pem(identity[1])}
    shown = texts if form == "text" else {"cert_file": "cert.pem", "key_file": "key.pem"}
    opened = session(peer, transport="https_certs", password=None, **shown)
    opened.open()
    assert "Authorization" not in peer.heads[0]
    opened.close()
    with pytest.raises(Unreachable):
        session(peer, transport="https").open()


def test_an_encrypted_key_asks_nobody(
    start: Starter, session: Maker, identity: tuple[str, ec.EllipticCurvePrivateKey]
) -> None:
    sealed = session(start(well), transport="https", client_cert=identity[0], client_key=pem(identity[1], b"sesame"))
    with pytest.raises(AuthenticationFailed, match="encrypted"):
        sealed.open()


def test_a_cookie_stands_for_the_password(start: Starter, session: Maker, tls: ssl.SSLContext) -> None:
    issued = 0

    def answers(head: str, request: dict[str, Any]) -> bytes:
        nonlocal issued
        if head.startswith("POST /login"):
            issued += 1
            return http({}, "200 OK", f"Set-Cookie: Session=c{issued}; Path=/; HttpOnly")
        good = f"Cookie: Session=c{issued}\r\n" in head and issued != 1
        return well(head, request) if good else http(b"", "401 Unauthorized")

    peer = start(answers, tls)
    opened = session(peer, transport="https_session")
    opened.open()  # the first cookie is no good, the second is
    run(opened, "show version")
    assert [head.split()[1] for head in peer.heads] == [
        "/login",
        "/command-api",
        "/login",
        "/command-api",
        "/command-api",
    ]
    assert not any("Authorization" in head for head in peer.heads)


def test_a_cookie_that_is_never_good(start: Starter, session: Maker, tls: ssl.SSLContext) -> None:
    def answers(head: str, request: dict[str, Any]) -> bytes:
        login = head.startswith("POST /login")
        return http({}, "200 OK", "Set-Cookie: Session=x") if login else http(b"", "401 Unauthorized")

    peer = start(answers, tls)
    with pytest.raises(AuthenticationFailed):
        session(peer, transport="https_session").open()
    assert len(peer.heads) == 4


@pytest.mark.parametrize("header", ["X: y", "Set-Cookie: =", 'Set-Cookie: a="b\n c"'])
def test_a_login_without_a_cookie(start: Starter, session: Maker, tls: ssl.SSLContext, header: str) -> None:
    with pytest.raises(Unreachable, match="no cookie login"):
        session(start(lambda *_: http({}, "200 OK", header), tls), transport="https_session").open()
