"""All devices of one lab, their listeners and their record."""

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from types import TracebackType
from typing import Self

import asyncssh

from drivers.lab.addresses import DEFAULT_HOST, plan
from drivers.lab.countdown import MINUTE_MS
from drivers.lab.device import Device
from drivers.lab.eapi.certificate import server_context
from drivers.lab.eapi.persona import ApiPersona
from drivers.lab.eapi.service import EapiService
from drivers.lab.eos.cli import Eos
from drivers.lab.faults import Fault
from drivers.lab.ios.cli import Ios
from drivers.lab.junos.cli import Junos
from drivers.lab.linux.cli import Linux
from drivers.lab.listener import Listener, Service, SshService
from drivers.lab.nxos.cli import Nxos
from drivers.lab.persona import Persona, Timed
from drivers.lab.record import Journal
from drivers.lab.server import ssh_options
from drivers.lab.users import Credentials
from drivers.lab.vrp.cli import Vrp

PERSONAS: dict[str, Callable[[str, str], Persona]] = {
    "eos": Eos,
    "ios": Ios,
    "junos": Junos,
    "linux": Linux,
    "nxos": Nxos,
    "vrp": Vrp,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to simulate: `devices` of `persona`, named `prefix` 1, 2, …, at the addresses of `addresses.plan`.

    Those that answer eAPI do so on a second port each, from `https_port` on.
    """

    devices: int = 1
    persona: str = "ios"
    prefix: str = "R"
    host: str = DEFAULT_HOST
    port: int = 0
    https_port: int = 0
    spread: bool = False
    reload_ms: float = 1000
    minute_ms: float = MINUTE_MS
    record: str | None = None


class Fleet:
    """Simulated devices in this process: `async with Fleet(Plan(devices=3), credentials) as fleet:`."""

    def __init__(self, plan: Plan, credentials: Credentials) -> None:
        self._plan, self.credentials = plan, credentials
        self.journal = Journal(path=plan.record)
        self.devices: dict[str, Device] = {}
        self._listeners: dict[str, list[Listener]] = {}
        self._shared = (self.journal, credentials)
        self._ssh: asyncssh.SSHServerConnectionOptions | None = None
        self._context: ssl.SSLContext | None = None
        self.eapi_ca: str | None = None  # the certificate of the HTTPS ports as PEM, if there are any

    async def __aenter__(self) -> Self:
        try:
            self._open()
        except BaseException:  # half open: give back what we have
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _open(self) -> None:
        chosen = self._plan
        ssh = plan(chosen.devices, host=chosen.host, port=chosen.port, spread=chosen.spread)
        https = plan(chosen.devices, host=chosen.host, port=chosen.https_port, spread=chosen.spread)
        for number, addresses in enumerate(zip(ssh, https, strict=True), 1):
            self._open_device(f"{chosen.prefix}{number}", *addresses)

    def _open_device(self, name: str, ssh: tuple[str, int], https: tuple[str, int]) -> None:
        persona = PERSONAS[self._plan.persona](name, self.credentials.secret)
        if isinstance(persona, Timed):
            persona.minute_ms = self._plan.minute_ms
        device = self.devices[name] = Device(name, persona)
        self.journal.enrol(name)
        self._ssh = self._ssh or ssh_options(persona.ssh_version)
        device.host, device.port = self._listen(device, SshService(device, *self._shared, self._ssh), ssh)
        if isinstance(persona, ApiPersona):
            service = EapiService(device, persona, *self._shared, self._tls())
            device.https_port = self._listen(device, service, https)[1]
        device.on_restart = partial(self._restart, name)

    def _listen(self, device: Device, service: Service, address: tuple[str, int]) -> tuple[str, int]:
        """Open a door; return its address."""
        listener = Listener(device, self.journal, service)
        self._listeners.setdefault(device.name, []).append(listener)
        listener.bind(*address)
        return listener.address

    def _tls(self) -> ssl.SSLContext:
        """One certificate for all devices, made when the first needs it."""
        if self._context is None:
            chosen = self._plan
            hosts = {host for host, _ in plan(chosen.devices, host=chosen.host, spread=chosen.spread)}
            self._context, self.eapi_ca = server_context(hosts)
        return self._context

    def set_faults(self, name: str | None, faults: Sequence[Fault]) -> None:
        """Replace the faults of a device, or of all. Raises KeyError for an unknown name."""
        for each in self.devices if name is None else (name,):
            self.devices[each].faults.replace(faults)
            for listener in self._listeners[each]:
                listener.update()

    def _restart(self, name: str) -> None:
        """Down, and up again after a moment."""
        self.journal.stats[name].reloads += 1
        for listener in self._listeners[name]:
            listener.restart(self._plan.reload_ms / 1000)

    async def close(self) -> None:
        for listener in chain.from_iterable(self._listeners.values()):
            await listener.close()
        self.journal.close()
