"""What clients may pass to the netmiko driver. An allow-list: what is not here is an error."""

from __future__ import annotations

import codecs
import difflib
import re
from typing import Annotated, Any, ClassVar, Literal, Self

from netmiko.ssh_dispatcher import CLASS_MAPPER
from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from drivers.base import Arguments, Secret, normalise_host

DEVICE_TYPES = frozenset(name for name in CLASS_MAPPER if "_serial" not in name and name != "autodetect")

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Characters that would end a line, or mean something to a terminal."""


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


def _no_control(value: str) -> str:
    if CONTROL.search(value):
        raise ValueError("must not contain control characters: the device would take what follows for a command")
    return value


def _secret(value: SecretStr) -> SecretStr:
    _no_control(value.get_secret_value())
    return value


def _literal(value: str) -> str:
    if "\\" in value or ".*" in value or ".+" in value:
        raise ValueError("is literal text, not a regular expression: write the text that the device prints")
    return value


def _private_key(value: SecretStr) -> SecretStr:
    if "PRIVATE KEY-----" not in value.get_secret_value():
        raise ValueError("must be the text of a private key in PEM or OpenSSH format")
    return value


DeviceType = Annotated[str, AfterValidator(_device_type)]
Text = Annotated[str, AfterValidator(_no_control)]
Password = Annotated[Secret, AfterValidator(_secret)]
PrivateKey = Annotated[Secret, AfterValidator(_private_key)]
Literally = Annotated[Text, Field(min_length=1, max_length=1000), AfterValidator(_literal)]
Phase = Annotated[float, Field(gt=0, le=120)]
LineEnd = Literal["\n", "\r", "\r\n"]
Algorithms = Literal["ciphers", "macs", "keys", "pubkeys", "kex", "compression"]


class NetmikoConnection(Arguments):
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
    passphrase: Secret | None = None
    allow_agent: Literal[False] = False
    """The server's own keys are nobody's to use."""
    disabled_algorithms: dict[Algorithms, list[Text]] | None = None
    disable_sha2_fix: bool = False
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
        if self.use_keys and self.pkey is None:
            raise ValueError("use_keys needs pkey: the server's own keys are not used")
        if self.passphrase is not None and self.pkey is None:
            raise ValueError("passphrase is for pkey, which is missing")
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


class NetmikoQuery(Arguments):
    """How to run read commands."""

    no_effect: ClassVar[frozenset[str]] = frozenset({"auto_find_prompt", "delay_factor", "max_loops"})

    read_timeout: float = Field(default=30, gt=0, le=3600)
    """Seconds that each command may take."""
    expect_string: Literally | None = None
    """Literal text that ends the output, instead of the prompt."""
    cmd_verify: bool = True
    strip_prompt: bool = True
    strip_command: bool = True
    normalize: bool = True
    enable_mode: bool | None = None
    """Whether to run privileged; by default if there is a `secret`."""
    auto_find_prompt: bool | None = None
    delay_factor: float | None = None
    max_loops: int | None = None


class NetmikoConfig(Arguments):
    """How to enter configuration lines."""

    no_effect: ClassVar[frozenset[str]] = frozenset({"delay_factor", "max_loops"})

    read_timeout: float = Field(default=30, gt=0, le=3600)
    """Seconds that each line may take."""
    save: bool = False
    """Save the configuration afterwards, as the platform does it."""
    error_pattern: Literally | None = None
    """Literal text that means a line was refused, besides the built-in ones."""
    config_mode_command: Text | None = None
    enter_config_mode: bool = True
    exit_config_mode: bool = True
    cmd_verify: bool = True
    strip_prompt: bool = True
    strip_command: bool = True
    enable_mode: bool | None = None
    """Whether to run privileged; by default yes, where the platform knows the difference."""
    delay_factor: float | None = None
    max_loops: int | None = None
