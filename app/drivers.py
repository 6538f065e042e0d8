"""`/driver`: what the installed drivers take, and what they can do."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Annotated, Any

from litestar import get
from litestar.params import FromPath, QueryParameter

from app.auth import ANY_SCOPE
from app.envelope import Envelope, Problem, invalid
from app.failures import failures
from app.services import Needed
from drivers.base import Capabilities, Driver, Strategy
from jobs.invalid import SHOWN_NAME

DeviceType = Annotated[
    str | None,
    QueryParameter(name="device_type", description="A value of `connection_args.device_type`: what can be done there."),
]


@dataclass(frozen=True, slots=True)
class VariantView:
    """Device types on which a driver can do something else than it can on others."""

    device_types: list[str]
    capabilities: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DriverView:
    """A driver. The three kinds of arguments are JSON schemas; secrets in them are `writeOnly`.

    `capabilities`: on the device type that was asked for; else on any, where `variants` says nothing else.
    `device_types`: what may stand in `connection_args.device_type`; empty where there is no such argument.
    """

    name: str
    default_strategy: Strategy
    connection_args: dict[str, Any]
    query_args: dict[str, Any]
    config_args: dict[str, Any]
    example: dict[str, Any]
    capabilities: dict[str, Any]
    variants: list[VariantView]
    device_types: list[str]


@get("/driver", summary="List drivers", scope=ANY_SCOPE, responses=failures(400, 403, 500, 503))
async def list_drivers(services: Needed, device_type: DeviceType = None) -> Envelope[list[DriverView]]:
    """All drivers, by name; with `device_type` those that know it, and what they can do there."""
    drivers = [services.drivers[name] for name in sorted(services.drivers)]
    if device_type is not None:
        drivers = [driver for driver in drivers if device_type in driver.device_types()]
        if not drivers:
            every = {known for driver in services.drivers.values() for known in driver.device_types()}
            raise _unknown(device_type, every)
    return Envelope(await asyncio.to_thread(lambda: [_view(driver, device_type) for driver in drivers]))


@get("/driver/{name:str}", summary="Get one driver", scope=ANY_SCOPE, responses=failures(400, 403, 404, 500, 503))
async def get_driver(services: Needed, name: FromPath[str], device_type: DeviceType = None) -> Envelope[DriverView]:
    """The one driver, not a list."""
    driver = services.drivers.get(name)
    if driver is None:
        raise Problem(404, f"There is no such driver; installed: {', '.join(sorted(services.drivers))}.")
    if device_type is not None and device_type not in driver.device_types():
        raise _unknown(device_type, set(driver.device_types()))
    return Envelope(await asyncio.to_thread(_view, driver, device_type))


def _unknown(device_type: str, known: set[str]) -> Problem:
    close = get_close_matches(device_type[:SHOWN_NAME], sorted(known), 3)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    return invalid(["query", "device_type"], f"not a known device type{hint}")


def _view(driver: Driver, device_type: str | None) -> DriverView:
    """In a thread: drivers may import their libraries only now."""
    return DriverView(
        name=driver.name,
        default_strategy=driver.default_strategy,
        connection_args=driver.connection_args.model_json_schema(),
        query_args=driver.query_args.model_json_schema(),
        config_args=driver.config_args.model_json_schema(),
        example=driver.example,
        capabilities=asdict(driver.capabilities(device_type)),
        variants=_variants(driver) if device_type is None else [],
        device_types=list(driver.device_types()),
    )


def _variants(driver: Driver) -> list[VariantView]:
    """The device types that differ from the rest, those that are alike together."""
    usual = driver.capabilities(None)
    alike: dict[Capabilities, list[str]] = {}
    for device_type in driver.device_types():
        alike.setdefault(driver.capabilities(device_type), []).append(device_type)
    return [VariantView(types, asdict(able)) for able, types in alike.items() if able != usual]
