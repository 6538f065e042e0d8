"""The contract between the worker and a driver: what a driver declares, and what its sessions can do.

A *driver* is a library spoken to devices (netmiko, napalm, …). It declares pydantic models for its arguments and makes
*sessions*. A session is one login on one device, blocking, and used by one thread at a time; only `abort` may be called
from another thread.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Annotated, Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, PlainSerializer, SecretStr, SerializationInfo, WithJsonSchema

_DIGEST_KEY = secrets.token_bytes(32)  # per process: a digest that leaks says nothing about the password behind it


def _reveal(value: SecretStr, info: SerializationInfo) -> str:
    return value.get_secret_value() if info.context and info.context.get("reveal") else "***"


Secret = Annotated[
    SecretStr,
    PlainSerializer(_reveal, return_type=str),
    WithJsonSchema({"type": "string", "format": "password", "writeOnly": True}),
]
"""A secret argument: every dump says `***`, except one made with the context `{"reveal": True}`."""


class Arguments(BaseModel):
    """Base of every argument model: unknown names are errors, values are fixed once validated."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, str_max_length=65_536, use_attribute_docstrings=True
    )

    no_effect: ClassVar[frozenset[str]] = frozenset()
    """Names that existing clients send and that no longer do anything; the API lists those it met as warnings."""


class Strategy(StrEnum):
    """How a job finds its worker (`options.queue_strategy`)."""

    PINNED = "pinned"
    FIFO = "fifo"


class Verdict(StrEnum):
    """What became of one command or configuration line."""

    DONE = "done"
    REFUSED = "refused"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one command, or to one configuration line."""

    command: str
    stdout: str
    verdict: Verdict
    started_at: datetime | None
    """UTC; None for a skipped line."""
    duration_s: float
    stderr: str = ""
    exit_status: int | None = 0
    """0 done, 1 refused, None skipped; the process's own where there is one."""


Report = Callable[[Reply], None]
"""Called in the session's thread as each command ends, in order."""

Guard = Callable[[], None]
"""Called in the session's thread before each write to the device; raises LeaseLost to forbid it."""


@dataclass(frozen=True, slots=True)
class Target:
    """A device and the whole login to it. Equal targets may share a session, others never do."""

    driver: str
    host: str
    port: int
    login: str = field(repr=False)
    """Digest of everything that makes the login: user, secrets, keys, connection options."""
    connection: Arguments = field(repr=False, compare=False)
    """The driver's validated connection arguments, secrets included."""

    @property
    def device_key(self) -> str:
        """`host:port`, IPv6 in brackets: the name under which one device is locked and held."""
        return device_key(self.host, self.port)


class Session(Protocol):
    """One login on one device. Every method but `abort` and `alive` blocks and belongs to one thread at a time.

    After any exception from `open`, `run_commands` or `apply_config` the session is thrown away: half-read bytes
    would reach the next job.
    """

    guard: Guard

    def open(self) -> None:
        """Log in. Raises Unreachable, AuthenticationFailed, HostKeyMismatch, SessionAborted."""

    def run_commands(self, commands: Sequence[str], args: Arguments, report: Report) -> None:
        """Run read commands in order, each reported as it ends, a refused one too.

        Raises CommandRejected after the last one if any was refused; ReplyTimeout, SessionLost, SessionAborted,
        LeaseLost at once.
        """

    def apply_config(self, lines: Sequence[str], args: Arguments, report: Report) -> None:
        """Enter configuration line by line. Stops at the first refused one, reports the rest as skipped.

        Raises CommandRejected, ReplyTimeout, SessionLost, SessionAborted, LeaseLost.
        """

    def alive(self) -> bool:
        """False if the session is already known to be dead. Costs microseconds, asks nobody; any thread."""

    def ping(self, timeout_s: float) -> bool:
        """Ask the peer for a sign of life below the command line; True if one came within `timeout_s`."""

    def prompt(self) -> str:
        """The device's prompt as last seen."""

    def abort(self) -> None:
        """End whatever the session's thread is doing within 100 ms, by closing its transport. Any thread."""

    def close(self) -> None:
        """Close an idle session, without a word to the command line. Idempotent."""


class Driver(Protocol):
    """What a driver module declares. Found by name in `drivers.registry`, installed ones by entry point."""

    name: str
    connection_args: type[Arguments]
    query_args: type[Arguments]
    config_args: type[Arguments]
    default_strategy: Strategy
    example: dict[str, Any]
    """A `connection_args` object for the documentation; holds no working secret."""

    def target(self, connection: Arguments) -> Target:
        """The device and login that `connection` names."""

    def session(self, target: Target) -> Session:
        """A session that is not open yet."""


def device_key(host: str, port: int) -> str:
    """`host:port`, IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def normalise_host(host: str) -> str:
    """One spelling per device: addresses in their canonical form, names in lower case without the final dot.

    Raises ValueError for what is neither an address nor a host name (RFC 1123 letters, underscores allowed).
    """
    text = host.strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        pass
    name = text.lower().removesuffix(".")
    labels = name.split(".")
    if len(name) > 253 or not all(_is_label(label) for label in labels) or labels[-1].isdigit():
        raise ValueError("not a host name or an IP address")
    return name


def _is_label(label: str) -> bool:
    plain = label.replace("-", "").replace("_", "")
    return 0 < len(label) <= 63 and plain.isascii() and plain.isalnum() and label[0] != "-" and label[-1] != "-"


def login_digest(connection: Arguments) -> str:
    """Digest of every argument of a login, secrets in the clear, under a key that never leaves the process."""
    plain = connection.model_dump_json(context={"reveal": True})
    return blake2b(plain.encode(), key=_DIGEST_KEY, digest_size=16).hexdigest()
