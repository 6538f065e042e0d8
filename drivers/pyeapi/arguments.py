"""What clients may say of a login on an eAPI, of commands, of changes. An allow-list: what is not here is an error."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from drivers.base import Arguments, ChangeArguments, HostKeyPolicy, device_key, normalise_host
from drivers.ssh.fields import FileName, Password, Phase, PrivateKey, Text


def _certificate(value: str) -> str:
    if "-----BEGIN CERTIFICATE-----" not in value:
        raise ValueError("must be the text of certificates in PEM format")
    return value


def _user(value: str) -> str:
    if ":" in value:
        raise ValueError("must not contain a colon: HTTP ends the name there")
    return value


Certificates = Annotated[str, AfterValidator(_certificate)]
UserName = Annotated[Text, AfterValidator(_user)]


class PyeapiConnection(Arguments):
    """The device, and the login to it."""

    host: str
    port: int | None = Field(default=None, ge=1, le=65535)
    """Default 443, 80 for http."""
    transport: Literal["https", "https_session", "https_certs", "http"] = "https"
    """https_session: one login by `/login`, then a cookie; https_certs: https with a client certificate."""
    username: UserName = ""
    password: Password | None = None
    secret: Password | None = None
    """The enable password."""
    timeout: Phase = 10
    """Seconds for each phase of the login: TCP, TLS, the first request."""
    ca: Certificates | None = None
    """Who vouches for the device: its certificate must be valid, and issued for `host`. Without `ca` or `ca_file` it
    must be the certificate on record, see `host_key_policy`."""
    ca_file: FileName | None = None
    """The same in a file on the worker, below one of its key folders."""
    client_cert: Certificates | None = None
    """The client's own certificate."""
    cert_file: FileName | None = None
    client_key: PrivateKey | None = None
    """The key of the client's certificate, not encrypted."""
    key_file: FileName | None = None
    host_key_policy: HostKeyPolicy | None = None
    """What the device's certificate must be where no CA is given; None: what the site says."""

    @field_validator("host")
    @classmethod
    def _one_spelling(cls, value: str) -> str:
        return normalise_host(value)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for text, file in (("ca", "ca_file"), ("client_cert", "cert_file"), ("client_key", "key_file")):
            if getattr(self, text) is not None and getattr(self, file) is not None:
                raise ValueError(f"give at most one of {text} and {file}")
        if self.certified != (self.client_key is not None or self.key_file is not None):
            raise ValueError("a client certificate and its key come together")
        if self.transport == "http" and (self.host_key_policy != "off" or self.certified or self.ca or self.ca_file):
            raise ValueError(
                'http sends the password in the clear: it needs "host_key_policy": "off", and no certificates'
            )
        if self.transport == "https_certs" and not self.certified:
            raise ValueError("https_certs needs a client certificate and its key")
        if self.password is None and (self.transport == "https_session" or not self.certified):
            raise ValueError("a password is missing")
        return self

    @property
    def certified(self) -> bool:
        """Whether there is a client certificate."""
        return self.client_cert is not None or self.cert_file is not None

    @property
    def address(self) -> str:
        """The device's key, see `drivers.base.device_key`."""
        return device_key(self.host, self.port or (80 if self.transport == "http" else 443))

    def canonical(self) -> Self:
        """The same login in its one spelling."""
        port = self.port or (80 if self.transport == "http" else 443)
        transport = "https" if self.transport == "https_certs" else self.transport
        return self.model_copy(update={"port": port, "transport": transport})


class PyeapiQuery(Arguments):
    """How to run read commands. Each is a request of its own."""

    no_effect: ClassVar[frozenset[str]] = frozenset({"timestamps", "expand", "detail"})

    format: Literal["json", "text"] | None = None
    """json, the default: structures, and text from those commands that have no other form."""
    encoding: Literal["json", "text"] | None = None
    """Another name of `format`."""
    read_timeout: float = Field(default=30, gt=0, le=3600)
    """Seconds that each command may take."""
    enable_mode: bool = True
    """Whether to run privileged."""
    autoComplete: bool | None = None  # noqa: N815 (eAPI's own name)
    """Let the device complete shortened commands."""
    expandAliases: bool | None = None  # noqa: N815 (eAPI's own name)
    """Let the device expand the aliases that are configured on it."""
    timestamps: bool | None = None
    expand: bool | None = None
    detail: bool | None = None

    @model_validator(mode="after")
    def _one_format(self) -> Self:
        if self.format is not None and self.encoding is not None and self.format != self.encoding:
            raise ValueError("format and encoding are names of one thing and contradict each other")
        return self

    @property
    def form(self) -> Literal["json", "text"]:
        """What the device is asked for."""
        return self.format or self.encoding or "json"


class PyeapiConfig(ChangeArguments):
    """How to make a change. It is prepared in a configuration session of the device and committed as one."""

    read_timeout: float = Field(default=30, gt=0, le=3600)
    """Seconds that the lines together may take, and each step after them."""
    save: bool = False
    """Save the configuration afterwards; with `revert_in` once the change is confirmed."""
