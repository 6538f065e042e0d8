"""What a login needs: netmiko's parameters, a private key, a limit on its time; and SSH's own sign of life."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Callable
from typing import Any

import paramiko
from paramiko.message import Message
from paramiko.ssh_exception import PasswordRequiredException, SSHException
from pydantic import SecretStr

from drivers.errors import AuthenticationFailed
from drivers.netmiko.arguments import NetmikoConnection

_GLOBAL_REQUEST = bytes([80])  # RFC 4254, section 4

_KEY_TYPES = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)


def parameters(login: NetmikoConnection, sock: socket.socket) -> dict[str, Any]:
    """netmiko's constructor arguments for a login on a connected socket; connects nothing by itself."""
    banner_timeout = login.banner_timeout or login.timeout
    same = {"device_type", "port", "username", "session_timeout", "keepalive", "global_cmd_verify"}
    same |= {"disabled_algorithms", "disable_sha2_fix", "encoding", "default_enter", "response_return"}
    return login.model_dump(include=same) | {
        "host": login.address,
        "password": _plain(login.password),
        "secret": _plain(login.secret) or "",
        "pkey": private_key(login),
        "conn_timeout": banner_timeout + login.timeout,  # paramiko's limit for banner and key exchange together
        "auth_timeout": login.auth_timeout or login.timeout,
        "banner_timeout": banner_timeout,
        "sock": sock,
        "auto_connect": False,
    }


def private_key(login: NetmikoConnection) -> paramiko.PKey | None:
    """The login's private key, decrypted. Raises AuthenticationFailed if it cannot be read."""
    if login.pkey is None:
        return None
    for kind in _KEY_TYPES:
        try:
            return kind.from_private_key(io.StringIO(login.pkey.get_secret_value()), _plain(login.passphrase))
        except PasswordRequiredException as error:
            raise AuthenticationFailed("the private key is encrypted and needs its passphrase") from error
        except (SSHException, ValueError, TypeError):  # another type of key, or the wrong passphrase: all look alike
            continue
    raise AuthenticationFailed("the private key cannot be read: wrong passphrase, or not Ed25519, ECDSA or RSA")


def ping(transport: paramiko.Transport, timeout_s: float) -> bool:
    """Whether the SSH server answers a global request within `timeout_s` seconds; yes and no are both answers.

    paramiko's `global_request(wait=True)` waits for ever, so this sends the message itself. OpenSSH's
    ServerAliveInterval sends the same one.
    """
    if not transport.clear_to_send.wait(timeout_s):  # in a key exchange that does not end
        return False
    answered = transport.completion_event = threading.Event()
    message = Message()
    message.add_byte(_GLOBAL_REQUEST)
    message.add_string("keepalive@openssh.com")
    message.add_boolean(True)
    try:
        transport._send_user_message(message)  # type: ignore[attr-defined]  # private; a test holds it
    except (SSHException, OSError, EOFError):
        return False
    return answered.wait(timeout_s) and transport.is_active()


class Watch:
    """Calls `expire` in a thread of its own, unless it is armed anew or stopped in time.

    paramiko waits without limit for a server that never answers the request for a shell.
    """

    def __init__(self, expire: Callable[[], None]) -> None:
        self._expire = expire
        self._timer: threading.Timer | None = None

    def arm(self, seconds: float) -> None:
        """Expire in `seconds` from now."""
        self.stop()
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """Do not expire."""
        if self._timer is not None:
            self._timer.cancel()


def _plain(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
