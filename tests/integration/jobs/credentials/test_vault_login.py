"""Our own login at Vault: leases that run out, tokens that are revoked, and many tasks at once."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from jobs.credentials.errors import CredentialError, NoSuchCredential, PathRefused, VaultUnavailable
from jobs.credentials.vault import Vault
from jobs.settings import VaultSettings
from tests.vault import ManualClock, VaultServer
from tests.vault.providers import settings_for, vault_of

pytestmark = pytest.mark.anyio

LOGIN = "auth/approle/login"
RENEWAL = "auth/token/renew-self"
LOOK = "auth/token/lookup-self"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def server(clock: ManualClock) -> Iterator[VaultServer]:
    with VaultServer(clock=clock) as server:
        server.put("hq/admin", {"password": "s3cret-Pass"})
        server.put("dc/admin", {"password": "s3cret-Pass"})
        server.add_policy("hq", {"secret/data/hq/*": ["read"]})
        yield server


def approle(
    server: VaultServer, *, ttl_s: float = 60, max_ttl_s: float = 0, renewable: bool = True, **given: Any
) -> VaultSettings:
    role_id, secret_id = server.add_role(["hq"], ttl_s=ttl_s, max_ttl_s=max_ttl_s, renewable=renewable)
    return settings_for(server, role_id=role_id, secret_id=secret_id, **given)


async def read_often(vault: Vault, times: int = 10) -> None:
    async with asyncio.TaskGroup() as group:
        reads = [group.create_task(vault.read("hq/admin")) for _ in range(times)]
    assert all(read.result().data == {"password": "s3cret-Pass"} for read in reads)


async def test_nobody_logs_in_before_anything_is_asked_and_all_tasks_share_one_login(
    server: VaultServer, clock: ManualClock
) -> None:
    async with vault_of(approle(server), clock) as vault:
        assert server.requests == []
        await read_often(vault, 100)

    assert server.count("POST", LOGIN) == 1
    assert server.count("GET", "secret/data/hq/admin") == 100
    assert len(server.requests) == 101


async def test_a_lease_is_renewed_once_when_less_than_a_third_is_left(server: VaultServer, clock: ManualClock) -> None:
    async with vault_of(approle(server, ttl_s=60), clock) as vault:
        await read_often(vault)
        clock.advance(39)
        await read_often(vault)
        assert server.count("POST", RENEWAL) == 0

        clock.advance(2)
        await read_often(vault)

    assert (server.count("POST", RENEWAL), server.count("POST", LOGIN)) == (1, 1)


async def test_renewals_carry_a_login_through_many_leases(server: VaultServer, clock: ManualClock) -> None:
    async with vault_of(approle(server, ttl_s=60), clock) as vault:
        for _ in range(20):
            await vault.read("hq/admin")
            clock.advance(45)

    assert (server.count("POST", RENEWAL), server.count("POST", LOGIN)) == (19, 1)


async def test_a_login_that_nears_the_most_it_is_granted_is_made_anew(server: VaultServer, clock: ManualClock) -> None:
    async with vault_of(approle(server, ttl_s=60, max_ttl_s=100), clock) as vault:
        await vault.read("hq/admin")
        clock.advance(45)
        await vault.read("hq/admin")  # renewed for 55 s
        clock.advance(45)
        await vault.read("hq/admin")  # a renewal would be for 10 s

    assert server.count("POST", LOGIN) == 2


async def test_a_login_that_cannot_be_renewed_is_made_anew_in_time(server: VaultServer, clock: ManualClock) -> None:
    async with vault_of(approle(server, ttl_s=60, renewable=False), clock) as vault:
        await read_often(vault)
        clock.advance(41)
        await read_often(vault)

    assert (server.count("POST", RENEWAL), server.count("POST", LOGIN)) == (0, 2)


async def test_a_login_that_ran_out_meanwhile_is_made_anew(server: VaultServer, clock: ManualClock) -> None:
    async with vault_of(approle(server, ttl_s=60), clock) as vault:
        await vault.read("hq/admin")
        clock.advance(10_000)
        await read_often(vault)

    assert server.count("POST", LOGIN) == 2


async def test_a_revoked_login_is_made_anew_once_for_all_tasks(server: VaultServer, clock: ManualClock) -> None:
    async with vault_of(approle(server), clock) as vault:
        await vault.read("hq/admin")
        server.revoke_all()

        await read_often(vault, 100)

    assert (server.count("POST", LOGIN), server.count("GET", LOOK)) == (2, 1)


async def test_what_the_policy_denies_costs_no_login(server: VaultServer, clock: ManualClock) -> None:
    async with vault_of(approle(server), clock) as vault:
        for _ in range(3):
            with pytest.raises(PathRefused, match="the policy of Vault keeps dc/admin from us"):
                await vault.read("dc/admin")
        await vault.read("hq/admin")

    assert server.count("POST", LOGIN) == 1


async def test_many_that_are_denied_share_the_look_at_our_token(server: VaultServer, clock: ManualClock) -> None:
    async with vault_of(approle(server), clock) as vault:
        denied = await asyncio.gather(*(vault.read("dc/admin") for _ in range(100)), return_exceptions=True)

    assert {type(error) for error in denied} == {PathRefused}
    assert server.count("GET", LOOK) < 50


async def test_a_denied_path_stays_denied_with_a_new_login(server: VaultServer, clock: ManualClock) -> None:
    async with vault_of(approle(server), clock) as vault:
        await vault.read("hq/admin")
        server.revoke_all()
        with pytest.raises(PathRefused):
            await vault.read("dc/admin")

    assert server.count("POST", LOGIN) == 2


async def test_a_refused_login_is_not_tried_by_everyone(server: VaultServer, clock: ManualClock) -> None:
    settings = approle(server)
    assert settings.role_id is not None
    server.remove_role(settings.role_id)

    async with vault_of(settings, clock) as vault:
        refused = await asyncio.gather(*(vault.read("hq/admin") for _ in range(50)), return_exceptions=True)

    assert {str(error) for error in refused} == {f"Vault at {server.url} refuses our own login"}
    assert {type(error) for error in refused} == {VaultUnavailable}
    assert server.requests == [("POST", LOGIN)]


async def test_a_login_where_there_is_no_approle_is_refused(server: VaultServer, clock: ManualClock) -> None:
    async with vault_of(approle(server, approle_mount="elsewhere"), clock) as vault:
        with pytest.raises(VaultUnavailable, match="refuses our own login"):
            await vault.read("hq/admin")


@pytest.mark.parametrize("auth", [b"null", b'{"client_token": "a\\nb", "lease_duration": 5}', b'{"lease_duration": 5}'])
async def test_a_login_that_gives_no_token_is_none_of_vaults(
    server: VaultServer, clock: ManualClock, auth: bytes
) -> None:
    async with vault_of(approle(server), clock) as vault:
        with server.say(200, b'{"auth": %s}' % auth), pytest.raises(VaultUnavailable, match="not answer as Vault does"):
            await vault.read("hq/admin")


async def test_a_given_token_without_end_is_never_renewed(server: VaultServer, clock: ManualClock) -> None:
    async with vault_of(settings_for(server), clock) as vault:
        await read_often(vault)
        clock.advance(10**8)
        await read_often(vault)

    assert server.requests.count(("GET", LOOK)) == 1
    assert {("POST", LOGIN), ("POST", RENEWAL)}.isdisjoint(server.requests)


async def test_a_given_token_is_renewed_as_long_as_vault_grants_it(server: VaultServer, clock: ManualClock) -> None:
    token = server.issue_token(["hq"], ttl_s=60, max_ttl_s=300)
    async with vault_of(settings_for(server, token=token), clock) as vault:
        for _ in range(6):
            await read_often(vault)
            clock.advance(45)
        clock.advance(60)
        with pytest.raises(VaultUnavailable, match="does not know our token"):
            await vault.read("hq/admin")

    assert 5 <= server.count("POST", RENEWAL) <= 7
    assert server.count("POST", LOGIN) == 0


async def test_a_given_token_that_cannot_be_renewed_is_used_to_its_end(server: VaultServer, clock: ManualClock) -> None:
    token = server.issue_token(["hq"], ttl_s=60, renewable=False)
    async with vault_of(settings_for(server, token=token), clock) as vault:
        await read_often(vault)
        clock.advance(50)
        await read_often(vault)

    assert server.count("POST", RENEWAL) == 0


async def test_a_renewal_that_is_refused_is_not_tried_again(server: VaultServer, clock: ManualClock) -> None:
    server.add_policy("look", {LOOK: ["read"]})
    token = server.issue_token(["hq", "look"], ttl_s=60, default_policy=False)
    async with vault_of(settings_for(server, token=token), clock) as vault:
        await read_often(vault)
        clock.advance(50)
        await read_often(vault)

    assert server.count("POST", RENEWAL) == 1


async def test_a_given_token_need_not_be_allowed_to_look_itself_up(server: VaultServer, clock: ManualClock) -> None:
    token = server.issue_token(["hq"], default_policy=False)
    async with vault_of(settings_for(server, token=token), clock) as vault:
        await read_often(vault)
        with pytest.raises(VaultUnavailable, match="does not let it look itself up"):
            await vault.test()


async def test_a_revoked_given_token_is_told_from_a_denied_path(server: VaultServer, clock: ManualClock) -> None:
    token = server.issue_token(["hq"])
    async with vault_of(settings_for(server, token=token), clock) as vault:
        with pytest.raises(PathRefused):
            await vault.read("dc/admin")
        server.revoke(token)
        with pytest.raises(VaultUnavailable, match="does not know our token"):
            await vault.read("hq/admin")


@pytest.mark.parametrize("token", ["hvs.with\nnewline", "hvs.ünicode"])
def test_a_token_that_no_header_can_bear_is_refused_at_the_start(server: VaultServer, token: str) -> None:
    with pytest.raises(ValidationError, match="printable ASCII") as caught:
        settings_for(server, token=token)

    assert token not in repr(caught.value)


async def test_the_test_shows_an_approles_lease(server: VaultServer, clock: ManualClock) -> None:
    async with vault_of(approle(server, ttl_s=600), clock) as vault:
        await vault.read("hq/admin")
        clock.advance(100)
        found = await vault.test()

    assert (found["policies"], found["ttl_s"], found["renewable"]) == (["default", "hq"], 500, True)


async def test_requests_go_to_our_namespace_and_mounts_marked_as_vaults_own(clock: ManualClock) -> None:
    with VaultServer(clock=clock, namespace="team/net", mount="kv/net", approle_mount="machines") as server:
        server.put("hq/admin", {"password": "s3cret-Pass"})
        server.add_policy("hq", {"kv/net/data/hq/*": ["read"]})
        given: dict[str, Any] = {"namespace": "team/net", "mount": "kv/net", "approle_mount": "machines"}
        async with vault_of(approle(server, **given), clock) as vault:
            await read_often(vault, 2)
            await vault.test()
        async with vault_of(approle(server, mount="kv/net", approle_mount="machines"), clock) as lost:
            with pytest.raises(VaultUnavailable, match="refuses our own login"):
                await lost.read("hq/admin")

        assert all(request.headers["X-Vault-Request"] == "true" for request in server.seen)
        [health] = [request for request in server.seen if request.path == "sys/health"]
        assert "X-Vault-Namespace" not in health.headers


async def test_a_mount_that_is_not_there_is_no_missing_credential(server: VaultServer, clock: ManualClock) -> None:
    async with vault_of(settings_for(server, mount="elsewhere"), clock) as vault:
        with pytest.raises(CredentialError, match="nothing mounted at elsewhere") as caught:
            await vault.read("hq/admin")

    assert not isinstance(caught.value, NoSuchCredential)


async def test_nothing_is_taken_from_the_environment(
    server: VaultServer, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("VAULT_ADDR", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("VAULT_TOKEN", "VAULT_NAMESPACE", "VAULT_CACERT", "VAULT_CLIENT_CERT"):
        monkeypatch.setenv(name, "elsewhere")
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login other password other")
    (tmp_path / ".vault-token").write_text("other")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    async with vault_of(settings_for(server), clock) as vault:
        await read_often(vault, 2)

    assert all("Authorization" not in request.headers for request in server.seen)
    assert {request.headers["X-Vault-Token"] for request in server.seen} == {server.root_token}
