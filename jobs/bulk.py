"""One operation on many devices: the body of `/device/bulk`.

What the members share is validated once; for a member only its login is, and what it brings of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from drivers.base import Arguments
from jobs.credentials.base import CredentialRef
from jobs.execute import Execute
from jobs.invalid import RequestInvalid, validated
from jobs.options import Options
from jobs.referrals import FIELD, LOGIN, reference_in, stood_in
from jobs.requests import Request, RequestModels, arguments_of, request_of

MOST_DEVICES = 10_000
MOST_TEXT = 256 * 2**20
"""Characters of commands or configuration that the common part makes, all devices together."""

TTL_S = 600.0
_OPERATION = ("command", "config", "driver_args")
OWN = (*_OPERATION, FIELD)
"""What a member may bring of its own; every other field of it is one of `connection_args`."""

_LINES = ("command", "config")
_ADDRESS = ("host", "ip", "hostname")
"""Names of one thing: a member's replaces whichever the common part has."""

_SHOWN_HOST = 255


class Bulk:
    """A valid common part, and its members as they were sent."""

    def __init__(self, models: RequestModels, body: object) -> None:
        """`body`: decoded JSON. Raises RequestInvalid for a fault of the common part, or of the list itself."""
        self._driver = models.driver_of(body)
        self._models = models
        self._sent, self.devices = _parted(body)
        self._common, self._login, self._ref = _referred(self._sent)
        self._shared: tuple[Execute, Arguments] | None = None
        self.options = Options()
        self._check_login()
        self._check_common()

    def host(self, index: int) -> str | None:
        """How the client named the member's device, to find it again; None if it did not."""
        member = self.devices[index]
        names = self._login_with(member) if isinstance(member, dict) else {}
        named = next((names[name] for name in _ADDRESS if isinstance(names.get(name), str)), None)
        return named and named[:_SHOWN_HOST]

    def request(self, index: int) -> Request:
        """The member's request. Raises RequestInvalid."""
        member = _object(self.devices[index])
        own = {name: member[name] for name in _OPERATION if member.get(name) is not None}
        given, variables = self._parted(member)
        login, ref = self._referred(self._login_with(given), given, member.get(FIELD))
        connection = validated(self._driver.connection_args, login, ("connection_args",), also=OWN)
        execute, args = self._operation(own)
        changed: dict[str, Any] = {"connection_args": connection}
        if ref is not None:
            changed[FIELD] = ref
        if variables:
            changed["options"] = _with_context(execute.options, variables)
        return request_of(self._driver, execute.model_copy(update=changed), args)

    def _referred(
        self, login: dict[str, Any], given: dict[str, Any], own: object
    ) -> tuple[dict[str, Any], CredentialRef | None]:
        """A member's login, and the reference that goes with it: its own one, else the common one, unless the member
        brings a user's name or a password. Raises RequestInvalid.
        """
        if own is not None:
            shared = {name: value for name, value in login.items() if name not in LOGIN}
            mine = {name: given[name] for name in LOGIN if name in given}
            return stood_in({**shared, **mine}), _ref_of(own)
        if self._ref is None or any(given.get(name) is not None for name in LOGIN):
            return login, None
        return stood_in(login), self._ref

    def _parted(self, member: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """A member's login, and its variables: with a template, `vars` and whatever no login knows."""
        rest = {name: value for name, value in member.items() if name not in OWN}
        if self.options.rendering is None:
            return rest, {}
        variables = _object(rest.pop("vars", {}), "vars")
        known = self._driver.connection_args.model_fields
        others = {name: rest.pop(name) for name in [*rest] if name not in known}
        return rest, {**others, **variables}

    def texts(self) -> Iterator[str]:
        """The body in pieces, the common part first: equal bodies have equal texts. Holds secrets."""
        yield json.dumps(self._sent, sort_keys=True)
        for member in self.devices:
            yield json.dumps(member, sort_keys=True)

    def _login_with(self, own: dict[str, Any]) -> dict[str, Any]:
        replaced = _ADDRESS if any(name in own for name in _ADDRESS) else ()
        return {name: value for name, value in self._login.items() if name not in replaced} | own

    def _operation(self, own: dict[str, Any]) -> tuple[Execute, Arguments]:
        """The request apart from the login, of which it has the driver's example."""
        if not own and self._shared is not None:
            return self._shared
        replaced = _LINES if any(name in own for name in _LINES) else ()
        body = {name: value for name, value in self._common.items() if name not in replaced}
        execute = self._models.validate(self._driver, {**body, **own, "connection_args": self._driver.example})
        return execute, arguments_of(self._driver, execute)

    def _check_common(self) -> None:
        """Everything but the login. Where each member brings its operation, one stands in for theirs."""
        if any(self._common.get(name) is not None for name in _LINES):
            self._shared = self._operation({})
            self.options = self._shared[0].options
            source = self._shared[0].config or self._shared[0].command or []
            if sum(map(len, source)) * len(self.devices) > MOST_TEXT:
                raise _fault("devices", "too many for so long a command or config: send the list in parts")
        else:
            body = {**self._common, "command": "-", "connection_args": self._driver.example}
            self.options = self._models.validate(self._driver, body).options

    def _check_login(self) -> None:
        """Each given argument by itself: how they go together, only the whole login of a member shows."""
        if self._ref is not None:
            stood_in(self._login)
        own = {name: value for name, value in self._driver.example.items() if name not in self._login}
        if any(name in self._login for name in _ADDRESS):
            own = {name: value for name, value in own.items() if name not in _ADDRESS}
        try:
            validated(self._driver.connection_args, {**own, **self._login}, ("connection_args",))
        except RequestInvalid as error:
            faults = [detail for detail in error.details if len(detail["loc"]) > 1]
            if faults:
                raise RequestInvalid(faults) from None


def _parted(body: object) -> tuple[dict[str, Any], list[Any]]:
    """The common part, with a bulk's own time to live, and the members."""
    common = _object(body)
    devices = common.get("devices")
    if devices is None:
        raise _fault("devices", "missing: a list of devices is needed", "missing")
    if not isinstance(devices, list):
        raise _fault("devices", "must be a list of objects, one for each device", "list_type")
    if not 1 <= len(devices) <= MOST_DEVICES:
        raise _fault("devices", f"must have 1 to {MOST_DEVICES:,} members; these are {len(devices):,}", "length")
    rest = {name: value for name, value in common.items() if name != "devices"}
    options = rest.get("options", {})
    if isinstance(options, dict) and "ttl" not in {**options, **rest}:
        rest["options"] = {**options, "ttl": TTL_S}
    return rest, devices


def _referred(body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], CredentialRef | None]:
    """Of a common part: the operation and the options, the login, and the reference that goes with it."""
    ref, login = reference_in(body, _object(body.get("connection_args", {}), "connection_args"))
    rest = {name: value for name, value in body.items() if name != FIELD}
    return rest, login, None if ref is None else _ref_of(ref)


def _ref_of(given: object) -> CredentialRef:
    return validated(CredentialRef, {"path": given} if isinstance(given, str) else given, (FIELD,))


def _with_context(options: Options, variables: dict[str, Any]) -> Options:
    assert options.rendering is not None
    context = {**options.rendering.context, **variables}
    return options.model_copy(update={"rendering": options.rendering.model_copy(update={"context": context})})


def _object(value: object, *place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RequestInvalid([{"loc": list(place), "msg": "must be a JSON object", "type": "model_type"}])
    return value


def _fault(place: str, message: str, kind: str = "value_error") -> RequestInvalid:
    return RequestInvalid([{"loc": [place], "msg": message, "type": kind}])
