"""A stand-in of HashiCorp Vault for tests: its HTTP interface, as far as we use it, with leases that run out."""

from tests.vault.clock import ManualClock
from tests.vault.server import VaultServer

__all__ = ["ManualClock", "VaultServer"]
