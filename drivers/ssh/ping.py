"""SSH's own sign of life, which no command line sees."""

from __future__ import annotations

import threading
import time

import paramiko
from paramiko.message import Message
from paramiko.ssh_exception import SSHException

_SLICE_S = 0.05
"""How often to see whether the connection ended: paramiko may have told that before anybody listened."""

_GLOBAL_REQUEST = bytes([80])  # RFC 4254, section 4


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
    deadline = time.monotonic() + timeout_s
    while transport.is_active() and time.monotonic() < deadline:
        if answered.wait(_SLICE_S):
            return transport.is_active()
    return False
