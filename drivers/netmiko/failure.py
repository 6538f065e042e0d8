"""What went wrong, in this package's terms. Messages are one sentence and quote neither arguments nor output."""

from __future__ import annotations

import re

from netmiko.exceptions import ReadTimeout
from paramiko.ssh_exception import (
    AuthenticationException,
    BadHostKeyException,
    ChannelException,
    IncompatiblePeer,
    PasswordRequiredException,
    SSHException,
)

from drivers.errors import (
    AuthenticationFailed,
    DriverError,
    HostKeyMismatch,
    ReplyTimeout,
    SessionLost,
    Unreachable,
)
from drivers.netmiko.transcript import LONGEST_OUTPUT, TooLong

_ENDED = (EOFError, OSError, SSHException)
"""How the end of a connection shows. netmiko's timeout and authentication errors derive from SSHException too."""

_LOGIN_REFUSED = re.compile(r"invalid|incorrect|denied|fail|bad password|bad secret", re.IGNORECASE)


def login_failure(error: Exception, where: str, said: str = "") -> DriverError:
    """Why a login on `where` did not come about; `said` is the last that a telnet device said."""
    if isinstance(error, DriverError):
        return error
    if isinstance(error, BadHostKeyException):
        return HostKeyMismatch(f"{where} presented another host key than the one on record")
    if isinstance(error, PasswordRequiredException):
        return AuthenticationFailed("the private key is encrypted and needs its passphrase")
    if isinstance(error, AuthenticationException):
        return _authentication_failure(error, where, said)
    if isinstance(error, IncompatiblePeer):
        return Unreachable(f"{where} and this client have no SSH algorithm in common (see legacy_algorithms)")
    if isinstance(error, ChannelException):
        return Unreachable(f"{where} accepted the login but opened no shell")
    if isinstance(error, (ReadTimeout, ValueError, IndexError)):
        return Unreachable(f"{where} accepted the login but showed no prompt")
    if isinstance(error, SSHException) and "banner" in str(error):
        return Unreachable(f"{where} accepted the connection but sent no SSH banner")
    if isinstance(error, _ENDED):
        return Unreachable(f"{where} closed the connection during the login, or fell silent")
    return DriverError(f"netmiko failed in the login on {where} ({type(error).__name__})")


def _authentication_failure(error: AuthenticationException, where: str, said: str) -> DriverError:
    """A refusal, or a connection that ended while one was waited for: paramiko and netmiko use one class for both."""
    ended = "EOF" in str(error) or "timeout" in str(error).lower() or isinstance(error.__context__, EOFError)
    if ended and not _LOGIN_REFUSED.search(said):
        return Unreachable(f"{where} closed the connection during the login, or fell silent")
    return AuthenticationFailed(f"{where} refused the login")


def call_failure(error: Exception, where: str, timeout_s: float, *, sent: bool) -> DriverError:
    """Why a call on an open session failed; `sent` says whether anything was written to the device by then."""
    if isinstance(error, Unreachable) and sent:  # a second login that a call made
        return SessionLost(f"{where} could not be reached again after something was sent")
    if isinstance(error, DriverError):
        return error
    if isinstance(error, (ReadTimeout, TimeoutError)):
        if sent:
            return ReplyTimeout(f"{where} showed no prompt within {timeout_s:g} s")
        return Unreachable(f"the held session on {where} did not stand at its prompt")
    if isinstance(error, _ENDED):
        if sent:
            return SessionLost(f"{where} closed the session after something was sent")
        return Unreachable(f"the held session on {where} was closed by the device")
    if isinstance(error, TooLong):
        return DriverError(f"{where} said more than {LONGEST_OUTPUT:,} characters to one command")
    return DriverError(f"netmiko failed on {where} ({type(error).__name__})")
