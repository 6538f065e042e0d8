"""The stand-in answers hvac's own client as Vault does: what our provider asks is only a part of it."""

from collections.abc import Iterator
from typing import Any

import hvac
import pytest
from hvac.exceptions import Forbidden, InvalidPath, InvalidRequest, VaultDown

from tests.vault import ManualClock, VaultServer


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def server(clock: ManualClock) -> Iterator[VaultServer]:
    with VaultServer(clock=clock) as server:
        yield server


@pytest.fixture
def client(server: VaultServer) -> Iterator[Any]:
    client = hvac.Client(url=server.url, token=server.root_token)
    yield client
    client.adapter.close()


def test_versions_are_deleted_undeleted_and_destroyed(client: Any) -> None:
    kv = client.secrets.kv.v2
    for number in ("1", "2"):
        kv.create_or_update_secret("a", {"n": number})

    kv.delete_secret_versions("a", [1])
    with pytest.raises(InvalidPath) as caught:
        kv.read_secret_version("a", 1, raise_on_deleted_version=True)
    assert caught.value.json["data"]["data"] is None
    assert caught.value.json["data"]["metadata"]["deletion_time"] != ""

    kv.undelete_secret_versions("a", [1])
    assert kv.read_secret_version("a", 1, raise_on_deleted_version=True)["data"]["data"] == {"n": "1"}

    kv.destroy_secret_versions("a", [1])
    with pytest.raises(InvalidPath):
        kv.read_secret_version("a", 1, raise_on_deleted_version=True)
    kv.undelete_secret_versions("a", [1])
    assert kv.read_secret_metadata("a")["data"]["versions"]["1"]["destroyed"]


def test_versions_expire_and_the_oldest_make_room(client: Any, clock: ManualClock) -> None:
    kv = client.secrets.kv.v2
    kv.update_metadata("a", max_versions=2, delete_version_after="60s")
    for number in ("1", "2", "3"):
        kv.create_or_update_secret("a", {"n": number})

    assert sorted(kv.read_secret_metadata("a")["data"]["versions"]) == ["2", "3"]
    assert kv.read_secret_version("a", raise_on_deleted_version=True)["data"]["data"] == {"n": "3"}
    clock.advance(61)
    with pytest.raises(InvalidPath):
        kv.read_secret_version("a", raise_on_deleted_version=True)


def test_check_and_set(client: Any) -> None:
    kv = client.secrets.kv.v2
    kv.create_or_update_secret("a", {"n": "1"}, cas=0)
    with pytest.raises(InvalidRequest, match="check-and-set parameter did not match"):
        kv.create_or_update_secret("a", {"n": "2"}, cas=0)
    kv.update_metadata("a", cas_required=True)
    with pytest.raises(InvalidRequest, match="check-and-set parameter required"):
        kv.create_or_update_secret("a", {"n": "2"})


def test_nothing_to_list_is_not_found(client: Any) -> None:
    with pytest.raises(InvalidPath):
        client.secrets.kv.v2.list_secrets("")
    assert client.secrets.kv.v2.delete_metadata_and_all_versions("nowhere").status_code == 204


def test_sealed_and_stopped(server: VaultServer, client: Any) -> None:
    server.seal()
    assert client.sys.read_health_status(method="GET").status_code == 503
    assert client.sys.is_sealed()
    with pytest.raises(VaultDown, match="Vault is sealed"):
        client.secrets.kv.v2.read_secret_metadata("a")
    server.unseal()
    assert client.sys.read_health_status(method="GET")["sealed"] is False


def test_leases_run_out_and_end_at_their_most(server: VaultServer, client: Any, clock: ManualClock) -> None:
    server.add_policy("a", {"secret/data/a": ["read"]})
    role_id, secret_id = server.add_role(["a"], ttl_s=60, max_ttl_s=100)
    with pytest.raises(InvalidRequest, match="invalid role or secret ID"):
        client.auth.approle.login(role_id, "wrong")
    assert client.auth.approle.login(role_id, secret_id)["auth"]["lease_duration"] == 60

    clock.advance(50)
    assert client.auth.token.renew_self()["auth"]["lease_duration"] == 50
    assert client.auth.token.lookup_self()["data"]["ttl"] == 50
    clock.advance(51)
    with pytest.raises(Forbidden, match="invalid token"):
        client.auth.token.lookup_self()


def test_policies_allow_what_they_say(server: VaultServer, client: Any) -> None:
    server.put("a/b/c", {})
    rules = {"secret/data/a/*": ["read"], "secret/data/a/b/*": ["create"], "secret/metadata/a": ["list"]}
    server.add_policy("some", {**rules, "secret/data/+/x": ["read"], "secret/data/a/denied": ["read", "deny"]})
    client.token = server.issue_token(["some"])
    kv = client.secrets.kv.v2

    def is_allowed(ask: Any, *values: Any) -> bool:
        try:
            ask(*values)
        except Forbidden as refused:
            return "invalid token" in str(refused)
        except InvalidPath:
            pass
        return True

    def read(path: str) -> None:
        kv.read_secret_version(path, raise_on_deleted_version=True)

    assert is_allowed(read, "a/z")
    assert not is_allowed(read, "a/b/c"), "the more specific rule counts, and does not allow to read"
    assert not is_allowed(read, "a/denied")
    assert is_allowed(read, "q/x")
    assert not is_allowed(read, "q/r/x")
    assert is_allowed(kv.create_or_update_secret, "a/b/new", {})
    assert not is_allowed(kv.create_or_update_secret, "a/b/new", {}), "now that is an update"
    assert is_allowed(kv.list_secrets, "a")
    assert not is_allowed(kv.list_secrets, "a/b")
    server.revoke(client.token)
    with pytest.raises(Forbidden, match="invalid token"):
        kv.list_secrets("a")
