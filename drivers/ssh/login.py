"""An SSH login on a connected socket, without a shell: what every command, file and jump goes through."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import paramiko
from paramiko.ssh_exception import AuthenticationException, BadAuthenticationType, IncompatiblePeer, SSHException

from drivers.base import Trust
from drivers.errors import AuthenticationFailed, DriverError, HostKeyMismatch, Unreachable
from drivers.ssh.fields import Algorithms
from drivers.ssh.host_keys import check, prefer_known

_IDLE_POLL_S = 10.0
"""How often paramiko's thread wakes up without data; its own 0.1 s costs a quarter of a core at 1,000 sessions."""

_CLOSED = "{} closed the connection during the login, or fell silent"


@dataclass(frozen=True)
class Login:
    """Whom to be on which server, and how long each phase may take, in seconds."""

    where: str
    """`drivers.base.device_key` of the server."""
    username: str
    password: str | None = field(default=None, repr=False)
    pkey: paramiko.PKey | None = field(default=None, repr=False)
    banner_timeout: float = 10
    """For the banner and the key exchange, each."""
    auth_timeout: float = 10
    compress: bool = False
    disabled_algorithms: Mapping[Algorithms, Sequence[str]] | None = None


def transport_on(sock: socket.socket | paramiko.Channel, login: Login, trust: Trust) -> paramiko.Transport:
    """Exchange keys, ask `trust`, log in. The socket is the caller's to close, after the transport.

    Raises Unreachable, HostKeyMismatch, AuthenticationFailed.
    """
    transport = _prepared(sock, login, trust)
    try:
        transport.start_client(timeout=2 * login.banner_timeout)
        check(trust, login.where, transport.get_remote_server_key())
        _authenticate(transport, login)
    except BaseException as error:
        end(transport)
        if isinstance(error, (SSHException, OSError, EOFError, ValueError)):
            raise _failure(error, login.where) from error
        raise
    sock.settimeout(_IDLE_POLL_S)
    return transport


def end(transport: paramiko.Transport) -> None:
    """Close it. The clock of a key exchange that was cut short, a thread of paramiko's, would run on to its end."""
    transport.close()
    transport.packetizer.complete_handshake()  # private; a test holds it


def _prepared(sock: socket.socket | paramiko.Channel, login: Login, trust: Trust) -> paramiko.Transport:
    disabled: dict[str, Sequence[str]] = {
        kind: list(names) for kind, names in (login.disabled_algorithms or {}).items()
    }
    transport = paramiko.Transport(sock, disabled_algorithms=disabled)
    transport.banner_timeout = transport.handshake_timeout = login.banner_timeout
    transport.auth_timeout = transport.channel_timeout = login.auth_timeout
    transport.use_compression(login.compress)
    prefer_known(transport, trust.known(login.where))
    return transport


def _authenticate(transport: paramiko.Transport, login: Login) -> None:
    """By key where there is one, then by password, which may also be the second of two factors."""
    refusal: AuthenticationException | None = None
    if login.pkey is not None:
        try:
            transport.auth_publickey(login.username, login.pkey)
        except AuthenticationException as error:
            if login.password is None or not transport.is_active():
                raise
            refusal = error
    if not transport.is_authenticated():
        try:
            transport.auth_password(login.username, login.password or "")
        except BadAuthenticationType as error:
            raise refusal or error from error
    if not transport.is_authenticated():
        raise AuthenticationFailed(f"{login.where} asks for another proof of identity than this login has")


def _failure(error: Exception, where: str) -> DriverError:
    if isinstance(error, paramiko.BadHostKeyException):
        return HostKeyMismatch(f"{where} presented another host key than the one on record")
    if isinstance(error, AuthenticationException):
        ended = "EOF" in str(error) or "timeout" in str(error).lower() or isinstance(error.__context__, EOFError)
        if ended:  # paramiko has one class for a refusal and for a connection that ended before one
            return Unreachable(_CLOSED.format(where))
        return AuthenticationFailed(f"{where} refused the login")
    if isinstance(error, IncompatiblePeer):
        return Unreachable(f"{where} and this client have no SSH algorithm in common")
    if isinstance(error, SSHException) and "banner" in str(error):
        return Unreachable(f"{where} accepted the connection but sent no SSH banner")
    return Unreachable(_CLOSED.format(where))
