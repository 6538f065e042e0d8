"""One simulated device: what is the same for every platform."""

from collections.abc import Callable

from drivers.lab.faults import Faults
from drivers.lab.persona import Persona


class Device:
    """A device's name, address, faults and persona. Its sessions share all of them."""

    def __init__(self, name: str, persona: Persona) -> None:
        self.name, self.persona, self.faults = name, persona, Faults()
        self.host, self.port = "", 0
        self.https_port: int | None = None  # where it answers eAPI, if it does
        self.on_restart: Callable[[], None] = lambda: None

    def restart(self) -> None:
        """Come up again with what was saved; whoever listens for the device sends its sessions away."""
        self.persona.restart()
        self.on_restart()
