"""`/key`."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.integration.app.answers import failure, fault, success
from tests.integration.app.keyring import coming_with, make_key

WISH = {
    "name": "backup.hq",
    "scopes": ["query", "read"],
    "hosts": ["*.HQ.example", "192.0.2.9/24"],
    "credentials": ["sites/hq/*"],
    "expires_in_days": 7,
    "requests_per_minute": 60,
    "queued_jobs": 0,
    "description": "Nightly",
}
BAD: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "no-name": ({"name": None}, ["name"]),
    "name": ({"name": "Backup"}, ["name"]),
    "scope": ({"scopes": ["write"]}, ["scopes", 0]),
    "host": ({"hosts": ["ok", "a b"]}, ["hosts", 1]),
    "credential": ({"credentials": ["[a]"]}, ["credentials", 0]),
    "past": ({"expires_in_days": None, "expires_at": "2020-01-01"}, ["expires_at"]),
    "both": ({"expires_at": "2100-01-01T00:00:00Z"}, []),
    "misspelt": ({"scope": "read"}, ["scope"]),
}


def test_made_and_shown(api: httpx.Client) -> None:
    made = success(api.post("/key", json=WISH), 201)
    text = made.pop("key")
    assert text.startswith(f"npk_{made['id']}_")
    assert (made["scopes"], made["hosts"]) == (["read", "query"], ["*.hq.example", "192.0.2.0/24"])
    assert (made["status"], made["created_by"], made["last_used_at"]) == ("active", "admin", None)
    assert {name: made[name] for name in ("requests_per_minute", "queued_jobs")} == {
        "requests_per_minute": 60,
        "queued_jobs": 0,
    }
    assert success(api.get("/key/backup.hq")) == made
    assert success(api.get("/key")) == [made]
    for answer in (api.get("/key"), api.get("/key/backup.hq"), api.delete("/key/backup.hq")):
        assert text.rpartition("_")[2] not in answer.text
        assert "digest" not in answer.text


@pytest.mark.parametrize(("changes", "place"), BAD.values(), ids=BAD.keys())
def test_bad(api: httpx.Client, changes: dict[str, Any], place: list[Any]) -> None:
    body = {name: value for name, value in {**WISH, **changes}.items() if value is not None}
    assert fault(api.post("/key", json=body))["loc"] == place
    assert success(api.get("/key")) == []


def test_a_name_is_for_ever(api: httpx.Client) -> None:
    make_key(api, "ours", "read")
    for _ in range(2):
        assert "for ever" in failure(api.post("/key", json={"name": "ours", "scopes": ["read"]}), 409)["message"]
        success(api.delete("/key/ours"))


@pytest.mark.parametrize("name", ["nobody", "admin", "Upper", "%00"])
def test_unknown(api: httpx.Client, name: str) -> None:
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/rotate")):
        failure(api.request(method, f"/key/{name}{path}", json={} if method == "POST" else None), 404)


def test_revoked_is_revoked(api: httpx.Client) -> None:
    make_key(api, "ours", "read")
    first = success(api.delete("/key/ours"))
    assert first["status"] == "revoked"
    assert success(api.delete("/key/ours")) == first
    assert "revoked" in failure(api.post("/key/ours/rotate", json={}), 409)["message"]


def test_rotated(api: httpx.Client) -> None:
    text = make_key(api, "ours", "read")
    rotated = success(api.post("/key/ours/rotate", json={"grace_s": 60}))
    assert rotated["key"] != text
    assert text.startswith(f"npk_{rotated['id']}_")
    assert rotated["previous_until"] is not None
    assert fault(api.post("/key/ours/rotate", json={"grace_s": 30 * 86_400 + 1}))["loc"] == ["grace_s"]


@pytest.fixture
def limited(api: httpx.Client) -> Iterator[httpx.Client]:
    """An admin, but for some devices and credentials only."""
    limits = {"hosts": ["192.0.2.0/24"], "credentials": ["sites/hq/*"]}
    with coming_with(api.base_url, make_key(api, "limited", "admin", **limits)) as client:
        yield client


WITHIN = {"hosts": ["192.0.2.128/25"], "credentials": ["sites/hq/admin"]}
WIDER: dict[str, dict[str, Any]] = {
    "any-host": {"credentials": ["sites/hq/admin"]},
    "other-host": {**WITHIN, "hosts": ["192.0.2.1", "192.0.3.1"]},
    "any-credential": {"hosts": ["192.0.2.1"]},
    "other-credential": {**WITHIN, "credentials": ["sites/*"]},
}


def test_a_limited_admin_makes_keys_within_its_limits(limited: httpx.Client) -> None:
    make_key(limited, "inner", "admin", **WITHIN)
    assert success(limited.get("/key/inner"))["created_by"] == "limited"
    success(limited.post("/key/inner/rotate", json={}))
    success(limited.delete("/key/inner"))


@pytest.mark.parametrize("wish", WIDER.values(), ids=WIDER.keys())
def test_a_limited_admin_gets_hold_of_no_wider_rights(
    api: httpx.Client, limited: httpx.Client, wish: dict[str, Any]
) -> None:
    answer = limited.post("/key", json={"name": "outer", "scopes": ["read"], **wish})
    assert failure(answer, 403)["message"] == "The key 'limited' is limited, and 'outer' would have wider rights."
    make_key(api, "outer", "read", **wish)
    failure(limited.post("/key/outer/rotate", json={}), 403)
    failure(limited.delete("/key/outer"), 403)
    assert success(api.get("/key/outer"))["status"] == "active"
