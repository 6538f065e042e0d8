"""NAPALM's drivers over NETCONF, on a session of ours: the server's key is looked at before the password is sent."""

from __future__ import annotations

from typing import Any

import paramiko
from jnpr.junos import Device
from jnpr.junos.device import DeviceSessionListener
from napalm.iosxr_netconf import IOSXRNETCONFDriver
from napalm.junos import JunOSDriver
from ncclient import manager
from ncclient.transport import SSHSession

from drivers.base import AnyKey, Guard, Trust, device_key
from drivers.errors import Unreachable
from drivers.napalm.arguments import NapalmConnection
from drivers.sockets import TcpLine
from drivers.ssh.host_keys import check, prefer_known
from drivers.ssh.keys import plain
from drivers.ssh.ping import ping


class NetconfLink:
    """See `drivers.napalm.links.Link`. One driver object serves all calls: it is the session."""

    def __init__(self, login: NapalmConnection) -> None:
        self.guard: Guard = lambda: None
        self.trust: Trust = AnyKey()
        self.sent = False
        self._login = login
        self._line = TcpLine(login.host or "", login.port or 830)
        self._session: CheckedSession | None = None
        self._driver: Any = None

    def open(self) -> None:
        """Connect, exchange keys, log in, greet."""
        sock = self._line.connect(self._login.timeout)
        kind = "junos" if self._login.device_type == "junos" else "iosxr"
        handler = manager.make_device_handler({"name": kind})
        self._session = session = CheckedSession(handler, self)
        session.connect(
            self._login.host,
            self._login.port,
            sock=sock,
            timeout=self._login.timeout,
            username=self._login.username,
            password=plain(self._login.password),
            hostkey_verify=False,  # CheckedSession does, against our own record
            allow_agent=False,
            look_for_keys=False,
        )
        greeted = manager.Manager(session, handler, timeout=self._login.timeout)
        self._driver = _junos(greeted, self._login) if kind == "junos" else _iosxr(greeted, self._login)

    def driver(self, timeout_s: float) -> Any:
        """The driver object, each of whose requests may take `timeout_s` seconds."""
        if self._driver is None:
            raise Unreachable("no session is open")
        self._driver.device.timeout = int(timeout_s)
        return self._driver

    def alive(self) -> bool:
        """See `drivers.base.Session.alive`."""
        transport = self._session.transport if self._session else None
        return transport is not None and self._line.alive() and bool(transport.is_active())

    def ping(self, timeout_s: float) -> bool:
        """See `drivers.base.Session.ping`."""
        return self.alive() and self._session is not None and ping(self._session.transport, timeout_s)

    def abort(self) -> None:
        """See `drivers.base.Session.abort`."""
        self._line.abort()

    def close(self) -> None:
        """See `drivers.base.Session.close`."""
        self._line.abort()
        transport = self._session.transport if self._session else None
        if transport is not None:
            transport.join(1.0)  # ends now; before, nobody may reuse its descriptor
            transport.close()
        self._line.close()

    @property
    def login(self) -> NapalmConnection:
        """The login."""
        return self._login


class CheckedSession(SSHSession):  # type: ignore[misc]  # ncclient has no types
    """ncclient's session, with hooks where it has none: before the key exchange, the password, and each request."""

    def __init__(self, handler: Any, link: NetconfLink) -> None:
        self._link = link
        self._address = device_key(link.login.host or "", link.login.port or 830)
        self._ssh: paramiko.Transport | None = None
        super().__init__(handler)

    @property
    def _transport(self) -> paramiko.Transport | None:
        return self._ssh

    @_transport.setter
    def _transport(self, made: paramiko.Transport | None) -> None:
        self._ssh = made
        if made is not None:
            made.banner_timeout = made.handshake_timeout = made.auth_timeout = self._link.login.timeout
            prefer_known(made, self._link.trust.known(self._address))

    def _auth(self, *args: Any) -> None:
        assert self._ssh is not None
        check(self._link.trust, self._address, self._ssh.get_remote_server_key())
        super()._auth(*args)

    def send(self, message: Any) -> None:
        """ncclient's; the greeting is no request."""
        if self.connected and self._link.alive():
            self._link.guard()
        self._link.sent = True
        super().send(message)


class _Greeted(Device):  # type: ignore[misc]
    """PyEZ's device on a session that is open already."""

    def __init__(self, greeted: Any, login: NapalmConnection) -> None:
        host = f"[{login.host}]" if ":" in (login.host or "") else login.host  # PyEZ's spelling; it connects nowhere
        super().__init__(host, user=login.username, port=login.port, gather_facts=False)
        self._greeted = greeted

    def _sshconf_lkup(self) -> None:
        """The worker's own SSH configuration is nobody's to use."""

    def open(self, *_: Any, **__: Any) -> _Greeted:
        self._conn = self._greeted
        self._conn._session.add_listener(DeviceSessionListener(self))
        self._nc_transform = self.transform
        self.connected = True
        return self


class _Junos(JunOSDriver):  # type: ignore[misc]
    def __del__(self) -> None:
        """The session is not this object's to close."""


class _IosXr(IOSXRNETCONFDriver):  # type: ignore[misc]
    def __del__(self) -> None:
        """The session is not this object's to close."""


def _junos(greeted: Any, login: NapalmConnection) -> Any:
    names = {"config_lock", "lock_disable", "config_private", "ignore_warning"}
    options = login.optional_args.model_dump(include=names)
    options["keepalive"] = login.optional_args.keepalive or 30
    made = _Junos(login.host, login.username, "", int(login.timeout), {**options, "port": login.port})
    made.device = _Greeted(greeted, login)
    made.open()
    return made


def _iosxr(greeted: Any, login: NapalmConnection) -> Any:
    options = login.optional_args.model_dump(include={"config_lock", "config_encoding"})
    made = _IosXr(login.host, login.username, "", int(login.timeout), {**options, "port": login.port})
    made.device = greeted
    if made.lock_on_connect:
        made._lock()
    return made
