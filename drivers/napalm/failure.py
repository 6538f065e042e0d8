"""What a NAPALM driver raised, in our terms. Messages are one sentence and quote neither arguments nor output.

NAPALM wraps what its libraries raise, often by catching everything, so the chain of causes is looked through. The
libraries' classes are known by name: importing all of them to know one costs seconds.
"""

from __future__ import annotations

from collections.abc import Iterator

from drivers.errors import AuthenticationFailed, DriverError, ReplyTimeout, SessionLost, Unreachable

_LATE = frozenset({"TimeoutError", "ReadTimeout", "RpcTimeoutError", "TimeoutExpiredError"})
_ENDED = frozenset(
    {
        "ConnectClosedError",  # PyEZ
        "ConnectionClosedException",
        "EOFError",
        "HTTPException",
        "OSError",
        "SSHError",  # ncclient
        "SSHException",
        "SessionError",  # ncclient
        "SessionCloseError",
        "TransportError",  # ncclient
    }
)
_REFUSED_LOGIN = frozenset({"AuthenticationError", "AuthenticationException", "ConnectAuthError", "NXAPIAuthError"})

_LONGEST_WORDS = 20_000


def fatal(error: Exception) -> Exception | None:
    """The cause of `error` after which the session is of no use: a DriverError, a timeout, the end of the connection.

    None if the device, or NAPALM, merely refused.
    """
    causes = [cause for cause in _causes(error) if isinstance(cause, DriverError) or _is(cause, _LATE | _ENDED)]
    ours = next((cause for cause in causes if isinstance(cause, DriverError)), None)
    return ours or (causes[-1] if causes else None)


def call_failure(error: Exception, where: str, timeout_s: float) -> DriverError:
    """Why a call on an open session failed."""
    cause = fatal(error)
    if isinstance(cause, DriverError):
        return cause
    if cause is None:
        return DriverError(f"napalm failed on {where} ({type(error).__name__})")
    if _is(cause, _LATE):
        return ReplyTimeout(f"{where} did not answer within {timeout_s:g} s")
    return SessionLost(f"{where} closed the session after something was sent")


def login_failure(error: Exception, where: str) -> DriverError:
    """Why a login did not come about."""
    causes = list(_causes(error))
    silent = Unreachable(f"{where} closed the connection during the login, or fell silent")
    for cause in causes:
        if isinstance(cause, DriverError):
            return silent if isinstance(cause, (ReplyTimeout, SessionLost)) else cause
    if any(_is(cause, _REFUSED_LOGIN) for cause in causes):
        return AuthenticationFailed(f"{where} refused the login")
    if fatal(error) is not None or any("Connect" in type(cause).__name__ for cause in causes):
        return silent
    return DriverError(f"napalm failed in the login on {where} ({type(error).__name__})")


def words(error: Exception) -> str:
    """What the device, or NAPALM, says of a refusal: for a `Reply`, never for a message."""
    said = next((str(cause) for cause in _causes(error) if _is(cause, {"CommandError", "RpcError"})), str(error))
    return said[:_LONGEST_WORDS]


def _is(error: Exception, names: frozenset[str] | set[str]) -> bool:
    return any(kind.__name__ in names for kind in type(error).__mro__)


def _causes(error: BaseException | None) -> Iterator[Exception]:
    seen: set[int] = set()
    while isinstance(error, Exception) and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
