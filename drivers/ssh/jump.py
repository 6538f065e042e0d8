"""A way to a device through another SSH server (a jump host, or bastion)."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, Self

import paramiko
from paramiko.ssh_exception import SSHException
from pydantic import Field, field_validator, model_validator

from drivers.base import AnyKey, Arguments, Trust, device_key, normalise_host
from drivers.errors import AuthenticationFailed, SessionAborted, Unreachable
from drivers.sockets import TcpLine
from drivers.ssh.fields import FileName, Password, PrivateKey, Text
from drivers.ssh.keys import key_of, plain
from drivers.ssh.login import Login, transport_on


class JumpArguments(Arguments):
    """The jump host, and the login to it: a mixin of connection arguments."""

    proxy_host: str | None = None
    """A jump host on the way to the device."""
    proxy_port: int = Field(default=22, ge=1, le=65535)
    proxy_username: Text | None = None
    proxy_password: Password | None = None
    proxy_key_filename: FileName | None = None
    """A private key on the worker, below one of its key folders."""
    proxy_pkey: PrivateKey | None = None
    """A private key's text."""
    proxy_passphrase: Password | None = None

    @field_validator("proxy_host")
    @classmethod
    def _one_proxy_spelling(cls, value: str | None) -> str | None:
        return None if value is None else normalise_host(value)

    @model_validator(mode="after")
    def _proxy_consistent(self) -> Self:
        given = (self.proxy_username, self.proxy_password, self.proxy_key_filename, self.proxy_pkey)
        if self.proxy_host is None and any(value is not None for value in (*given, self.proxy_passphrase)):
            raise ValueError("a login for the jump host is given, but no proxy_host")
        if self.proxy_host is not None and self.proxy_username is None:
            raise ValueError("proxy_host needs proxy_username")
        if self.proxy_host is not None and not any(value is not None for value in given[1:]):
            raise ValueError("proxy_host needs one of proxy_password, proxy_pkey and proxy_key_filename")
        if self.proxy_pkey is not None and self.proxy_key_filename is not None:
            raise ValueError("give one of proxy_pkey and proxy_key_filename")
        return self


class Line(Protocol):
    """A byte stream to a device: made once by one thread, ended from any. `TcpLine` is one, `Jump` another."""

    def connect(self, timeout_s: float) -> socket.socket | paramiko.Channel:
        """Raises Unreachable, SessionAborted; through a jump host AuthenticationFailed, HostKeyMismatch too."""

    def alive(self) -> bool:
        """False if the peer is known to be gone."""

    def abort(self) -> None:
        """End it, or the attempt to make it, now. Any thread, any number of times."""

    def close(self) -> None:
        """End it and give its descriptors back."""


class Jump:
    """A stream to `host`:`port` as the jump host opens it (SSH `direct-tcpip`). Set `trust` before `connect`."""

    def __init__(self, arguments: JumpArguments, host: str, port: int, key_folders: Sequence[Path] = ()) -> None:
        assert arguments.proxy_host is not None
        self.trust: Trust = AnyKey()
        self._arguments = arguments
        self._key_folders = key_folders
        self._host, self._port = host, port
        self._line = TcpLine(arguments.proxy_host, arguments.proxy_port)
        self._transport: paramiko.Transport | None = None
        self._channel: paramiko.Channel | None = None
        self._aborted = False

    @property
    def where(self) -> str:
        """`host:port` of the jump host."""
        return device_key(self._line.host, self._line.port)

    def connect(self, timeout_s: float) -> paramiko.Channel:
        """Log in on the jump host and have it connect to the device, `timeout_s` seconds for each phase.

        Raises Unreachable, AuthenticationFailed, HostKeyMismatch, SessionAborted.
        """
        try:
            return self._connect(timeout_s)
        except (Unreachable, AuthenticationFailed) as error:
            if self._aborted:
                raise SessionAborted(f"the login on the jump host {self.where} was aborted") from error
            raise type(error)(f"on the way through the jump host: {error}") from error

    def alive(self) -> bool:
        """False if the jump host, or the device behind it, is known to be gone."""
        channel = self._channel
        return channel is not None and self._line.alive() and not (channel.closed or channel.eof_received)

    def abort(self) -> None:
        """End it now: without its connection the jump host's channels end at once. Any thread."""
        self._aborted = True
        self._line.abort()

    def close(self) -> None:
        """End it and give the descriptor back."""
        self.abort()
        if self._transport is not None:
            self._transport.join(1.0)  # it ends now; before, nobody may reuse its descriptor
            self._transport.close()
        self._line.close()

    def _connect(self, timeout_s: float) -> paramiko.Channel:
        arguments = self._arguments
        pkey = key_of(arguments.proxy_pkey, arguments.proxy_key_filename, arguments.proxy_passphrase, self._key_folders)
        login = Login(
            self.where, arguments.proxy_username or "", plain(arguments.proxy_password), pkey, timeout_s, timeout_s
        )
        self._transport = transport_on(self._line.connect(timeout_s), login, self.trust)
        return self._forwarded(self._transport, timeout_s)

    def _forwarded(self, transport: paramiko.Transport, timeout_s: float) -> paramiko.Channel:
        try:
            self._channel = transport.open_channel(
                "direct-tcpip", (self._host, self._port), ("127.0.0.1", 0), timeout=timeout_s
            )
        except (SSHException, OSError, EOFError) as error:
            raise Unreachable(f"{self.where} did not connect to {device_key(self._host, self._port)}") from error
        return self._channel
