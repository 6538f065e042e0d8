"""What stands before a worker's logins: whose key a device must have, and which logins rest."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from drivers.base import Target, Trust
from jobs.circuits import Circuits, Outdated
from jobs.database import Pool
from jobs.host_keys import HostKeys
from jobs.seal import Seal
from jobs.settings import WorkerSettings


class LoginGate:
    """A `drivers.pool.Gate` on the tables `host_key` and `circuit`. Held sessions never pass it."""

    def __init__(self, database: Pool, seal: Seal, settings: WorkerSettings, outdated: Outdated) -> None:
        """`outdated`: see `Circuits`."""
        self._host_keys = HostKeys(database, settings.host_keys)
        self._circuits = Circuits(database, seal, settings.login_failures, settings.login_rest_s, outdated)

    def trust(self, target: Target) -> Trust:
        """See `drivers.pool.Gate.trust`."""
        return self._host_keys.trust(target)

    def login(self, target: Target) -> AbstractAsyncContextManager[None]:
        """See `drivers.pool.Gate.login`."""
        return self._circuits.attempt(target)
