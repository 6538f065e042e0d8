"""What clients may say of a login by netmiko. An allow-list: what is not here is an error."""

from __future__ import annotations

import codecs
import difflib
from typing import Annotated, Any, ClassVar, Literal, Self

from netmiko.ssh_dispatcher import CLASS_MAPPER
from pydantic import AfterValidator, Field, field_validator, model_validator

from drivers.base import HostKeyPolicy, Secret, normalise_host
from drivers.ssh.fields import Algorithms, FileName, Password, Phase, PrivateKey, Text
from drivers.ssh.jump import JumpArguments

AUTODETECT = "autodetect"
"""A device type: the device is asked what it is, after the login."""

DEVICE_TYPES = frozenset(name for name in CLASS_MAPPER if "_serial" not in name)


def _device_type(value: str) -> str:
    if value in DEVICE_TYPES:
        return value
    near = difflib.get_close_matches(value[:64], sorted(DEVICE_TYPES), n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise ValueError(f"not a device type that netmiko knows{hint}")


def _encoding(value: str) -> str:
    try:
        plain = "#>\r\n~".encode(value) == b"#>\r\n~" and codecs.lookup(value).name
    except LookupError:  # unknown, or not an encoding of text ("hex")
        plain = False
    if not plain:
        raise ValueError("not a text encoding that contains ASCII, such as utf-8 or latin-1")
    return value


DeviceType = Annotated[str, AfterValidator(_device_type)]
LineEnd = Literal["\n", "\r", "\r\n"]


class NetmikoConnection(JumpArguments):
    """The device, and the login to it."""

    no_effect: ClassVar[frozenset[str]] = frozenset({"global_delay_factor", "fast_cli", "verbose"})

    device_type: DeviceType
    host: str | None = None
    """Address or name; exactly one of `host` and `ip`."""
    ip: str | None = None
    port: int | None = Field(default=None, ge=1, le=65535)
    """Default 22, 23 for telnet."""
    username: Text = ""
    password: Password | None = None
    secret: Password | None = None
    """The enable password."""
    timeout: Phase = 10
    """Seconds for the TCP connect, and for each later phase of the login that has no timeout of its own."""
    auth_timeout: Phase | None = None
    banner_timeout: Phase | None = None
    session_timeout: float = Field(default=60, gt=0, le=3600)
    keepalive: int = Field(default=0, ge=0, le=3600)
    """Seconds between SSH keepalives, 0 for none."""
    global_cmd_verify: bool | None = None
    use_keys: bool = False
    pkey: PrivateKey | None = None
    """A private key's text; at most one of `pkey` and `key_file`."""
    key_file: FileName | None = None
    """A private key on the worker, below one of its key folders."""
    passphrase: Secret | None = None
    host_key_policy: HostKeyPolicy | None = None
    """What the device's key must be; None: what the site says."""
    allow_agent: Literal[False] = False
    """The server's own keys are nobody's to use."""
    disabled_algorithms: dict[Algorithms, list[Text]] | None = None
    disable_sha2_fix: bool = False
    legacy_algorithms: bool = False
    """Also negotiate what is weak: CBC ciphers, 3DES, MACs of SHA-1 and MD5. What paramiko no longer has cannot be had:
    key exchanges with SHA-1 (`diffie-hellman-group1-sha1`, `-group14-sha1`), `ssh-rsa` signatures, DSS keys."""
    encoding: Annotated[str, AfterValidator(_encoding)] = "utf-8"
    default_enter: LineEnd | None = None
    response_return: Literal["\n", "\r\n"] | None = None
    global_delay_factor: float | None = None
    fast_cli: bool | None = None
    verbose: bool | None = None

    @field_validator("host", "ip")
    @classmethod
    def _one_spelling(cls, value: str | None) -> str | None:
        return None if value is None else normalise_host(value)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.host is None) == (self.ip is None):
            raise ValueError("give exactly one of host and ip")
        if self.pkey is not None and self.key_file is not None:
            raise ValueError("give one of pkey and key_file")
        key = self.pkey is not None or self.key_file is not None
        if self.use_keys and not key:
            raise ValueError("use_keys needs pkey or key_file: the server's own keys are not used")
        if self.passphrase is not None and not key:
            raise ValueError("passphrase is for pkey or key_file, and both are missing")
        if self.telnet and self.proxy_host is not None:
            raise ValueError("telnet goes through no jump host")
        return self

    @property
    def telnet(self) -> bool:
        """Whether the login is over telnet."""
        return "_telnet" in self.device_type

    @property
    def address(self) -> str:
        """Whichever of `host` and `ip` was given."""
        return self.host or self.ip or ""

    def canonical(self) -> Self:
        """The same login in its one spelling: `host` and `port` set, nothing that has no effect."""
        dropped: dict[str, Any] = dict.fromkeys(self.no_effect)
        port = self.port or (23 if self.telnet else 22)
        return self.model_copy(update={"host": self.address, "ip": None, "port": port, **dropped})
