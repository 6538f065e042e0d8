"""What a login needs: netmiko's parameters, and a limit on its time."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import paramiko

from drivers.netmiko.arguments import NetmikoConnection
from drivers.ssh.keys import key_of, plain

_WEAK = {
    "ciphers": ["aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc"],
    "macs": ["hmac-sha1", "hmac-sha1-96", "hmac-md5", "hmac-md5-96"],
}
"""What paramiko would negotiate, but nobody gets who does not ask for `legacy_algorithms`."""


def parameters(
    login: NetmikoConnection, sock: socket.socket | paramiko.Channel, key_folders: Sequence[Path]
) -> dict[str, Any]:
    """netmiko's constructor arguments for a login on a connected socket; connects nothing by itself.

    Raises AuthenticationFailed if the private key cannot be read.
    """
    banner_timeout = login.banner_timeout or login.timeout
    same = {"device_type", "port", "username", "session_timeout", "keepalive", "global_cmd_verify"}
    same |= {"disable_sha2_fix", "encoding", "default_enter", "response_return"}
    return login.model_dump(include=same) | {
        "host": login.address,
        "password": plain(login.password),
        "secret": plain(login.secret) or "",
        "pkey": key_of(login.pkey, login.key_file, login.passphrase, key_folders),
        "disabled_algorithms": _disabled(login),
        "conn_timeout": banner_timeout + login.timeout,  # paramiko's limit for banner and key exchange together
        "auth_timeout": login.auth_timeout or login.timeout,
        "banner_timeout": banner_timeout,
        "sock": sock,
        "auto_connect": False,
    }


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


def _disabled(login: NetmikoConnection) -> dict[str, list[str]]:
    disabled: dict[str, list[str]] = dict(login.model_dump()["disabled_algorithms"] or {})
    for kind, names in _WEAK.items() if not login.legacy_algorithms else ():
        disabled[kind] = [*disabled.get(kind, ()), *names]
    return disabled
