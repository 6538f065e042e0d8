"""The API's description says what the API does."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.integration.app.answers import success
from tests.integration.app.serving import body, connection

METHODS = {
    ("post", "/device/execute"): ["wait", "Idempotency-Key"],
    ("post", "/device/exec"): ["wait", "Idempotency-Key"],
    ("get", "/job"): [
        "id",
        "queue",
        "status",
        "node",
        "host",
        "driver",
        "batch",
        "schedule",
        "output",
        "parsed",
        "since",
        "until",
        "limit",
        "cursor",
        "wait",
    ],
    ("get", "/device/{host}/history"): ["host", "command", "port", "since", "until", "limit", "text"],
    ("delete", "/job"): ["id", "queue", "host", "batch", "force"],
    ("get", "/job/{job_id}"): ["job_id", "wait"],
    ("get", "/job/{job_id}/events"): ["job_id"],
    ("post", "/job/{job_id}/confirm"): ["job_id", "wait"],
    ("post", "/device/bulk"): ["Idempotency-Key"],
    ("get", "/batch/{batch_id}"): ["batch_id"],
    ("get", "/batch/{batch_id}/events"): ["batch_id"],
    ("get", "/worker"): ["queue", "node", "host"],
    ("delete", "/worker"): ["name", "node", "queue", "host", "force"],
    ("get", "/session"): ["host", "node", "queue", "limit"],
    ("get", "/system/stats"): [],
    ("post", "/device/test-connection"): ["timeout"],
    ("post", "/device/test"): ["timeout"],
    ("get", "/driver"): ["device_type"],
    ("get", "/driver/{name}"): ["name", "device_type"],
    ("get", "/host-key"): ["host", "limit", "cursor"],
    ("post", "/host-key"): [],
    ("delete", "/host-key"): ["host", "port"],
    ("get", "/circuit"): ["host", "limit"],
    ("delete", "/circuit"): ["host"],
    ("get", "/webhook/delivery"): ["id", "job", "state", "receiver", "since", "limit", "cursor"],
    ("post", "/webhook/delivery/{delivery_id}/redeliver"): ["delivery_id"],
    ("get", "/storage/{file_id}"): ["file_id"],
    ("delete", "/storage/{file_id}"): ["file_id"],
    ("post", "/detached-task"): ["wait", "Idempotency-Key"],
    ("get", "/detached-task"): ["host", "state", "limit", "cursor"],
    ("get", "/detached-task/{task_id}"): ["task_id", "refresh"],
    ("get", "/detached-task/{task_id}/log"): ["task_id", "offset", "size", "wait", "format"],
    ("delete", "/detached-task/{task_id}"): ["task_id", "force"],
    ("post", "/template/render"): [],
    ("post", "/template/render/{engine}"): ["engine"],
    ("post", "/template/parse"): [],
    ("post", "/template/parse/{engine}"): ["engine"],
    ("get", "/template"): ["kind", "prefix", "limit", "cursor"],
    ("get", "/template/{kind}/{name}"): ["kind", "name", "version"],
    ("post", "/template/{kind}/{name}"): ["kind", "name"],
    ("put", "/template/{kind}/{name}"): ["kind", "name"],
    ("delete", "/template/{kind}/{name}"): ["kind", "name"],
    ("post", "/credential/{provider}/test"): ["provider"],
    ("post", "/credential/{provider}/create"): ["provider"],
    ("post", "/credential/{provider}/read"): ["provider"],
    ("post", "/credential/{provider}/delete"): ["provider"],
    ("post", "/credential/{provider}/list"): ["provider"],
    ("post", "/credential/{provider}/metadata"): ["provider"],
    ("post", "/credential/{provider}/batch-read"): ["provider"],
    ("get", "/audit"): [
        "actor",
        "host",
        "job",
        "batch",
        "action",
        "allowed",
        "request_id",
        "since",
        "until",
        "limit",
        "cursor",
    ],
    ("get", "/schedule"): ["name", "enabled", "limit", "cursor"],
    ("post", "/schedule"): [],
    ("get", "/schedule/{schedule_id}"): ["schedule_id"],
    ("patch", "/schedule/{schedule_id}"): ["schedule_id"],
    ("delete", "/schedule/{schedule_id}"): ["schedule_id"],
    ("post", "/schedule/{schedule_id}/run"): ["schedule_id"],
    ("get", "/key"): [],
    ("post", "/key"): [],
    ("get", "/key/{name}"): ["name"],
    ("delete", "/key/{name}"): ["name"],
    ("post", "/key/{name}/rotate"): ["name"],
    ("get", "/report"): [],
    ("get", "/report/{name}"): [
        "name",
        "host",
        "zone",
        "command",
        "driver",
        "operation",
        "state",
        "error_type",
        "submitted_by",
        "actor",
        "since",
        "until",
        "limit",
        "cursor",
        "format",
    ],
    ("get", "/health"): [],
    ("get", "/health/live"): [],
    ("get", "/health/ready"): [],
}
STATUSES = {
    ("post", "/device/execute"): "200 201 400 403 409 413 415 429 500 503",
    ("post", "/device/exec"): "200 201 400 403 409 413 415 429 500 503",
    ("get", "/job"): "200 400 403 404 429 500 503",
    ("delete", "/job"): "200 400 403 404 429 500 503",
    ("get", "/device/{host}/history"): "200 400 403 429 500 503",
    ("get", "/job/{job_id}"): "200 400 403 404 429 500 503",
    ("get", "/job/{job_id}/events"): "200 400 403 404 429 500 503",
    ("post", "/job/{job_id}/confirm"): "201 400 403 404 409 429 500 503",
    ("post", "/device/bulk"): "200 201 400 403 409 413 415 429 500 503",
    ("get", "/batch/{batch_id}"): "200 400 403 404 429 500 503",
    ("get", "/batch/{batch_id}/events"): "200 400 403 404 429 500 503",
    ("get", "/worker"): "200 400 403 429 500 503",
    ("delete", "/worker"): "200 400 403 404 429 500 503",
    ("get", "/session"): "200 400 403 429 500 503",
    ("get", "/system/stats"): "200 400 403 429 500 503",
    ("post", "/device/test-connection"): "200 400 403 413 415 429 500 503",
    ("post", "/device/test"): "200 400 403 413 415 429 500 503",
    ("get", "/driver"): "200 400 403 429 500 503",
    ("get", "/driver/{name}"): "200 400 403 404 429 500 503",
    ("get", "/host-key"): "200 400 403 429 500 503",
    ("post", "/host-key"): "200 400 403 413 415 429 500 503",
    ("delete", "/host-key"): "200 400 403 429 500 503",
    ("get", "/circuit"): "200 400 403 429 500 503",
    ("delete", "/circuit"): "200 400 403 429 500 503",
    ("get", "/webhook/delivery"): "200 400 403 429 500 503",
    ("post", "/webhook/delivery/{delivery_id}/redeliver"): "200 400 403 404 409 429 500 503",
    ("get", "/storage/{file_id}"): "200 400 403 404 409 429 500 503",
    ("delete", "/storage/{file_id}"): "200 400 403 404 409 429 500 503",
    ("post", "/detached-task"): "200 201 400 403 409 413 415 429 500 503",
    ("get", "/detached-task"): "200 400 403 429 500 503",
    ("get", "/detached-task/{task_id}"): "200 400 403 404 429 500 503",
    ("get", "/detached-task/{task_id}/log"): "200 400 403 404 409 429 500 503",
    ("delete", "/detached-task/{task_id}"): "200 400 403 404 409 429 500 503",
    ("post", "/template/render"): "200 400 403 404 413 415 429 500 503",
    ("post", "/template/render/{engine}"): "200 400 403 404 413 415 429 500 503",
    ("post", "/template/parse"): "200 400 403 404 413 415 429 500 503",
    ("post", "/template/parse/{engine}"): "200 400 403 404 413 415 429 500 503",
    ("get", "/template"): "200 400 403 429 500 503",
    ("get", "/template/{kind}/{name}"): "200 400 403 404 429 500 503",
    ("post", "/template/{kind}/{name}"): "200 400 403 404 409 413 415 429 500 503",
    ("put", "/template/{kind}/{name}"): "200 400 403 404 413 415 429 500 503",
    ("delete", "/template/{kind}/{name}"): "200 400 403 404 429 500 503",
    ("post", "/credential/{provider}/test"): "200 400 403 404 429 500 503",
    ("post", "/credential/{provider}/create"): "200 400 403 404 413 415 429 500 503",
    ("post", "/credential/{provider}/read"): "200 400 403 404 413 415 429 500 503",
    ("post", "/credential/{provider}/delete"): "200 400 403 404 413 415 429 500 503",
    ("post", "/credential/{provider}/list"): "200 400 403 404 413 415 429 500 503",
    ("post", "/credential/{provider}/metadata"): "200 400 403 404 413 415 429 500 503",
    ("post", "/credential/{provider}/batch-read"): "200 400 403 404 413 415 429 500 503",
    ("get", "/audit"): "200 400 403 429 500 503",
    ("get", "/schedule"): "200 400 403 429 500 503",
    ("post", "/schedule"): "201 400 403 409 413 415 429 500 503",
    ("get", "/schedule/{schedule_id}"): "200 400 403 404 429 500 503",
    ("patch", "/schedule/{schedule_id}"): "200 400 403 404 409 413 415 429 500 503",
    ("delete", "/schedule/{schedule_id}"): "200 400 403 404 429 500 503",
    ("post", "/schedule/{schedule_id}/run"): "201 400 403 404 409 429 500 503",
    ("get", "/key"): "200 400 403 429 500 503",
    ("post", "/key"): "201 400 403 409 413 415 429 500 503",
    ("get", "/key/{name}"): "200 400 403 404 429 500 503",
    ("delete", "/key/{name}"): "200 400 403 404 429 500 503",
    ("post", "/key/{name}/rotate"): "200 400 403 404 409 413 415 429 500 503",
    ("get", "/report"): "200 400 403 429 500 503",
    ("get", "/report/{name}"): "200 400 403 404 429 500 503",
    ("get", "/health"): "200 400 403 429 500 503",
    ("get", "/health/live"): "200 500",
    ("get", "/health/ready"): "200 500 503",
}
STREAMS = {("get", "/job/{job_id}/events"), ("get", "/batch/{batch_id}/events")}
PUBLIC = {("get", "/health/live"), ("get", "/health/ready")}


@pytest.fixture
def description(asking: httpx.Client) -> dict[str, Any]:
    """The description; asked for twice, as it is repaired in place."""
    first, second = (asking.get("/docs/openapi.json").json() for _ in range(2))
    assert first == second
    found: dict[str, Any] = first
    return found


def operations(description: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """By method and path."""
    return {(method, path): item for path, methods in description["paths"].items() for method, item in methods.items()}


def parts(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in `value`, itself too."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from parts(inner)


def schema(description: dict[str, Any], name: str) -> dict[str, Any]:
    """A component's schema."""
    found: dict[str, Any] = description["components"]["schemas"][name]
    return found


def test_version_and_operations(description: dict[str, Any]) -> None:
    assert re.fullmatch(r"3\.1\.\d+", description["openapi"])
    assert operations(description).keys() == METHODS.keys()
    names = [item["operationId"] for item in operations(description).values()]
    assert len(set(names)) == len(names)
    assert all(item["summary"] for item in operations(description).values())


def test_parameters(description: dict[str, Any]) -> None:
    """That no other is accepted, test_bad_queries shows."""
    for operation, item in operations(description).items():
        assert [parameter["name"] for parameter in item.get("parameters", [])] == METHODS[operation], operation


def test_statuses(description: dict[str, Any]) -> None:
    for operation, item in operations(description).items():
        assert " ".join(sorted(item["responses"])) == STATUSES[operation], operation
        for status, answer in item["responses"].items():
            if operation in STREAMS and status == "200":
                assert list(answer["content"]) == ["text/event-stream"]
                assert "`end`" in answer["description"]
                continue
            if operation == ("get", "/storage/{file_id}") and status == "200":
                assert list(answer["content"]) == ["application/octet-stream"]
                continue
            ref = answer["content"]["application/json"]["schema"]["$ref"]
            assert ("Failure" in ref) == (int(status) >= 400), (operation, status)


def test_references_resolve(description: dict[str, Any]) -> None:
    references = [part["$ref"] for part in parts(description) if "$ref" in part]
    references += [
        ref for part in parts(description) for ref in part.get("discriminator", {}).get("mapping", {}).values()
    ]
    assert len(references) > 50
    for reference in references:
        assert reference.removeprefix("#/components/schemas/") in description["components"]["schemas"]


def test_component_names(description: dict[str, Any]) -> None:
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in description["components"]["schemas"])


def test_security(description: dict[str, Any]) -> None:
    schemes = description["components"]["securitySchemes"]
    assert sorted(scheme["in"] for scheme in schemes.values()) == ["cookie", "header", "query"]
    assert {(scheme["type"], scheme["name"]) for scheme in schemes.values()} == {("apiKey", "X-API-KEY")}
    assert description["security"] == [{name: []} for name in schemes]
    assert {name for name, item in operations(description).items() if item.get("security") == []} == PUBLIC


@pytest.mark.parametrize("path", ["/device/execute", "/device/exec"])
def test_body(description: dict[str, Any], path: str) -> None:
    request = description["paths"][path]["post"]["requestBody"]
    assert request["required"] is True
    found = request["content"]["application/json"]["schema"]
    drivers = ("netmiko", "napalm", "pyeapi", "paramiko")
    mapping = {name: f"#/components/schemas/{name.capitalize()}Execute" for name in drivers}
    assert found["discriminator"] == {"propertyName": "driver", "mapping": mapping}
    assert found["oneOf"] == [{"$ref": ref} for ref in mapping.values()]


def test_models_are_closed(description: dict[str, Any]) -> None:
    for name in ("NetmikoExecute", "NetmikoConnection", "NetmikoQuery", "NetmikoConfig", "Options"):
        assert schema(description, name)["additionalProperties"] is False, name
    execute = schema(description, "NetmikoExecute")
    assert execute["required"] == ["driver", "connection_args"]
    transfer = {"required": ["driver_args"], "properties": {"driver_args": {"required": ["file_transfer"]}}}
    assert execute["oneOf"] == [{"required": ["command"]}, {"required": ["config"]}, transfer]
    assert schema(description, "Options")["properties"].keys() < execute["properties"].keys()
    for name in ("command", "config"):
        assert {"type": "string"} in execute["properties"][name]["anyOf"]


def test_secrets(description: dict[str, Any]) -> None:
    """Every secret is write-only, and nothing suggests a value for one."""
    connection = schema(description, "NetmikoConnection")["properties"]
    for name in ("password", "secret", "passphrase", "pkey"):
        assert {"type": "string", "format": "password", "writeOnly": True} in connection[name]["anyOf"]
        assert connection[name].get("default") is None
    defaults = [part["default"] for part in parts(schema(description, "NetmikoConnection")) if "default" in part]
    assert not [value for value in defaults if isinstance(value, str) and value not in ("", "utf-8")]


def test_an_awaited_job_is_valid(description: dict[str, Any]) -> None:
    """It fits AcceptedView as well, so that `oneOf` would refuse it."""
    answer = description["paths"]["/device/execute"]["post"]["responses"]["201"]["content"]["application/json"]
    envelope = schema(description, answer["schema"]["$ref"].removeprefix("#/components/schemas/"))
    choices = [{"$ref": f"#/components/schemas/{name}"} for name in ("AcceptedView", "AwaitedView")]
    assert envelope["properties"]["data"] == {"anyOf": choices}


def test_the_next_page_is_described(description: dict[str, Any]) -> None:
    assert "X-Next-Cursor" in description["paths"]["/job"]["get"]["responses"]["200"]["headers"]


def test_examples_are_accepted(asking: httpx.Client, api: httpx.Client) -> None:
    described = asking.get("/docs/openapi.json").json()["paths"]["/device/execute"]["post"]["requestBody"]
    examples = described["content"]["application/json"]["examples"]
    operations = [name for example in examples.values() for name in ("command", "config") if name in example["value"]]
    assert sorted(operations) == ["command"] * 4 + ["config"] * 4
    for example in examples.values():
        success(api.post("/device/execute", json=example["value"]), 201)


def test_described_arguments_are_accepted(description: dict[str, Any], api: httpx.Client) -> None:
    """Every option with its own default, where the description gives one."""
    given = {
        name: {
            key: item["default"]
            for key, item in schema(description, model)["properties"].items()
            if item.get("default")
        }
        for name, model in {"options": "Options", "driver_args": "NetmikoQuery", "login": "NetmikoConnection"}.items()
    }
    assert all(given.values())
    sent = body(
        connection_args=connection(**given["login"]), options=given["options"], driver_args=given["driver_args"]
    )
    success(api.post("/device/execute", json=sent), 201)


def answered_fields(description: dict[str, Any], name: str) -> set[str]:
    """The fields that a described object has."""
    return set(schema(description, name)["properties"])


def test_answers_are_as_described(description: dict[str, Any], api: httpx.Client) -> None:
    accepted = success(api.post("/device/execute", json=body()), 201)
    assert accepted.keys() == answered_fields(description, "AcceptedView")
    assert success(api.get("/job"))[0].keys() == answered_fields(description, "JobView")
    awaited = success(api.post("/device/execute?wait=0.001", json=body()), 201)
    assert awaited.keys() == answered_fields(description, "AwaitedView")
    cancelled = success(api.delete("/job?host=192.0.2.1"))
    assert cancelled.keys() == answered_fields(description, "CancelledView")
    assert api.get("/job?x=1").json().keys() == answered_fields(description, "Failure")


def test_the_page_asks_nobody_else(asking: httpx.Client) -> None:
    page = asking.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert set(re.findall(r"""https?://\w[^\s"'<>]*""", page.text)) == set()
    links = re.findall(r"""(?:src|href)=["']([^"']+)""", page.text)
    local = [link for link in links if not link.startswith("data:")]
    kinds = {"js": "javascript", "css": "css"}
    assert sorted(link.rpartition(".")[2] for link in local) == ["css", "js", "js"]
    for link in local:
        asset = asking.get(link)
        assert asset.status_code == 200
        assert kinds[link.rpartition(".")[2]] in asset.headers["content-type"]
        assert len(asset.content) > 10_000
