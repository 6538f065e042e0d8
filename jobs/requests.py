"""What a client may ask for: the body of `/device/execute`, validated against the driver's own models."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, Self, cast

from pydantic import Field, create_model, model_validator

from drivers.base import Arguments, ChangeArguments, Driver, Strategy, Target
from jobs.checks import Checks
from jobs.invalid import RequestInvalid, validated
from jobs.lines import Commands, Lines
from jobs.parsing import NETMIKO_NAMES, Parsing, from_driver_args
from jobs.redaction import redact_all, secrets_of
from jobs.rendering import Rendering, Source
from jobs.rollouts import Rollout
from jobs.settings import ZONE
from jobs.storage import StoredFile


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
    dry_run: bool = Field(False, description="Changes only: show the difference, change nothing.")
    checks: Checks | None = Field(None, description="Changes only: what must hold before and after.")
    rollout: Rollout | None = Field(None, description="Bulks only: go on in waves, and stop when too many jobs fail.")
    rendering: Rendering | None = Field(None, description="A template makes what is sent, see Rendering.")
    parsing: Parsing | None = Field(None, description="Queries only: make records of what the device says.")
    rollback: bool | None = Field(
        None, description="Changes only: undo one that fails, where the driver can. By default if there are checks."
    )

    @property
    def undoes(self) -> bool:
        """Whether a change that fails shall be undone."""
        return self.checks is not None if self.rollback is None else self.rollback


class Execute(Arguments):
    """One operation on one device: one of `command` (reads), `config` (changes) and `driver_args.file_transfer`."""

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
        asked = (self.command, self.config, self.driver_args.get("file_transfer"))
        if sum(operation is not None for operation in asked) != 1:
            raise ValueError("exactly one of command, config and driver_args.file_transfer is needed")
        return self


class FileWish(Protocol):
    """What every driver that moves files has as `file_transfer` in its `query_args`."""

    operation: Literal["upload", "download"]
    remote_path: str
    overwrite: bool


def transfer_of(args: Arguments) -> FileWish | None:
    """The file that is to be moved; None: none is."""
    return getattr(args, "file_transfer", None)


@dataclass(frozen=True, slots=True)
class Request:
    """A valid request, split into what may be read for ever and what must be sealed."""

    driver: str
    operation: Literal["command", "config", "upload", "download", "task", "test"]
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
        file = self.public.get("file")
        public = {**self.public, "file": file["sha256"]} if file else self.public
        return json.dumps([public, self.secret], sort_keys=True)

    @property
    def file_id(self) -> str | None:
        """The stored file that it uploads; None: none."""
        return self.public["file"]["id"] if "file" in self.public else None

    def with_file(self, file: StoredFile) -> Request:
        """The request, together with the file that it uploads."""
        about = {"id": str(file.id), "name": file.name, "size_bytes": file.size_bytes, "sha256": file.sha256}
        return replace(self, public={**self.public, "file": about})


class RequestModels:
    """The bodies that are valid with the installed drivers."""

    def __init__(self, drivers: Mapping[str, Driver]) -> None:
        self._drivers = drivers
        self.execute: dict[str, type[Execute]] = {name: _execute_model(driver) for name, driver in drivers.items()}
        self._rendered = {name: _rendered_model(model) for name, model in self.execute.items()}

    def all_models(self) -> list[tuple[type[Execute], type[Arguments], type[Arguments]]]:
        """By driver: the body, and the `driver_args` of a query and of a change."""
        return [(self.execute[name], driver.query_args, driver.config_args) for name, driver in self._drivers.items()]

    def examples(self) -> dict[str, dict[str, Any]]:
        """An example body for a query and for a change, by driver, as OpenAPI wants them."""
        found = {}
        for name, driver in self._drivers.items():
            common = {"driver": name, "connection_args": driver.example}
            found[f"{name} query"] = {"value": {**common, "command": driver.example_command, "options": {"ttl": 300}}}
            if driver.capabilities(None).config:
                found[f"{name} change"] = {"value": {**common, "config": list(driver.example_config)}}
        return found

    def with_tasks(self) -> list[str]:
        """The drivers that can run detached tasks."""
        return [name for name, driver in self._drivers.items() if driver.capabilities(None).tasks]

    def task_examples(self) -> dict[str, dict[str, Any]]:
        """An example body of a detached task for each driver that can run them."""
        return {
            f"{name} task": {
                "value": {"driver": name, "connection_args": self._drivers[name].example, "command": "make -C /srv all"}
            }
            for name in self.with_tasks()
        }

    def bulk_examples(self) -> dict[str, dict[str, Any]]:
        """An example body for each driver: two devices, of which the second has an operation of its own."""
        found = {}
        for name, driver in self._drivers.items():
            login = {field: value for field, value in driver.example.items() if field != "host"}
            other = {"host": "192.0.2.2", "port": 2222, "command": driver.example_command}
            devices = [{"host": "192.0.2.1"}, other]
            common = {"driver": name, "connection_args": login, "command": driver.example_command}
            found[f"{name} bulk"] = {"value": {**common, "devices": devices, "options": {"ttl": 600}}}
        return found

    def parse(self, body: object, *, with_file: bool = False) -> Request:
        """Validate a decoded JSON body; `with_file`: a file comes with it. Raises RequestInvalid."""
        driver = self.driver_of(body)
        execute = self.validate(driver, body)
        if execute.options.rollout is not None:
            raise _fault("rollout", "is for /device/bulk only")
        return request_of(driver, execute, arguments_of(driver, execute), with_file=with_file)

    def parse_task(self, body: object) -> Request:
        """The start of a detached task: a query of one command. Raises RequestInvalid."""
        request = self.parse(body)
        if request.operation != "command" or len(request.lines) != 1:
            raise _wrong(["command"], "a detached task is one command", "operation")
        if request.options.queue_strategy is Strategy.PINNED:
            raise _fault("queue_strategy", "a detached task is always fifo")
        driver = self._drivers[request.driver]
        _require(driver, request.target.connection, ["driver"], "tasks")
        return replace(request, operation="task", strategy=Strategy.FIFO)

    def validate(self, driver: Driver, body: object) -> Execute:
        """The body as `driver`'s model, its `driver_args` not looked into. Raises RequestInvalid."""
        body = _with_parsing(body)
        models = self._rendered if _is_rendered(body) else self.execute
        return validated(models[driver.name], body, also=list(Options.model_fields))

    def driver_of(self, body: object) -> Driver:
        """The driver that a body names. Raises RequestInvalid."""
        if not isinstance(body, dict):
            raise RequestInvalid([{"loc": [], "msg": "The body must be a JSON object", "type": "model_type"}])
        name = body.get("driver")
        if isinstance(name, str) and name in self._drivers:
            return self._drivers[name]
        message = f"{'missing' if name is None else 'no such driver'}; installed: {', '.join(sorted(self._drivers))}"
        raise RequestInvalid([{"loc": ["driver"], "msg": message, "type": "missing" if name is None else "driver"}])


def _is_rendered(body: object) -> bool:
    options = body.get("options") if isinstance(body, dict) else None
    return isinstance(body, dict) and (
        body.get("rendering") is not None or (isinstance(options, dict) and options.get("rendering") is not None)
    )


def _with_parsing(body: object) -> object:
    """What clients of netmiko say in `driver_args` goes to `options.parsing`, unless that is given too."""
    args = body.get("driver_args") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(args, dict) or not NETMIKO_NAMES & args.keys():
        return body
    rest, parsing = from_driver_args(args)
    given = parsing is None or "parsing" in body
    return {**body, "driver_args": rest, **({} if given else {"parsing": parsing})}


def arguments_of(driver: Driver, execute: Execute) -> Arguments:
    """The validated `driver_args`. Raises RequestInvalid."""
    model = driver.config_args if execute.config is not None else driver.query_args
    _refuse_for_queries(execute)
    return validated(model, driver_args(execute.driver_args, execute.options), ("driver_args",))


def driver_args(given: dict[str, Any], options: Options) -> dict[str, Any]:
    """`driver_args` with what `options` say of the same."""
    return {**given, "dry_run": True} if options.dry_run else given


_FOR_CHANGES = ("dry_run", "checks", "rollback")


def _refuse_for_queries(execute: Execute) -> None:
    _refuse_odd_rendering(execute)
    if execute.config is not None:
        if execute.options.parsing is not None:
            raise _fault("parsing", "is for queries (command) only")
        return
    for name in _FOR_CHANGES:
        if getattr(execute.options, name):
            raise _fault(name, "is for changes (config) only")


def _refuse_odd_rendering(execute: Execute) -> None:
    rendering = execute.options.rendering
    if rendering is None:
        return
    source = execute.config if execute.config is not None else execute.command
    if source is None:
        raise _fault("rendering", "is for command and config")
    if isinstance(source, dict) != (rendering.template is not None):
        raise _fault("rendering", "template goes with an object; text in command or config is itself the template")


def _fault(option: str, message: str) -> RequestInvalid:
    return _wrong(["options", option], message, "operation")


def _wrong(place: list[str], message: str, kind: str) -> RequestInvalid:
    return RequestInvalid([{"loc": place, "msg": message, "type": kind}])


def request_of(driver: Driver, execute: Execute, args: Arguments, *, with_file: bool = False) -> Request:
    """The request that `execute` and its `driver_args` are. Raises RequestInvalid for what its device cannot do."""
    _refuse_impossible(driver, execute, args)
    operation = _operation(execute, args)
    if (operation == "upload") != with_file:
        message = "is for uploads only" if with_file else "missing: send an upload as multipart/form-data"
        raise _wrong(["file"], message, "operation")
    public, secret = split(execute, execute.connection_args, args)
    return Request(
        driver=driver.name,
        operation=operation,
        lines=[] if execute.options.rendering else execute.config or execute.command or [],
        target=driver.target(execute.connection_args),
        strategy=execute.options.queue_strategy or driver.default_strategy,
        options=execute.options,
        public=public,
        secret=secret,
        warnings=[*_no_effect("connection_args", execute.connection_args), *_no_effect("driver_args", args)],
    )


def _operation(execute: Execute, args: Arguments) -> Literal["command", "config", "upload", "download"]:
    if execute.config is not None:
        return "config"
    wish = transfer_of(args)
    return wish.operation if wish else "command"


def _refuse_impossible(driver: Driver, execute: Execute, args: Arguments) -> None:
    login = execute.connection_args
    if isinstance(args, ChangeArguments):
        timed = args.revert_in is not None
        wanted = {"dry_run": args.dry_run, "revert_in": timed, "replace": args.replace, "config": True}
        for name in (name for name, asked in wanted.items() if asked):
            _require(driver, login, ["driver_args", name], name)
    elif transfer_of(args):
        _require(driver, login, ["driver_args", "file_transfer"], "files")


def _require(driver: Driver, login: Arguments, place: list[str], capability: str) -> None:
    """Raises RequestInvalid unless the driver has it on the login's device."""
    device_type = getattr(login, "device_type", None)
    if not getattr(driver.capabilities(device_type), capability):
        message = f"the driver {driver.name} cannot do that on {device_type or 'this kind of device'}"
        raise _wrong(place, message, "capability")


def split(body: Arguments, connection: Arguments, args: Arguments | None = None) -> tuple[dict[str, Any], str]:
    """Of a body with these arguments: what may be kept for ever, and the JSON of what is to be sealed."""
    sent = body.model_dump(mode="json", exclude_unset=True, context={"reveal": True})
    masked = body.model_dump(mode="json", exclude_unset=True)
    secrets = secrets_of(connection)
    if args is not None and "driver_args" in masked:  # of which the body knows no types
        shown = args.model_dump(mode="json", exclude_unset=True)
        masked["driver_args"] = {name: shown.get(name, value) for name, value in masked["driver_args"].items()}
        secrets |= secrets_of(args)
    public: dict[str, Any] = redact_all(masked, secrets)
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


def _rendered_model(execute: type[Execute]) -> type[Execute]:
    """The same, with templates or their context in the place of lines."""
    return create_model(
        f"Rendered{execute.__name__}",
        __base__=execute,
        command=(cast(Any, Source | None), None),
        config=(cast(Any, Source | None), None),
    )


def _no_effect(place: str, args: Arguments) -> Iterator[str]:
    for name in sorted(args.no_effect & args.model_fields_set):
        yield f"{place}.{name} no longer has an effect: the driver needs no such tuning."
