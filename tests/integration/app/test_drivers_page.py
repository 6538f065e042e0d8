"""`GET /driver`: what the installed drivers take, and what they can do."""

import dataclasses
from typing import Any

import httpx
import pytest

from drivers.base import Capabilities
from drivers.registry import load_drivers
from tests.integration.app.answers import failure, fault, success

DRIVERS = load_drivers()


def test_all_of_them(asking: httpx.Client) -> None:
    found = success(asking.get("/driver"))
    assert [driver["name"] for driver in found] == sorted(DRIVERS)
    for driver in found:
        assert driver == success(asking.get(f"/driver/{driver['name']}"))
        assert driver["default_strategy"] == DRIVERS[driver["name"]].default_strategy
        assert driver["device_types"] == list(DRIVERS[driver["name"]].device_types())


@pytest.mark.parametrize("name", DRIVERS)
def test_schemas_are_those_that_are_validated(asking: httpx.Client, name: str) -> None:
    found, driver = success(asking.get(f"/driver/{name}")), DRIVERS[name]
    for kind in ("connection_args", "query_args", "config_args"):
        assert found[kind]["additionalProperties"] is False
        assert found[kind]["properties"].keys() == getattr(driver, kind).model_fields.keys()
    assert found["example"] == driver.example


def secrets(schema: Any) -> list[dict[str, Any]]:
    """Every part of a schema that is a password."""
    if isinstance(schema, list):
        return [found for inner in schema for found in secrets(inner)]
    if not isinstance(schema, dict):
        return []
    own = [schema] if schema.get("format") == "password" else []
    return own + [found for inner in schema.values() for found in secrets(inner)]


def test_secrets_are_write_only(asking: httpx.Client) -> None:
    login = success(asking.get("/driver/netmiko"))["connection_args"]
    assert len(secrets(login)) >= 4
    assert all(secret["writeOnly"] is True for secret in secrets(login))
    assert secrets(login["properties"]["password"])


@pytest.mark.parametrize("name", DRIVERS)
def test_capabilities_by_device_type(asking: httpx.Client, name: str) -> None:
    """What is said in general, with the variants, is what is said of each."""
    found, driver = success(asking.get(f"/driver/{name}")), DRIVERS[name]
    usual = found["capabilities"]
    assert usual.keys() == {field.name for field in dataclasses.fields(Capabilities)}
    by_type = {kind: variant["capabilities"] for variant in found["variants"] for kind in variant["device_types"]}
    assert usual not in by_type.values()
    for device_type in [*list(by_type)[:3], *driver.device_types()[:3]]:
        one = success(asking.get(f"/driver/{name}", params={"device_type": device_type}))
        assert one["capabilities"] == by_type.get(device_type, usual)
        assert one["variants"] == []


def test_who_knows_a_device_type(asking: httpx.Client) -> None:
    knowing = [name for name, driver in DRIVERS.items() if "cisco_ios" in driver.device_types()]
    found = success(asking.get("/driver?device_type=cisco_ios"))
    assert [driver["name"] for driver in found] == sorted(knowing)
    assert "netmiko" in knowing


@pytest.mark.parametrize("path", ["/driver", "/driver/netmiko"])
def test_unknown_device_types(asking: httpx.Client, path: str) -> None:
    found = fault(asking.get(f"{path}?device_type=cisco_iso"))
    assert found["loc"] == ["query", "device_type"]
    assert "did you mean" in found["msg"]
    assert "cisco_iso" not in found["msg"].replace("cisco_ios", "")


def test_unknown_drivers(asking: httpx.Client) -> None:
    assert "netmiko" in failure(asking.get("/driver/netmoki"), 404)["message"]
