"""What a client may ask for: the body of `/device/execute`, validated against the driver's own models."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from drivers.base import Arguments, ChangeArguments, Driver, Strategy, Target
from jobs.credentials.base import CredentialRef
from jobs.execute import Execute, execute_model, rendered_model, transfer_of
from jobs.invalid import RequestInvalid, validated
from jobs.options import Options
from jobs.parsing import NETMIKO_NAMES, from_driver_args
from jobs.redaction import redact_all, secrets_of
from jobs.referrals import with_stand_in, without_stand_in
from jobs.storage import StoredFile
from jobs.webhooks.options import JOB_EVENTS, TASK_EVENTS, EventType


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
    credential_ref: CredentialRef | None = None
    """Where the login is kept; `target` then has a stand-in for it."""

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
        self.execute: dict[str, type[Execute]] = {name: execute_model(driver) for name, driver in drivers.items()}
        self._rendered = {name: rendered_model(model) for name, model in self.execute.items()}

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

    def parse(self, body: object, *, with_file: bool = False, events: Sequence[EventType] = JOB_EVENTS) -> Request:
        """Validate a decoded JSON body; `with_file`: a file comes with it; `events`: what a webhook can be told of.

        Raises RequestInvalid.
        """
        driver = self.driver_of(body)
        execute = self.validate(driver, body)
        if execute.options.rollout is not None:
            raise _fault("rollout", "is for /device/bulk only")
        args = arguments_of(driver, execute)
        return request_of(driver, execute, args, with_file=with_file, events=events)

    def parse_task(self, body: object) -> Request:
        """The start of a detached task: a query of one command. Raises RequestInvalid."""
        request = self.parse(body, events=TASK_EVENTS)
        if request.operation != "command" or len(request.lines) != 1:
            raise _wrong(["command"], "a detached task is one command", "operation")
        if request.options.queue_strategy is Strategy.PINNED:
            raise _fault("queue_strategy", "a detached task is always fifo")
        driver = self._drivers[request.driver]
        _require(driver, request.target.connection, ["driver"], "tasks")
        return replace(request, operation="task", strategy=Strategy.FIFO)

    def validate(self, driver: Driver, body: object) -> Execute:
        """The body as `driver`'s model, its `driver_args` not looked into. Raises RequestInvalid."""
        body = with_stand_in(_with_parsing(body))
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


def request_of(
    driver: Driver,
    execute: Execute,
    args: Arguments,
    *,
    with_file: bool = False,
    events: Sequence[EventType] = JOB_EVENTS,
) -> Request:
    """The request that `execute` and its `driver_args` are. Raises RequestInvalid for what its device cannot do."""
    _refuse_impossible(driver, execute, args)
    _refuse_events(execute.options, events)
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
        credential_ref=execute.credential_ref,
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


def _refuse_events(options: Options, possible: Sequence[EventType]) -> None:
    wanted = options.webhook.events if options.webhook is not None else None
    if not set(wanted or possible) <= set(possible):
        raise _fault("webhook", f"events are {', '.join(possible)} here")


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
    if masked.get("credential_ref") is not None:
        sent, masked = without_stand_in(sent), without_stand_in(masked)
    secrets = secrets_of(connection)
    if (webhook := getattr(getattr(body, "options", None), "webhook", None)) is not None:
        secrets |= secrets_of(webhook)
    if args is not None and "driver_args" in masked:  # of which the body knows no types
        shown = args.model_dump(mode="json", exclude_unset=True)
        masked["driver_args"] = {name: shown.get(name, value) for name, value in masked["driver_args"].items()}
        secrets |= secrets_of(args)
    public: dict[str, Any] = redact_all(masked, secrets)
    return public, json.dumps({name: sent[name] for name in sent if sent[name] != public[name]})


def _no_effect(place: str, args: Arguments) -> Iterator[str]:
    for name in sorted(args.no_effect & args.model_fields_set):
        yield f"{place}.{name} no longer has an effect: the driver needs no such tuning."
