"""What a client may ask for: the body of `/device/execute`, validated against the driver's own models."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, cast

from pydantic import Field, create_model, model_validator

from drivers.base import Arguments, Driver, Strategy, Target
from jobs.invalid import RequestInvalid, validated
from jobs.lines import Commands, Lines
from jobs.redaction import redact_all, secrets_of
from jobs.settings import ZONE


class Options(Arguments):
    """How a job is queued and run. Each is also accepted at the top level of the body."""

    queue_strategy: Strategy | None = Field(
        None,
        description="pinned: on the worker that holds the device's session, in order; fifo: on any worker, on a fresh "
        "connection, in parallel. By default the driver decides.",
    )
    ttl: float = Field(300, gt=0, le=604_800, description="Seconds that the job may wait; then it fails with Expired.")
    execution_timeout: float = Field(300, gt=0, le=86_400, description="Seconds that the job may run.")
    priority: int = Field(0, ge=-1000, le=1000, description="Higher first.")
    retry: int = Field(0, ge=0, le=10, description="Further attempts, only after errors where the device saw nothing.")
    zone: str | None = Field(
        None, pattern=ZONE, description="Part of the network whose workers run the job. By default the API's own."
    )


class Execute(Arguments):
    """One operation on one device: exactly one of `command` (reads) and `config` (changes)."""

    driver: str = Field(description="The library that speaks to the device.")
    connection_args: Arguments
    command: Commands | None = Field(None, description="A command, or a list of them, run in order.")
    config: Lines | None = Field(
        None, description="Configuration: a list of lines, or one text that is split at line ends."
    )
    driver_args: dict[str, Any] = Field({}, description="Arguments of the driver for a query or a change.")
    options: Options = Options()

    @model_validator(mode="before")
    @classmethod
    def _gather_options(cls, body: Any) -> Any:
        """Move options given at the top level to `options`; one given in both places must say the same."""
        if not isinstance(body, dict):
            return body
        given = body.get("options", {})
        top = {name: body[name] for name in Options.model_fields if name in body}
        if not top or not isinstance(given, dict):
            return {name: value for name, value in body.items() if name not in top}
        for name, value in top.items():
            if name in given and given[name] != value:
                raise ValueError(f"{name} is given twice, with different values")
        return {**{k: v for k, v in body.items() if k not in top}, "options": {**given, **top}}

    @model_validator(mode="after")
    def _one_operation(self) -> Self:
        if (self.command is None) == (self.config is None):
            raise ValueError("exactly one of command and config is needed")
        return self


@dataclass(frozen=True, slots=True)
class Request:
    """A valid request, split into what may be read for ever and what must be sealed."""

    driver: str
    operation: Literal["command", "config"]
    lines: list[str]
    target: Target
    strategy: Strategy
    options: Options
    public: dict[str, Any]
    """As sent, defaults left out, every secret replaced by `***`, also where a command or a line repeats one."""
    secret: str
    """JSON object of what `public` lacks, to be sealed: laid over `public`, it gives the request as sent."""
    warnings: list[str]
    """Sentences about arguments that were accepted and have no effect."""

    def canonical(self) -> str:
        """Equal requests have equal texts. Holds secrets."""
        return json.dumps([self.public, self.secret], sort_keys=True)


class RequestModels:
    """The bodies that are valid with the installed drivers."""

    def __init__(self, drivers: Mapping[str, Driver]) -> None:
        self._drivers = drivers
        self.execute: dict[str, type[Execute]] = {name: _execute_model(driver) for name, driver in drivers.items()}

    def all_models(self) -> list[tuple[type[Execute], type[Arguments], type[Arguments]]]:
        """By driver: the body, and the `driver_args` of a query and of a change."""
        return [(self.execute[name], driver.query_args, driver.config_args) for name, driver in self._drivers.items()]

    def examples(self) -> dict[str, dict[str, Any]]:
        """An example body for a query and for a change, by driver, as OpenAPI wants them."""
        found = {}
        for name, driver in self._drivers.items():
            common = {"driver": name, "connection_args": driver.example}
            found[f"{name} query"] = {"value": {**common, "command": "show version", "options": {"ttl": 300}}}
            found[f"{name} change"] = {"value": {**common, "config": ["interface Loopback0", "description uplink"]}}
        return found

    def bulk_examples(self) -> dict[str, dict[str, Any]]:
        """An example body for each driver: two devices, of which the second has an operation of its own."""
        found = {}
        for name, driver in self._drivers.items():
            login = {field: value for field, value in driver.example.items() if field != "host"}
            devices = [{"host": "192.0.2.1"}, {"host": "192.0.2.2", "port": 2222, "command": "show clock"}]
            common = {"driver": name, "connection_args": login, "command": "show version"}
            found[f"{name} bulk"] = {"value": {**common, "devices": devices, "options": {"ttl": 600}}}
        return found

    def parse(self, body: object) -> Request:
        """Validate a decoded JSON body. Raises RequestInvalid."""
        driver = self.driver_of(body)
        execute = self.validate(driver, body)
        return request_of(driver, execute, arguments_of(driver, execute))

    def validate(self, driver: Driver, body: object) -> Execute:
        """The body as `driver`'s model, its `driver_args` not looked into. Raises RequestInvalid."""
        return validated(self.execute[driver.name], body, also=list(Options.model_fields))

    def driver_of(self, body: object) -> Driver:
        """The driver that a body names. Raises RequestInvalid."""
        if not isinstance(body, dict):
            raise RequestInvalid([{"loc": [], "msg": "The body must be a JSON object", "type": "model_type"}])
        name = body.get("driver")
        if isinstance(name, str) and name in self._drivers:
            return self._drivers[name]
        message = f"{'missing' if name is None else 'no such driver'}; installed: {', '.join(sorted(self._drivers))}"
        raise RequestInvalid([{"loc": ["driver"], "msg": message, "type": "missing" if name is None else "driver"}])


def arguments_of(driver: Driver, execute: Execute) -> Arguments:
    """The validated `driver_args`. Raises RequestInvalid."""
    model = driver.config_args if execute.config is not None else driver.query_args
    return validated(model, execute.driver_args, ("driver_args",))


def request_of(driver: Driver, execute: Execute, args: Arguments) -> Request:
    """The request that `execute` and its `driver_args` are."""
    public, secret = _split(execute)
    return Request(
        driver=driver.name,
        operation="config" if execute.config is not None else "command",
        lines=execute.config or execute.command or [],
        target=driver.target(execute.connection_args),
        strategy=execute.options.queue_strategy or driver.default_strategy,
        options=execute.options,
        public=public,
        secret=secret,
        warnings=[*_no_effect("connection_args", execute.connection_args), *_no_effect("driver_args", args)],
    )


def _split(execute: Execute) -> tuple[dict[str, Any], str]:
    """What may be kept for ever, and the JSON of what is to be sealed."""
    sent = execute.model_dump(mode="json", exclude_unset=True, context={"reveal": True})
    masked = execute.model_dump(mode="json", exclude_unset=True)
    public: dict[str, Any] = redact_all(masked, secrets_of(execute.connection_args))
    return public, json.dumps({name: sent[name] for name in sent if sent[name] != public[name]})


def _execute_model(driver: Driver) -> type[Execute]:
    name = f"{driver.name.capitalize()}Execute"
    return create_model(
        name,
        __base__=Execute,
        __doc__=f"{Execute.__doc__} By the {driver.name} driver.",
        driver=(cast(Any, Literal[driver.name]), Field(description=f"`{driver.name}`")),
        connection_args=(driver.connection_args, Field(description="The device and the login to it.")),
    )


def _no_effect(place: str, args: Arguments) -> Iterator[str]:
    for name in sorted(args.no_effect & args.model_fields_set):
        yield f"{place}.{name} no longer has an effect: the driver needs no such tuning."
