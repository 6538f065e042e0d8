"""All devices of one lab, their listeners and their record."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self

from drivers.lab.addresses import DEFAULT_HOST, plan
from drivers.lab.device import Device
from drivers.lab.faults import Fault
from drivers.lab.ios.cli import Ios
from drivers.lab.listener import Listener
from drivers.lab.persona import Persona
from drivers.lab.record import Journal
from drivers.lab.server import ssh_options
from drivers.lab.users import Credentials

PERSONAS: dict[str, Callable[[str, str], Persona]] = {"ios": Ios}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to simulate: `devices` of `persona`, named `prefix` 1, 2, …, at the addresses of `addresses.plan`."""

    devices: int = 1
    persona: str = "ios"
    prefix: str = "R"
    host: str = DEFAULT_HOST
    port: int = 0
    spread: bool = False
    reload_ms: float = 1000
    record: str | None = None


class Fleet:
    """Simulated devices in this process: `async with Fleet(Plan(devices=3), credentials) as fleet:`."""

    def __init__(self, plan: Plan, credentials: Credentials) -> None:
        self._plan, self.credentials = plan, credentials
        self.journal = Journal(path=plan.record)
        self.devices: dict[str, Device] = {}
        self._listeners: dict[str, Listener] = {}

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
        make = PERSONAS[chosen.persona]
        addresses = plan(chosen.devices, host=chosen.host, port=chosen.port, spread=chosen.spread)
        options = None
        for number, (host, port) in enumerate(addresses, 1):
            name = f"{chosen.prefix}{number}"
            device = Device(name, make(name, self.credentials.secret))
            options = options or ssh_options(device.persona.ssh_version)
            self.journal.enrol(name)
            listener = Listener(device, self.journal, self.credentials, options)
            listener.bind(host, port)
            device.on_restart = partial(self._restart, name)
            self.devices[name], self._listeners[name] = device, listener

    def set_faults(self, name: str | None, faults: Sequence[Fault]) -> None:
        """Replace the faults of a device, or of all. Raises KeyError for an unknown name."""
        for each in self.devices if name is None else (name,):
            self.devices[each].faults.replace(faults)
            self._listeners[each].update()

    def _restart(self, name: str) -> None:
        """Down, and up again after a moment."""
        self.journal.stats[name].reloads += 1
        self._listeners[name].restart(self._plan.reload_ms / 1000)

    async def close(self) -> None:
        for listener in self._listeners.values():
            await listener.close()
        self.journal.close()
