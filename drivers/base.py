"""The contract between the worker and a driver: what a driver declares, and what its sessions can do.

A *driver* is a library spoken to devices (netmiko, napalm, …). It declares pydantic models for its arguments and makes
*sessions*. A session is one login on one device, blocking, and used by one thread at a time; only `abort` may be called
from another thread.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b, sha256
from typing import Annotated, Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, SecretStr, SerializationInfo, WithJsonSchema

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


class ChangeArguments(Arguments):
    """Base of every driver's `config_args`. What a device cannot do of it is refused by its `Capabilities`."""

    dry_run: bool = False
    """Show the difference and change nothing."""
    revert_in: int | None = Field(default=None, ge=1, le=86_399)
    """Seconds after which the device itself undoes the change, unless the job is confirmed before (rounded up to what
    the platform counts in)."""
    replace: bool = False
    """The lines are the whole configuration, not an addition to it."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a driver can do on one kind of device. What it cannot is refused before a job is queued."""

    config: bool = True
    dry_run: bool = False
    revert_in: bool = False
    """A change that the device undoes by itself unless confirmed."""
    rollback: bool = False
    """A change that was applied can be undone afterwards: see `ConfigSession.undo`."""
    replace: bool = False
    files: bool = False
    """Upload and download: the sessions are `FileSession`s."""
    tasks: bool = False
    """Detached tasks: the sessions are `TaskSession`s."""
    getters: tuple[str, ...] = ()
    """Commands that are names of structured queries."""


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
    """The answer to one command, to one configuration line, or to a step that the driver takes (a commit, a save)."""

    command: str
    stdout: str
    verdict: Verdict
    started_at: datetime | None
    """UTC; None for a skipped line."""
    duration_s: float
    stderr: str = ""
    exit_status: int | None = 0
    """0 done, 1 refused, None skipped; the process's own where there is one."""
    parsed: Any = None
    """JSON, where the device answers in structures, or the worker has parsed what it said."""
    parsing_error: str | None = None
    """The worker's: why what the device said could not be parsed."""
    phase: str = "main"
    """The worker's: what was asked `before` and `after` a change, and what was done to `undo` it."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change, as the worker asks for it."""

    lines: Sequence[str]
    args: ChangeArguments
    name: str
    """`np` and 12 hexadecimal digits, unique per job: for candidates, configuration sessions, checkpoint files."""
    undoable: bool = False
    """`ConfigSession.undo` may be asked for afterwards: take what it needs before the first line."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """A file to bring to a device, or from it."""

    remote_path: str
    args: Arguments
    """The driver's `query_args`."""
    overwrite: bool = True
    """Of an upload: replace a file that is there; else CommandRejected."""


class Source(Protocol):
    """A file kept by the worker, read in pieces by the session's thread."""

    size: int
    """Bytes."""
    sha256: str
    """Hexadecimal."""

    def read(self, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset` on; `b""` at the end. Raises LeaseLost if the worker may not go on."""


class Sink(Protocol):
    """A file that grows in the worker's store, written by the session's thread. It survives the session."""

    size: int
    """Bytes kept so far: a download goes on from there."""

    @property
    def sha256(self) -> str:
        """Of the bytes kept so far, hexadecimal: whether they are still the file's beginning."""

    def append(self, data: bytes) -> None:
        """Keep more. Raises LeaseLost if the worker may not go on, TooLarge beyond the site's limit."""

    def clear(self) -> None:
        """Drop what was kept: the remote file is another one by now."""


Report = Callable[[Reply], None]
"""Called in the session's thread as each command ends, in order."""

Guard = Callable[[], None]
"""Called in the session's thread before each write to the device; raises LeaseLost to forbid it."""

HostKeyPolicy = Literal["strict", "tofu", "off"]
"""strict: only a key on record; tofu: the first one seen is put on record (trust on first use); off: any."""


class Trust(Protocol):
    """What is on record of the keys and certificates with which devices prove who they are."""

    def known(self, address: str) -> Sequence[str]:
        """The kinds of key on record for `address` (see `device_key`), to be negotiated before others."""

    def check(self, address: str, kind: str, fingerprint: str) -> None:
        """Called in the session's thread after the key exchange, before any secret is sent. Raises HostKeyMismatch.

        `kind`: `ssh-ed25519`, …, `x509` for a certificate. `fingerprint`: see `fingerprint`.
        """


@dataclass(frozen=True, slots=True)
class Target:
    """A device and the whole login to it. Equal targets may share a session, others never do."""

    family: str
    """The driver whose sessions serve it: drivers that use one kind of session share them."""
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


class AnyKey:
    """A `Trust` that takes every device at its word."""

    def known(self, address: str) -> Sequence[str]:
        """None on record."""
        return ()

    def check(self, address: str, kind: str, fingerprint: str) -> None:
        """Fine."""


class Session(Protocol):
    """One login on one device. Every method but `abort` and `alive` blocks and belongs to one thread at a time.

    After any exception from a blocking method the session is thrown away, since half-read bytes would reach the next
    job; except CommandRejected, after which it must be as usable as before or not `alive`.
    """

    guard: Guard
    trust: Trust
    """Both are set before any blocking method is called."""

    def open(self) -> None:
        """Log in. Raises Unreachable, AuthenticationFailed, HostKeyMismatch, SessionAborted."""

    def run_commands(self, commands: Sequence[str], args: Arguments, report: Report) -> None:
        """Run read commands in order, each reported as it ends, a refused one too.

        Raises CommandRejected after the last one if any was refused; ReplyTimeout, SessionLost, SessionAborted,
        LeaseLost at once.
        """

    def alive(self) -> bool:
        """False if the session is already known to be dead. Costs microseconds, asks nobody; any thread."""

    def ping(self, timeout_s: float) -> bool:
        """Ask the peer for a sign of life below the command line; True if one came within `timeout_s`."""
        return self.alive()

    def prompt(self) -> str:
        """The device's prompt as last seen; "" where there is none."""
        return ""

    def abort(self) -> None:
        """End whatever the session's thread is doing within 100 ms, by closing its transport. Any thread."""

    def close(self) -> None:
        """Close an idle session, without a word to the command line. Idempotent."""


class ConfigSession(Session, Protocol):
    """A session that can change its device. After CommandRejected from `apply_config`, `undo` may still be called."""

    def apply_config(self, change: Change, report: Report) -> str | None:
        """Make a change, line by line where the platform takes lines. Stops at the first refused line, reports the rest
        as skipped, and drops the candidate where there is one.

        Returns the difference that it made, or with `dry_run` would make; None where the device cannot tell.
        Raises CommandRejected, ReplyTimeout, SessionLost, SessionAborted, LeaseLost.
        """

    def undo(self, change: Change, report: Report) -> None:
        """Bring the device back to where it was before the undoable `change`. Raises what `apply_config` raises."""

    def keep(self, change: Change, report: Report) -> None:
        """The undoable `change` stays: drop what `undo` would have needed. Raises what `apply_config` raises."""

    def confirm(self, change: Change, report: Report) -> None:
        """Confirm `change`, made with `revert_in`, perhaps by another session. Its lines are empty.

        Raises CommandRejected if nothing waits for a confirmation.
        """


class FileSession(Session, Protocol):
    """A session that moves files. A transfer that broke off goes on where it stopped when it is asked for again."""

    def upload(self, transfer: Transfer, source: Source, report: Report) -> None:
        """Bring a file to the device, under its name only when it is whole. One reply at the end.

        Raises CommandRejected, SessionLost, ReplyTimeout, SessionAborted, LeaseLost.
        """

    def download(self, transfer: Transfer, sink: Sink, report: Report) -> None:
        """Bring a file from the device. One reply at the end. Raises what `upload` raises."""


@dataclass(frozen=True, slots=True)
class TaskState:
    """A detached task, as its device tells."""

    state: Literal["running", "exited", "lost"]
    """lost: neither running nor ended in good order (killed, the machine restarted, or removed)."""
    exit_status: int | None = None
    log: bytes = b""
    log_size: int = 0
    """Bytes of log in all."""


class TaskSession(Session, Protocol):
    """A session that runs commands which outlive it. `task_id` is a UUID's text."""

    def start_task(self, task_id: str, command: str, args: Arguments) -> None:
        """Start `command` detached. Starting the same task again changes nothing."""

    def look_at_task(self, task_id: str, args: Arguments, *, offset: int, size: int) -> TaskState:
        """Its state, and at most `size` bytes of its log from byte `offset` on."""

    def stop_task(self, task_id: str, args: Arguments) -> TaskState:
        """End the task and all that it started: politely, then by force."""

    def forget_task(self, task_id: str, args: Arguments) -> None:
        """Remove what is left of an ended task on the device."""


class Driver(Protocol):
    """What a driver module declares. Found by name in `drivers.registry`, installed ones by entry point.

    Subclass it for the defaults: a driver of its own sessions, for any device, that only reads.
    """

    name: str
    connection_args: type[Arguments]
    query_args: type[Arguments] = Arguments
    config_args: type[ChangeArguments] = ChangeArguments
    default_strategy: Strategy
    example: dict[str, Any]
    """A `connection_args` object for the documentation; holds no working secret."""
    example_command: str = "show version"
    example_config: Sequence[str] = ("interface Loopback0", "description uplink")

    def target(self, connection: Arguments) -> Target:
        """The device and login that `connection` names."""

    def session(self, target: Target) -> Session:
        """A session that is not open yet."""

    def view(self, session: Session, connection: Arguments) -> Session:
        """This driver's way to use an open session of `connection`'s family: the session itself, unless the family is
        another driver's. Only its methods that do work are called, and `guard` and `trust` stay the session's own.
        """
        return session

    def device_types(self) -> Sequence[str]:
        """What may stand in `device_type`; empty where there is no such argument."""
        return ()

    def capabilities(self, device_type: str | None) -> Capabilities:
        """What it can do on a device type; None: on any, or where there is no such argument."""
        return Capabilities(config=False)


def device_key(host: str, port: int) -> str:
    """`host:port`, IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


_SCOPE = re.compile(r"[A-Za-z0-9_-]{0,15}(\.[0-9]{1,4})?")
"""Of an IPv6 address: an interface, as Linux calls it and its VLANs. No pattern for names shall match one."""

_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""As its last label, it makes a resolver take the name for an IPv4 address."""


def normalise_host(host: str) -> str:
    """One spelling per device: addresses in their canonical form, names in lower case without the final dot.

    Raises ValueError for what is neither an address nor a host name (RFC 1123 letters, underscores allowed).
    """
    text = host.strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        pass
    else:
        if not _SCOPE.fullmatch(getattr(address, "scope_id", None) or ""):  # Python takes any text for one
            raise ValueError("not a host name or an IP address")
        return str(address)
    name = text.lower().removesuffix(".")
    labels = name.split(".")
    if len(name) > 253 or not all(_is_label(label) for label in labels) or _NUMBER.fullmatch(labels[-1]):
        raise ValueError("not a host name or an IP address")
    return name


def _is_label(label: str) -> bool:
    plain = label.replace("-", "").replace("_", "")
    return 0 < len(label) <= 63 and plain.isascii() and plain.isalnum() and label[0] != "-" and label[-1] != "-"


def fingerprint(key: bytes) -> str:
    """`SHA256:…` of a public key's blob or a certificate's DER form, as OpenSSH writes it."""
    return f"SHA256:{b64encode(sha256(key).digest()).decode().rstrip('=')}"


def login_digest(connection: Arguments) -> str:
    """Digest of every argument of a login, secrets in the clear, under a key that never leaves the process."""
    plain = connection.model_dump_json(context={"reveal": True})
    return blake2b(plain.encode(), key=_DIGEST_KEY, digest_size=16).hexdigest()
