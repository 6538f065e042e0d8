"""`/host-key`: what is on record of devices' keys."""

from base64 import b64encode
from typing import Any

import httpx
import paramiko
import psycopg
import pytest

from drivers.base import fingerprint
from tests.integration.app.answers import fault, success

ED, RSA = "ssh-ed25519", "ssh-rsa"
ONE, TWO = (f"SHA256:{letter * 43}" for letter in "ab")


def entry(**changes: Any) -> dict[str, Any]:
    """A valid body, with `changes`; a field changed to None is left out."""
    whole = {"host": "192.0.2.1", "kind": ED, "fingerprint": ONE, **changes}
    return {name: value for name, value in whole.items() if value is not None}


def enter(api: httpx.Client, **changes: Any) -> dict[str, Any]:
    data: dict[str, Any] = success(api.post("/host-key", json=entry(**changes)))
    return data


def listed(api: httpx.Client, **query: Any) -> list[tuple[Any, ...]]:
    found = success(api.get("/host-key", params=query))
    return [(key["host"], key["port"], key["kind"], key["fingerprint"]) for key in found]


def test_entering(api: httpx.Client, database: str) -> None:
    shown = {"host": "192.0.2.1", "port": 22, "kind": ED, "source": "entered"}
    seen = {"first_seen_at": None, "last_seen_at": None}
    assert enter(api) == {**shown, "fingerprint": ONE, **seen}
    with psycopg.connect(database) as connection:
        connection.execute(
            "UPDATE netpulse.host_key SET source = 'learnt', first_seen_at = now(), last_seen_at = now()"
        )
    assert enter(api, fingerprint=TWO) == {**shown, "fingerprint": TWO, **seen}
    enter(api, kind=RSA)
    assert listed(api) == [("192.0.2.1", 22, ED, TWO), ("192.0.2.1", 22, RSA, ONE)]


def test_entering_a_public_key(api: httpx.Client) -> None:
    """As it stands in the device's file, with a comment."""
    key = paramiko.ECDSAKey.generate()
    line = f"{key.get_name()} {key.get_base64()} root@r1\n"
    data = enter(api, kind=None, fingerprint=None, public_key=line, host="R1.Example.", port=2222)
    assert (data["host"], data["port"], data["kind"]) == ("r1.example", 2222, "ecdsa-sha2-nistp256")
    assert data["fingerprint"] == fingerprint(key.asbytes())


def test_described_examples_are_accepted(asking: httpx.Client, api: httpx.Client) -> None:
    described = asking.get("/docs/openapi.json").json()["paths"]["/host-key"]["post"]["requestBody"]
    content = described["content"]["application/json"]
    assert content["schema"] == {"$ref": "#/components/schemas/HostKeyEntry"}
    assert len(content["examples"]) == 2
    for example in content["examples"].values():
        success(api.post("/host-key", json=example["value"]))


NO_KEY = b64encode(b"\0\0\0\x07ssh-rsa").decode()
BAD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no host": ({"host": None}, ["host"]),
    "host": ({"host": "a b"}, ["host"]),
    "port": ({"port": 0}, ["port"]),
    "kind": ({"kind": "ssh-dss"}, ["kind"]),
    "fingerprint": ({"fingerprint": "MD5:00:11"}, ["fingerprint"]),
    "no fingerprint": ({"fingerprint": None}, []),
    "nothing": ({"fingerprint": None, "kind": None}, []),
    "both": ({"public_key": f"ssh-rsa {NO_KEY}"}, []),
    "not base64": ({"public_key": "ssh-ed25519 *"}, ["public_key"]),
    "another kind": ({"public_key": f"ssh-ed25519 {NO_KEY}"}, ["public_key"]),
    "empty": ({"public_key": ""}, ["public_key"]),
    "private": ({"public_key": "-----BEGIN OPENSSH PRIVATE KEY-----"}, ["public_key"]),
    "unknown": ({"fingerprnt": ONE}, ["fingerprnt"]),
}


@pytest.mark.parametrize(("changes", "place"), BAD.values(), ids=BAD.keys())
def test_bad_entries(asking: httpx.Client, changes: dict[str, Any], place: list[str]) -> None:
    assert fault(asking.post("/host-key", json=entry(**changes)))["loc"] == place


def test_selecting_and_clearing(api: httpx.Client) -> None:
    places = [("192.0.2.1", 22), ("192.0.2.1", 2222), ("192.0.2.10", 22), ("2001:db8::1", 22), ("r1", 22), ("r10", 22)]
    for host, port in places:
        enter(api, host=host, port=port)

    def left(**query: Any) -> list[tuple[str, int]]:
        return [(host, port) for host, port, *_ in listed(api, **query)]

    assert sorted(left()) == places
    assert left(host="192.0.2.1") == places[:2]
    assert left(host="2001:DB8:0::1") == places[3:4]
    assert left(host="R1.") == places[4:5]
    assert left(host="r2") == []

    assert success(api.delete("/host-key?host=r1")) == {"cleared_count": 1}
    assert success(api.delete("/host-key?host=r1")) == {"cleared_count": 0}
    assert success(api.delete("/host-key?host=192.0.2.1&port=2222")) == {"cleared_count": 1}
    assert sorted(left()) == [places[0], places[2], places[3], places[5]]
    assert success(api.delete("/host-key?host=192.0.2.1")) == {"cleared_count": 1}


def test_pages(api: httpx.Client) -> None:
    """Also between two keys of one device."""
    for number in range(3):
        for kind in (ED, RSA):
            enter(api, host=f"192.0.2.{number}", kind=kind)
    whole, seen, query = listed(api), [], {"limit": "3"}
    for _ in range(3):
        answer = api.get("/host-key", params=query)
        seen += [(key["host"], key["kind"]) for key in success(answer)]
        if "x-next-cursor" not in answer.headers:
            break
        query["cursor"] = answer.headers["x-next-cursor"]
    assert seen == [(host, kind) for host, _, kind, _ in whole]
    assert len(seen) == 6


@pytest.mark.parametrize("cursor", ["", "x", "*", "bnVsbA==", "WzEsIDJd", "WyJhIl0=", "WyJhXHUwMDAwIiwgImIiXQ=="])
def test_bad_cursors(asking: httpx.Client, cursor: str) -> None:
    assert fault(asking.get("/host-key", params={"cursor": cursor}))["loc"] == ["query", "cursor"]


@pytest.mark.parametrize("path", ["/host-key", "/host-key?port=22", "/circuit"])
def test_nothing_is_cleared_everywhere(asking: httpx.Client, path: str) -> None:
    assert fault(asking.delete(path))["loc"] == ["query", "host"]
