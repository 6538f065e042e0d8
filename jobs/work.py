"""What a worker knows of a job that it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drivers.base import Arguments, Capabilities, Driver, Target
from jobs.credentials.base import CredentialRef
from jobs.credentials.resolver import Login
from jobs.options import Options
from jobs.queue import Claimed


@dataclass(frozen=True, slots=True)
class Referral:
    """A login that is kept elsewhere. `login`: None until it is resolved."""

    ref: CredentialRef
    login: Login | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """A claimed job, unsealed and validated again."""

    job: Claimed
    driver: Driver
    connection: Arguments
    target: Target
    lines: list[str]
    args: Arguments
    options: Options
    request: dict[str, Any]
    """The request as sent, secrets included."""
    referral: Referral | None = None
    """Until it is resolved, `connection` and `target` have a stand-in for the login."""

    @property
    def capabilities(self) -> Capabilities:
        """What the driver can do on this device."""
        return self.driver.capabilities(getattr(self.connection, "device_type", None))
