"""What clients may pass to the paramiko driver. An allow-list: what is not here is an error."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from drivers.base import Arguments, ChangeArguments, HostKeyPolicy, normalise_host
from drivers.ssh.fields import Algorithms, FileName, Password, Phase, PrivateKey, Text
from drivers.ssh.jump import JumpArguments

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


def _variable(value: str) -> str:
    if not _VARIABLE.fullmatch(value):
        raise ValueError("not a name of an environment variable")
    return value


def _remote_path(value: str) -> str:
    if value.endswith(("/", "/.", "/..")) or value in (".", ".."):
        raise ValueError("must name a file, not a directory")
    return value


Variable = Annotated[str, AfterValidator(_variable)]
RemotePath = Annotated[FileName, AfterValidator(_remote_path)]


class ParamikoConnection(JumpArguments):
    """The host, and the login to it."""

    host: Annotated[str, AfterValidator(normalise_host)]
    port: int = Field(default=22, ge=1, le=65535)
    username: Text = Field(min_length=1)
    password: Password | None = None
    key_filename: FileName | None = None
    """A private key on the worker, below one of its key folders."""
    pkey: PrivateKey | None = None
    """A private key's text."""
    passphrase: Password | None = None
    """Of the private key."""
    host_key_policy: HostKeyPolicy | None = None
    """By default the site's."""
    look_for_keys: Literal[False] = False
    """The server's own keys are nobody's to use."""
    allow_agent: Literal[False] = False
    """Nor is its agent."""
    compress: bool = False
    timeout: Phase = 10
    """Seconds for the TCP connect, and for each later phase of the login that has no timeout of its own."""
    banner_timeout: Phase | None = None
    auth_timeout: Phase | None = None
    disabled_algorithms: dict[Algorithms, list[Text]] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.pkey is not None and self.key_filename is not None:
            raise ValueError("give one of pkey and key_filename")
        if self.passphrase is not None and self.pkey is None and self.key_filename is None:
            raise ValueError("passphrase is for a key, which is missing")
        return self


class FileTransfer(Arguments):
    """One file to bring to the host, or from it. Its content is in the API's file store."""

    operation: Literal["upload", "download"]
    remote_path: RemotePath
    """On the host; relative to the login's home directory."""
    overwrite: bool = True
    """Of an upload: replace a file that is there."""
    mode: str | None = Field(default=None, pattern=r"^[0-7]{3,4}$")
    """Octal permissions of an uploaded file; by default those of the file that it replaces."""
    resume: bool = True
    """Go on where an earlier attempt stopped."""


class Running(Arguments):
    """How to run commands: what queries and changes have in common."""

    no_effect: ClassVar[frozenset[str]] = frozenset({"bufsize"})

    timeout: float = Field(default=30, gt=0, le=3600)
    """Seconds that each command may take before it is ended; in a file transfer, that the host may be silent."""
    get_pty: bool = False
    """Run on a pseudo-terminal, which makes one stream of output and errors."""
    environment: dict[Variable, Text] | None = Field(default=None, max_length=64)
    """Variables of the commands. One that the server drops (`AcceptEnv`) is an error, and nothing is run."""
    sudo: bool = False
    sudo_password: Password | None = None
    """By default the login's password."""
    bufsize: int | None = None

    @field_validator("environment")
    @classmethod
    def _some(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        return value or None


class ParamikoQuery(Running):
    """How to run commands, or the file to bring."""

    file_transfer: FileTransfer | None = None

    @model_validator(mode="after")
    def _files_are_the_logins(self) -> Self:
        if self.file_transfer is not None and self.sudo:
            raise ValueError("files are transferred as the login's user: sudo is for commands")
        return self


class ParamikoConfig(Running, ChangeArguments):
    """How to run the lines of a change: as commands, up to the first that fails."""
