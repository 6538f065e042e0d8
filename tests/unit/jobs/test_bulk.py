"""The body of a bulk: what the members share, and what each brings."""

from typing import Any

import pytest

from drivers.registry import load_drivers
from jobs.bulk import MOST_DEVICES, Bulk
from jobs.invalid import RequestInvalid
from jobs.requests import RequestModels

MODELS = RequestModels(load_drivers())
LOGIN = {"device_type": "cisco_ios", "username": "admin", "password": "the-password"}


def body(*devices: Any, **changes: Any) -> dict[str, Any]:
    """A bulk's body; a field changed to None is left out."""
    common = {"driver": "netmiko", "connection_args": LOGIN, "command": "show version", "devices": list(devices)}
    return {name: value for name, value in (common | changes).items() if value is not None}


def bulk(*devices: Any, **changes: Any) -> Bulk:
    """A bulk whose common part is valid."""
    return Bulk(MODELS, body(*devices, **changes))


COMMON_FAULTS: dict[str, tuple[object, list[str], str]] = {
    "not-an-object": ([], [], "JSON object"),
    "no-devices": (body(devices=None), ["devices"], "missing"),
    "devices-text": (body(devices="a"), ["devices"], "list"),
    "devices-object": (body(devices={"host": "a"}), ["devices"], "list"),
    "empty": (body(), ["devices"], "these are 0"),
    "too-many": (body(*[{"host": "a"}] * (MOST_DEVICES + 1)), ["devices"], "these are 10,001"),
    "driver": (body({"host": "a"}, driver="nothing"), ["driver"], "no such driver"),
    "unknown": (body({"host": "a"}, comand="x"), ["comand"], "did you mean 'command'?"),
    "option": (body({"host": "a"}, options={"ttl": -1}), ["options", "ttl"], "greater than 0"),
    "top-option": (body({"host": "a"}, ttl="x"), ["options", "ttl"], "number"),
    "zone": (body({"host": "a"}, options={"zone": "No Zone"}), ["options", "zone"], "pattern"),
    "driver-args": (body({"host": "a"}, driver_args={"read_timeout": "x"}), ["driver_args", "read_timeout"], "number"),
    "both": (body({"host": "a"}, config="x"), [], "exactly one"),
    "login-not-an-object": (body({"host": "a"}, connection_args=[]), ["connection_args"], "JSON object"),
    "login": (body({"host": "a"}, connection_args={"port": 0}), ["connection_args", "port"], "greater"),
    "login-unknown": (body({"host": "a"}, connection_args={"prt": 1}), ["connection_args", "prt"], "'port'"),
    "long": (body(*[{"host": "a"}] * 10_000, command=["x" * 16_000] * 2), ["devices"], "in parts"),
}


@pytest.mark.parametrize(("sent", "place", "says"), COMMON_FAULTS.values(), ids=COMMON_FAULTS.keys())
def test_a_fault_of_the_common_part(sent: object, place: list[str], says: str) -> None:
    with pytest.raises(RequestInvalid) as raised:
        Bulk(MODELS, sent)
    assert raised.value.details[0]["loc"] == place
    assert says in raised.value.details[0]["msg"]


MEMBER_FAULTS: dict[str, tuple[Any, str]] = {
    "text": ("192.0.2.1", "JSON object"),
    "nothing": ({}, "exactly one of host and ip"),
    "host": ({"host": "a b"}, "connection_args.host: not a host name"),
    "port": ({"host": "a", "port": 70_000}, "connection_args.port"),
    "unknown": ({"host": "a", "comand": "x"}, "did you mean 'command'?"),
    "option": ({"host": "a", "ttl": 5}, "connection_args.ttl: unknown field"),
    "two-operations": ({"host": "a", "command": "x", "config": "y"}, "exactly one of command, config"),
    "command": ({"host": "a", "command": []}, "command: must not be empty"),
    "driver-args": ({"host": "a", "driver_args": {"save": True}}, "driver_args.save: unknown field"),
}


@pytest.mark.parametrize(("member", "says"), MEMBER_FAULTS.values(), ids=MEMBER_FAULTS.keys())
def test_a_fault_of_a_member(member: Any, says: str) -> None:
    sent = bulk({"host": "a"}, member)
    assert sent.request(0).target.host == "a"
    with pytest.raises(RequestInvalid, match=says.replace("?", r"\?")):
        sent.request(1)


def test_members_override_the_login() -> None:
    sent = bulk({"host": "a"}, {"host": "b", "port": 2222, "username": "other", "password": None})
    first, second = (sent.request(index) for index in range(2))
    assert (first.target.device_key, second.target.device_key) == ("a:22", "b:2222")
    assert first.public["connection_args"] == {**LOGIN, "host": "a", "password": "***"}
    assert second.public["connection_args"]["username"] == "other"
    assert "the-password" in first.secret
    assert "the-password" not in second.secret


def test_any_name_of_the_address_replaces_the_common_one() -> None:
    sent = bulk({"ip": "192.0.2.2"}, {}, connection_args={**LOGIN, "host": "192.0.2.1"})
    assert [sent.request(index).target.host for index in range(2)] == ["192.0.2.2", "192.0.2.1"]
    assert [sent.host(index) for index in range(2)] == ["192.0.2.2", "192.0.2.1"]


OWN: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[str, list[str]]]] = {
    "command": ({}, {"command": ["a", "b"]}, ("command", ["a", "b"])),
    "config": ({}, {"config": "a\nb"}, ("config", ["a", "b"])),
    "command-for-config": ({"command": None, "config": "x"}, {"command": "a"}, ("command", ["a"])),
    "null": ({}, {"command": None}, ("command", ["show version"])),
    "no-common": ({"command": None}, {"config": "a"}, ("config", ["a"])),
    "own-arguments": (
        {"driver_args": {"normalize": True}},
        {"config": "a", "driver_args": {"save": True}},
        ("config", ["a"]),
    ),
}


@pytest.mark.parametrize(("common", "own", "expected"), OWN.values(), ids=OWN.keys())
def test_a_member_brings_its_operation(common: Any, own: Any, expected: Any) -> None:
    request = bulk({"host": "a", **own}, **{"command": "show version", **common}).request(0)
    assert (request.operation, request.lines) == expected
    assert request.public["connection_args"]["host"] == "a"


def test_no_operation_at_all() -> None:
    with pytest.raises(RequestInvalid, match="exactly one of command, config"):
        bulk({"host": "a"}, command=None).request(0)


@pytest.mark.parametrize(
    ("given", "ttl"), [({}, 600), ({"ttl": 5}, 5), ({"options": {"ttl": 7}}, 7), ({"options": {"priority": 1}}, 600)]
)
def test_time_to_live(given: dict[str, Any], ttl: float) -> None:
    assert bulk({"host": "a"}, **given).request(0).options.ttl == ttl


def test_a_member_equals_the_single_request() -> None:
    """What is kept of a member is what would be kept of the same request sent alone."""
    alone = MODELS.parse({**body(devices=None), "connection_args": {**LOGIN, "host": "a"}, "options": {"ttl": 600}})
    assert bulk({"host": "a"}).request(0) == alone
    own = bulk({"host": "a", "command": "show version"}, command=None, config="x").request(0)
    assert own.canonical() == alone.canonical()


def test_equal_bodies_have_equal_texts() -> None:
    first, second = body({"host": "a", "port": 1}), body({"port": 1, "host": "a"})
    other = body({"host": "a", "port": 2})
    texts = [list(Bulk(MODELS, sent).texts()) for sent in (first, second, other)]
    assert texts[0] == texts[1] != texts[2]
