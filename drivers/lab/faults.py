"""What can be made to go wrong with a device, and when.

Every fault strikes from when it is set until it is cleared, or `count` times. A fault with a `command` strikes only
lines that start with it, as the client typed them; `skip` lets that many matching lines pass first. Empty lines (a bare
RETURN) are never struck, except by `OneByte`.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal, TypeVar

How = Literal["rst", "fin"]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """The base: which lines are struck, and how often (`count` None: until cleared)."""

    kind: ClassVar[str] = ""
    command: str | None = None
    skip: int = 0
    count: int | None = None

    def to_json(self) -> dict[str, Any]:
        """As the control channel carries it."""
        return {"kind": self.kind, **asdict(self)}

    @staticmethod
    def from_json(fields: dict[str, Any]) -> "Fault":
        """The reverse of `to_json`. Raises ValueError for an unknown kind or option."""
        options = dict(fields)
        try:
            return KINDS[options.pop("kind")](**options)
        except (KeyError, TypeError) as error:
            raise ValueError(f"no such fault: {fields!r}") from error


@dataclass(frozen=True, kw_only=True)
class Slow(Fault):
    """Wait `delay_ms` before each command's output, or before each login is answered (`at="login"`)."""

    kind = "slow"
    delay_ms: float
    at: Literal["command", "login"] = "command"


@dataclass(frozen=True, kw_only=True)
class Breaking(Fault):
    """The base of what breaks off a command's output after `after_bytes` of it (at most all: no prompt comes)."""

    after_bytes: int = 20


@dataclass(frozen=True, kw_only=True)
class Stall(Breaking):
    """Send `after_bytes` of the output (at most all of it), then neither the rest nor the prompt.

    Ends when the fault is cleared or, if `resume_ms` is given, that much later: then the rest follows.
    """

    kind = "stall"
    resume_ms: float | None = None


@dataclass(frozen=True, kw_only=True)
class Drop(Breaking):
    """Close the TCP connection, by RST or FIN, without a word of SSH.

    `at="output"`: after `after_bytes` of a command's output (at most all of it, so that the prompt never comes);
    `at="connect"`: as soon as it is accepted; `at="login"`: when the password arrives.
    """

    kind = "drop"
    at: Literal["output", "connect", "login"] = "output"
    how: How = "rst"


@dataclass(frozen=True, kw_only=True)
class RefuseLogin(Fault):
    """Every password is wrong."""

    kind = "refuse_login"


@dataclass(frozen=True, kw_only=True)
class Silent(Fault):
    """Accept TCP and say nothing: no SSH banner."""

    kind = "silent"


@dataclass(frozen=True, kw_only=True)
class RefuseConnect(Fault):
    """Nobody listens (connection refused); open sessions stay. `count` has no meaning here."""

    kind = "refuse_connect"


@dataclass(frozen=True, kw_only=True)
class OneByte(Fault):
    """Send the output one byte, one packet at a time, `gap_ms` apart."""

    kind = "one_byte"
    gap_ms: float = 0


@dataclass(frozen=True, kw_only=True)
class Ask(Fault):
    """Ask a question before the command runs; an answer that starts with `n` calls it off."""

    kind = "ask"
    question: str = "Are you sure? [yes/no]: "


@dataclass(frozen=True, kw_only=True)
class NonUtf8(Fault):
    """Begin the output with a line of bytes that are not UTF-8."""

    kind = "non_utf8"
    raw_hex: str = "fffec328b0e9"


@dataclass(frozen=True, kw_only=True)
class Huge(Fault):
    """Let `size_bytes` more follow the output."""

    kind = "huge"
    size_bytes: int = 5_000_000


@dataclass(frozen=True, kw_only=True)
class PromptChange(Fault):
    """After the command, show `prompt`, verbatim, in place of the device's own."""

    kind = "prompt_change"
    prompt: str


KINDS: dict[str, type[Fault]] = {
    fault.kind: fault
    for fault in (
        Slow,
        Stall,
        Drop,
        RefuseLogin,
        Silent,
        RefuseConnect,
        OneByte,
        Ask,
        NonUtf8,
        Huge,
        PromptChange,
    )
}

F = TypeVar("F", bound=Fault)


@dataclass(eq=False)
class Armed:
    """A fault that is set on a device, and how far it has come."""

    fault: Fault
    seen: int = 0
    struck: int = 0
    cleared: asyncio.Event = field(default_factory=asyncio.Event)

    def strikes(self) -> bool:
        """Count one occasion; say whether the fault strikes it."""
        self.seen += 1
        if self.seen <= self.fault.skip or (self.fault.count is not None and self.struck >= self.fault.count):
            return False
        self.struck += 1
        return True


class Faults:
    """The faults of one device. Replacing them clears the old ones, and frees whoever they hold."""

    def __init__(self) -> None:
        self._armed: list[Armed] = []

    def replace(self, faults: Sequence[Fault]) -> None:
        for armed in self._armed:
            armed.cleared.set()
        self._armed = [Armed(fault) for fault in faults]

    def has(self, kind: type[Fault]) -> bool:
        """Whether such a fault is set, used up or not."""
        return any(isinstance(armed.fault, kind) for armed in self._armed)

    def strike(self, kind: type[F], at: str | None = None) -> F | None:
        """The first fault of this kind (and place) that strikes a connection or a login."""
        for armed in self._armed:
            fault = armed.fault
            if isinstance(fault, kind) and getattr(fault, "at", None) == at and armed.strikes():
                return fault
        return None

    def strike_line(self, line: str) -> "Struck":
        """All that strike this line."""
        return Struck([armed for armed in self._armed if _touches(armed.fault, line) and armed.strikes()])


_NOT_FOR_LINES = (RefuseLogin, Silent, RefuseConnect)


def _touches(fault: Fault, line: str) -> bool:
    """Whether `fault` is about lines, and about this one."""
    if isinstance(fault, _NOT_FOR_LINES) or getattr(fault, "at", "output") in ("login", "connect"):
        return False
    if not line:
        return isinstance(fault, OneByte) and fault.command is None
    return fault.command is None or line.startswith(fault.command)


class Struck:
    """The faults that strike one line."""

    def __init__(self, armed: Sequence[Armed] = ()) -> None:
        self._armed = armed

    def __bool__(self) -> bool:
        return bool(self._armed)

    def all(self, kind: type[F]) -> Iterator[F]:
        return (armed.fault for armed in self._armed if isinstance(armed.fault, kind))

    def first(self, kind: type[F]) -> F | None:
        return next(self.all(kind), None)

    def breaker(self) -> Armed | None:
        """The first that ends or holds the output."""
        return next((armed for armed in self._armed if isinstance(armed.fault, Breaking)), None)
