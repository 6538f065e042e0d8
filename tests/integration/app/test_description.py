"""The service answers as its description says, whoever asks for whatever."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from litestar import Litestar
from litestar.routes import HTTPRoute
from schemathesis import APIOperation, BaseSchema, Case, GenerationMode
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.access import AccessLog
from app.main import create_app
from app.openapi import DOCS
from tests import postgres
from tests.integration.app.answers import success
from tests.integration.app.keyring import make_key
from tests.integration.app.narrowing import narrowed
from tests.integration.app.serving import KEY, NAME, TIMEOUT_S, body, in_thread
from tests.integration.app.serving import settings as settings_of
from tests.integration.app.test_openapi import METHODS, STREAMS

AnyCase = Case[Any]
Operation = APIOperation[Any, Any, Any, Any]

ASKERS = ("nobody", "read", "query", "config", "admin")
"""`nobody` has no key, the others one with that scope only. Who may destroy most asks last."""

CASES = 6
"""For each operation in each of three ways, of the meaningful ones twice as many; each is sent by all."""

OPERATIONS = sorted(METHODS.keys() - STREAMS, key=lambda operation: ("delete" in " ".join(operation), operation))
"""What is asked; deletions last. An event stream ends with its job, which nobody runs here; see test_events."""

IDS = [f"{method} {path}" for method, path in OPERATIONS]

CONFIG = {
    "generation": {"with-security-parameters": False},  # who asks is ours to say
    "analysis": {"constants": {"enabled": False}},  # generate from the description alone
    "checks": {
        # documented: no worker serves the zone, no Vault is configured
        "not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", "503"]},
        # 413 is also the answer to a template whose text would be too long
        "negative_data_rejection": {"expected-statuses": ["400", "403", "404", "409", "413", "415", "503"]},
    },
}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
"""That everything which fits the description is accepted is not among them: it cannot say what goes with what."""

SETTINGS = settings(
    derandomize=True,  # the same cases whenever it runs
    database=None,
    deadline=None,
    phases=[Phase.generate],  # shrinking would ask a service in which much has changed since
    suppress_health_check=list(HealthCheck),
)

PATIENCE_S = 0.01
"""For what would otherwise hold until a job ends."""

NONE = "00000000-0000-0000-0000-000000000000"

PLACE = {"name": "example", "kind": "jinja2", "provider": "local", "schedule_id": NONE}
"""Where examples are sent."""


@dataclass
class Service:
    """A service that has one thing of each kind, and those who ask it."""

    url: str
    admin: httpx.Client
    sessions: dict[str, requests.Session]
    description: dict[str, Any]
    described: BaseSchema
    narrowed: BaseSchema

    def ask(self, operation: Operation, mode: GenerationMode, cases: int = CASES) -> None:
        """Let everyone send `cases` of what `mode` has for the operation: every answer is as described."""
        strict = mode.is_negative and operation.path != "/device/bulk"  # where a bad member fails alone
        checks = [*CHECKS, negative_data_rejection] if strict else CHECKS
        asked = Counter[str]()

        def send(case: AnyCase) -> None:
            _hurry(case)
            for who, session in self.sessions.items():
                answer = case.call(self.url, session)
                asked[who] += 1
                try:
                    case.validate_response(answer, checks)
                except FailureGroup as failures:
                    failures.add_note(f"asked by {who}")
                    raise

        run = given(case=operation.as_strategy(generation_mode=mode))(send)
        settings(SETTINGS, max_examples=cases)(run)()
        assert all(asked[who] for who in ASKERS)


def _hurry(case: AnyCase) -> None:
    """Shorten what the service would wait; a wait that is not valid stays so."""
    declared = {parameter.name for parameter in case.operation.query}
    for name in declared & {"wait", "timeout"}:
        try:
            given_s = float(str(case.query.get(name, 60)))
        except ValueError:
            continue
        if PATIENCE_S < given_s <= 60:
            case.query[name] = 1 if name == "timeout" else PATIENCE_S


def _may_be_wrong(operation: Operation) -> bool:
    """Whether a request can contradict the description. Any text fits a path that says no more than that."""
    free = all(parameter.definition["schema"] == {"type": "string"} for parameter in operation.path_parameters)
    return not free or bool(operation.query or operation.headers or operation.body)


@pytest.fixture(scope="module")
def service(postgres_url: str, template: str) -> Iterator[Service]:
    """On a database of its own."""
    load_all_checks()
    with (
        postgres.new_database(postgres_url, template) as url,
        in_thread(url, requests_per_minute=0) as (served, admin),
        ExitStack() as stack,
    ):
        sessions = {who: stack.enter_context(requests.Session()) for who in ASKERS}
        sessions["admin"].headers[NAME] = KEY
        for scope in ("read", "query", "config"):
            sessions[scope].headers[NAME] = make_key(admin, f"only-{scope}", scope)
        description = admin.get("/docs/openapi.json").json()
        described, less = (
            schemathesis.openapi.from_dict(each, config=schemathesis.Config.from_dict(CONFIG))
            for each in (description, narrowed(description, things(admin)))
        )
        yield Service(served.url, admin, sessions, description, described, less)


def things(admin: httpx.Client) -> dict[str, list[Any]]:
    """Make one of each kind. Names and values that mean something: those of what is there now, and a few more."""
    make_key(admin, "somebody", "read")
    credential = {"path": "sites/hq/admin", "username": "admin", "password": "not-so-secret"}
    success(admin.post("/credential/local/create", json=credential))
    success(admin.post("/template/jinja2/greeting", json={"template": "hello {{ name }}"}))
    success(admin.post("/template/jinja2/vlans", json={"template": "vlan {{ vlans }}"}))
    success(admin.put("/template/jinja2/vlans", json={"template": "vlans {{ vlans }}"}))  # the examples' version
    job = success(admin.post("/device/execute", json=body()), 201)["id"]
    login = {"device_type": "cisco_ios"}
    common = {
        "driver": "netmiko",
        "connection_args": login,
        "credential_ref": "sites/hq/admin",
        "command": "show clock",
    }
    bulk = {**common, "devices": [{"host": "192.0.2.2"}]}
    batch = success(admin.post("/device/bulk", json=bulk), 201)["batch_id"]
    entry = {"name": "nightly", "cron": "0 3 * * *", "request": bulk}
    schedule = success(admin.post("/schedule", json=entry), 201)["id"]
    hosts = ["192.0.2.1", "192.0.2.2", "router.example"]
    return {
        "job_id": [job, NONE],
        "batch_id": [batch, NONE],
        "schedule_id": [schedule, NONE],
        "id": [job],
        "batch": [batch],
        "job": [job],
        "name": ["greeting", "netmiko", "somebody", "jinja2", "textfsm"],
        "engine": ["jinja2", "textfsm", "ttp", "regex"],
        "provider": ["local", "vault"],
        "path": ["sites/hq/admin", "sites/hq/other"],
        "path_prefix": ["", "sites"],
        "credential_ref": ["sites/hq/admin", {"path": "sites/hq/other", "version": 2}],
        "device_type": ["cisco_ios", "ios", "arista_eos"],
        "queue": ["fifo", "pinned_192.0.2.1"],
        "template": ["hello {{ name }}", r"(?P<name>\w+)"],
        "cursor": ["1", NONE],
        "cron": ["*/5 * * * *", "0 3 * * 1-5"],
        "timezone": ["UTC", "Europe/Berlin"],
        "request": [bulk],
        **dict.fromkeys(("host", "hostname", "ip", "proxy_host"), hosts),
    }


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=IDS)
def test_answers_are_described(service: Service, method: str, path: str) -> None:
    operation = service.described[path][method]
    service.ask(service.narrowed[path][method], GenerationMode.POSITIVE, 2 * CASES)
    service.ask(operation, GenerationMode.POSITIVE)
    if _may_be_wrong(operation):
        service.ask(operation, GenerationMode.NEGATIVE)


def test_the_keys_still_count(service: Service) -> None:
    """After all of that; else the answers were of one kind."""
    for who, session in service.sessions.items():
        answer = session.get(f"{service.url}/driver", timeout=TIMEOUT_S)
        assert answer.status_code == (403 if who == "nobody" else 200), who


def test_every_route_is_described(service: Service) -> None:
    """What is described, the rows of OPERATIONS and STREAMS are, says test_openapi."""
    app = create_app(settings_of(), "postgresql://nobody@127.0.0.1:1/none")
    assert isinstance(app, AccessLog)
    assert isinstance(app.app, Litestar)
    routes = {
        (method.lower(), re.sub(r":\w+}", "}", route.path))
        for route in app.app.routes
        if isinstance(route, HTTPRoute) and not route.path.startswith(DOCS)
        for method in route.methods - {"HEAD", "OPTIONS"}
    }
    assert routes == METHODS.keys()


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=IDS)
def test_examples_are_accepted(service: Service, method: str, path: str) -> None:
    """503: no worker is there to try a login. 404, 409: the requests before have removed or made it."""
    described = service.description["paths"][path][method].get("requestBody", {"content": {}})
    examples = [item["value"] for kind in described["content"].values() for item in kind.get("examples", {}).values()]
    assert bool(examples) == bool(described["content"])
    for example in examples:
        place = path.format_map({**PLACE, "engine": example.get("name", "jinja2")})
        query = {"wait": PATIENCE_S} if "wait" in METHODS[method, path] else None
        answer = service.admin.request(method, place, json=example, params=query)
        assert answer.status_code in (200, 201, 404, 409, 503), answer.text
