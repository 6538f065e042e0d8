"""Trying a login: the operation `test`. It always opens a session of its own, and closes it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Self, cast

from pydantic import Field, create_model, model_validator

from drivers.base import Arguments, Driver, Reply, Strategy, Verdict
from jobs.call import Call
from jobs.credentials.base import AnyCredentialRef
from jobs.invalid import validated
from jobs.options import Options
from jobs.referrals import with_stand_in
from jobs.requests import Request, RequestModels, split
from jobs.settings import ZONE

COMMAND = "test connection"
"""What the job's only entry is called."""

MOST_WAIT_S = 10.0
"""So long, at most, a worker may take to begin."""
PRIORITY = 100
"""Somebody waits for it."""


async def probe(call: Call) -> None:
    """Report what the session knows of its device: that there is a session is what was to be shown."""
    session = call.lease.session
    # A driver that finds out what the device is says so.
    known = {"device_type": getattr(session, "device_type", None)}
    began = datetime.now(UTC) - timedelta(seconds=call.login_s)
    reply = Reply(COMMAND, session.prompt(), Verdict.DONE, began, call.login_s, parsed=known)
    call.reporter(last=1)(reply)


class Place(Arguments):
    """Where the login is tried."""

    zone: str | None = Field(
        None, pattern=ZONE, description="Part of the network whose workers try it. By default the API's own."
    )


class Probe(Place):
    """A login to be tried on its device."""

    driver: str = Field(description="The library that speaks to the device.")
    connection_args: Arguments
    credential_ref: AnyCredentialRef | None = Field(
        None, description="Where the username and the password are kept; they then stand nowhere else."
    )
    options: Place = Place()

    @model_validator(mode="after")
    def _one_zone(self) -> Self:
        if None not in (self.zone, self.options.zone) and self.zone != self.options.zone:
            raise ValueError("zone is given twice, with different values")
        return self


class ProbeModels:
    """The bodies that are valid with the installed drivers."""

    def __init__(self, models: RequestModels, drivers: Mapping[str, Driver]) -> None:
        self._models = models
        self._drivers = drivers
        self.bodies: dict[str, type[Probe]] = {name: _probe_model(driver) for name, driver in drivers.items()}

    def examples(self) -> dict[str, dict[str, Any]]:
        """An example body by driver, as OpenAPI wants them."""
        return {
            name: {"value": {"driver": name, "connection_args": driver.example}}
            for name, driver in self._drivers.items()
        }

    def parse(self, body: object, timeout_s: float) -> Request:
        """Validate a decoded JSON body; the login may take `timeout_s` seconds. Raises RequestInvalid."""
        driver = self._models.driver_of(body)
        wanted = validated(self.bodies[driver.name], with_stand_in(body))
        public, secret = split(wanted, wanted.connection_args)
        return Request(
            driver=driver.name,
            operation="test",
            lines=[],
            target=driver.target(wanted.connection_args),
            strategy=Strategy.FIFO,
            options=Options(
                zone=wanted.zone or wanted.options.zone,
                ttl=min(MOST_WAIT_S, timeout_s),
                execution_timeout=timeout_s,
                priority=PRIORITY,
            ),
            public=public,
            secret=secret,
            warnings=[],
            credential_ref=wanted.credential_ref,
        )


def _probe_model(driver: Driver) -> type[Probe]:
    return create_model(
        f"{driver.name.capitalize()}Probe",
        __base__=Probe,
        __doc__=f"{Probe.__doc__} By the {driver.name} driver.",
        driver=(cast(Any, Literal[driver.name]), Field(description=f"`{driver.name}`")),
        connection_args=(driver.connection_args, Field(description="The device and the login to it.")),
    )
