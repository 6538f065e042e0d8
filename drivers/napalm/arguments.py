"""What clients may say of a login by napalm. An allow-list: what is not here is an error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator

from drivers.base import Arguments, HostKeyPolicy, normalise_host
from drivers.napalm.platforms import NETMIKO, PORTS, platform_name
from drivers.netmiko import NetmikoConnection
from drivers.pyeapi.arguments import Certificates, PyeapiConnection
from drivers.ssh.fields import Algorithms, FileName, Password, PrivateKey, Text
from drivers.ssh.jump import JumpArguments

_SSH = (
    "secret use_keys pkey key_file passphrase allow_agent keepalive session_timeout auth_timeout banner_timeout "
    "global_cmd_verify disabled_algorithms disable_sha2_fix legacy_algorithms encoding global_delay_factor fast_cli"
)
_TLS = "ssl_verify transport"
_ALLOWED = {
    "eos": f"port enable_password eos_autoComplete lock_disable {_TLS}",
    "ios": f"port dest_file_system auto_rollback_on_error canonical_int force_no_enable {_SSH}",
    "iosxr_netconf": "port config_lock config_encoding",
    "junos": "port config_lock lock_disable config_private ignore_warning huge_tree keepalive",
    "nxos": f"port dest_file_system {_TLS}",
    "nxos_ssh": f"port dest_file_system force_no_enable {_SSH}",
}
"""The `optional_args` of each platform."""


@contextmanager
def _first_complaint() -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        raise ValueError(error.errors(include_url=False, include_input=False)[0]["msg"]) from None


class NapalmOptions(Arguments):
    """NAPALM's `optional_args`: each only where the platform's driver knows it."""

    no_effect: ClassVar[frozenset[str]] = frozenset({"global_delay_factor", "fast_cli"})

    port: int | None = Field(default=None, ge=1, le=65535)
    """The same as `port` of the connection."""
    secret: Password | None = None
    """The enable password."""
    enable_password: Password | None = None
    """The enable password (EOS)."""
    transport: Literal["https"] = "https"
    ssl_verify: Literal[True] = True
    """Certificates are always looked at: see `host_key_policy`."""
    use_keys: bool = False
    pkey: PrivateKey | None = None
    key_file: FileName | None = None
    passphrase: Password | None = None
    allow_agent: Literal[False] = False
    keepalive: int = Field(default=0, ge=0, le=3600)
    session_timeout: float = Field(default=60, gt=0, le=3600)
    auth_timeout: float | None = Field(default=None, gt=0, le=120)
    banner_timeout: float | None = Field(default=None, gt=0, le=120)
    global_cmd_verify: bool | None = None
    disabled_algorithms: dict[Algorithms, list[Text]] | None = None
    disable_sha2_fix: bool = False
    legacy_algorithms: bool = False
    encoding: Text = "utf-8"
    global_delay_factor: float | None = None
    fast_cli: bool | None = None
    dest_file_system: str | None = Field(default=None, pattern=r"^[a-z0-9-]{1,32}:$")
    """Where candidates are kept: `flash:`, `bootflash:`."""
    auto_rollback_on_error: bool = True
    canonical_int: bool = False
    force_no_enable: bool = False
    eos_autoComplete: bool | None = None  # noqa: N815 (NAPALM's name)
    lock_disable: bool = False
    config_lock: bool = False
    config_private: bool = False
    ignore_warning: bool = False
    huge_tree: bool = False
    config_encoding: Literal["cli"] = "cli"


class NapalmConnection(JumpArguments):
    """The device, and the login to it."""

    device_type: Annotated[str, AfterValidator(platform_name)]
    """NAPALM's name of the platform, or netmiko's."""
    host: str | None = None
    """Address or name; exactly one of `host` and `hostname`."""
    hostname: str | None = None
    port: int | None = Field(default=None, ge=1, le=65535)
    """Default 22; 443 for eos and nxos, 830 for junos and iosxr_netconf."""
    username: Text = ""
    password: Password | None = None
    secret: Password | None = None
    """The enable password."""
    timeout: float = Field(default=10, gt=0, le=120)
    """Seconds for the connect, and for each phase of the login."""
    optional_args: NapalmOptions = NapalmOptions()
    host_key_policy: HostKeyPolicy | None = None
    """What the device's key or certificate must be; None: what the site says."""
    ca: Certificates | None = None
    """Certificates in PEM that the device's own must descend from; at most one of `ca` and `ca_file`."""
    ca_file: FileName | None = None
    """The same in a file on the worker, below one of its key folders."""

    @field_validator("host", "hostname")
    @classmethod
    def _one_spelling(cls, value: str | None) -> str | None:
        return None if value is None else normalise_host(value)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.host is None) == (self.hostname is None):
            raise ValueError("give exactly one of host and hostname")
        if self.ca is not None and self.ca_file is not None:
            raise ValueError("give one of ca and ca_file")
        if (self.ca or self.ca_file) and not self.https:
            raise ValueError(f"ca and ca_file are for HTTPS, which {self.device_type} is not reached by")
        self._check_options()
        if self.shares_ssh:
            self.ssh_login()
        elif self.https:
            self.https_login()
        if not self.shares_ssh and self.proxy_host is not None:
            raise ValueError(f"{self.device_type} is reached through no jump host")
        return self

    @property
    def shares_ssh(self) -> bool:
        """Whether the platform works on a command line, on a session of netmiko's."""
        return self.device_type in NETMIKO

    @property
    def https(self) -> bool:
        """Whether the platform is reached by HTTPS."""
        return "ssl_verify" in _ALLOWED[self.device_type].split()

    def canonical(self) -> Self:
        """The same login in its one spelling: `host` and `port` set, nothing that has no effect."""
        options = self.optional_args
        dropped: dict[str, Any] = dict.fromkeys(options.no_effect)
        secret = self.secret or options.secret or options.enable_password
        plain = options.model_copy(update={**dropped, "port": None, "secret": None, "enable_password": None})
        port = self.port or options.port or PORTS[self.device_type]
        host = self.host or self.hostname
        update = {"host": host, "hostname": None, "port": port, "secret": secret, "optional_args": plain}
        return self.model_copy(update=update)

    def ssh_login(self) -> NetmikoConnection:
        """What netmiko's driver makes of the same login. Raises ValueError."""
        login = self.canonical()
        same = {*JumpArguments.model_fields, "host", "port", "username", "password", "secret", "timeout"}
        fields = {name: getattr(login, name) for name in (*same, "host_key_policy")}
        options = login.optional_args.model_fields_set & set(_SSH.split())
        fields |= {name: getattr(login.optional_args, name) for name in options if name != "secret"}
        with _first_complaint():
            return NetmikoConnection(device_type=NETMIKO[self.device_type], **fields).canonical()

    def https_login(self) -> PyeapiConnection:
        """What pyeapi's driver makes of the same login. Raises ValueError."""
        login = self.canonical()
        same = ("host", "port", "username", "password", "secret", "timeout", "ca", "ca_file", "host_key_policy")
        with _first_complaint():
            return PyeapiConnection(**{name: getattr(login, name) for name in same})

    def _check_options(self) -> None:
        given = self.optional_args.model_fields_set
        unknown = sorted(given - set(_ALLOWED[self.device_type].split()))
        if unknown:
            raise ValueError(f"optional_args that {self.device_type} does not take: {', '.join(unknown)}")
        if self.port and self.optional_args.port and self.port != self.optional_args.port:
            raise ValueError("port is given twice, with different values")
