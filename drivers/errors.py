"""What can go wrong with a device. Each driver turns its library's exceptions into these at its own edge."""

from __future__ import annotations

from typing import ClassVar


class DriverError(Exception):
    """A device call that did not finish. The message is one sentence and names no secret."""

    repeatable: ClassVar[bool] = False
    """True where the device saw nothing, so that the call may be sent again unasked."""


class Unreachable(DriverError):
    """No login was opened (no route, refused, silent, closed during the login), so the device saw no command."""

    repeatable = True


class AuthenticationFailed(DriverError):
    """The device refused the login, or the enable password. Not repeatable: repeating locks accounts."""


class HostKeyMismatch(DriverError):
    """The device presented another host key than the one on record."""


class CommandRejected(DriverError):
    """The device understood the line and refused it; what it said is in that line's `Reply`."""


class ReplyTimeout(DriverError, TimeoutError):
    """Sent, but no prompt within the time allowed; a change may have landed."""


class SessionLost(DriverError):
    """The peer closed the session after something was sent; a change may have landed."""


class TooLarge(DriverError):
    """A file, or an output, beyond the limit; what was there already is unharmed."""


class SessionAborted(DriverError):
    """`Session.abort` ended the call from outside."""


class LeaseLost(DriverError):
    """This worker may no longer write to the device: another may hold it by now. Nothing was sent after that."""
