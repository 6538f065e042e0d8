"""Whose key a device may have: what is learnt, what is refused, and what happens when two come first."""

import asyncio
from typing import Any

import pytest

from drivers.base import HostKeyPolicy, Trust
from drivers.errors import HostKeyMismatch, Unreachable
from jobs.database import Pool
from jobs.host_keys import HostKeys
from tests.integration.jobs.conftest import Site, blocked
from tests.integration.jobs.logins import target
from tests.waiting import until_async

pytestmark = pytest.mark.anyio

R1 = "r1:22"
ED, RSA, X509 = "ssh-ed25519", "ssh-rsa", "x509"
OURS, THEIRS = "SHA256:ours", "SHA256:theirs"
LEARN = "SELECT netpulse.learn_host_key($1, $2, $3)"
ENTER = "INSERT INTO netpulse.host_key (address, kind, fingerprint, source) VALUES ($1, $2, $3, 'entered')"


async def check(trust: Trust, kind: str = ED, fingerprint: str = OURS, address: str = R1) -> None:
    """As a session's thread does."""
    await asyncio.to_thread(trust.check, address, kind, fingerprint)


async def known(trust: Trust, address: str = R1) -> list[str]:
    return list(await asyncio.to_thread(trust.known, address))


async def on_record(site: Site) -> list[tuple[Any, ...]]:
    sql = "SELECT address, kind, fingerprint, source FROM netpulse.host_key ORDER BY address, kind"
    return [tuple(row) for row in await site.connection.fetch(sql)]


async def test_the_first_key_is_learnt_and_no_other_accepted(site: Site, pool: Pool) -> None:
    keys = HostKeys(pool, "tofu")
    await check(keys.trust(target()))
    await check(keys.trust(target()))
    for kind, fingerprint in ((ED, THEIRS), (RSA, OURS), (X509, THEIRS)):
        with pytest.raises(HostKeyMismatch, match=f"r1:22 presented another key .{kind} {fingerprint}"):
            await check(keys.trust(target()), kind, fingerprint)

    assert await on_record(site) == [(R1, ED, OURS, "learnt")]
    assert await known(keys.trust(target())) == [ED]
    assert await known(keys.trust(target("r2")), "r2:22") == []


async def test_a_way_through_another_server_is_checked_under_its_own_address(site: Site, pool: Pool) -> None:
    trust = HostKeys(pool, "tofu").trust(target())
    await check(trust, address="jump:22")
    await check(trust)

    assert [row[0] for row in await on_record(site)] == ["jump:22", R1]


async def test_a_session_that_connects_again_hears_what_changed(site: Site, pool: Pool) -> None:
    trust = HostKeys(pool, "tofu").trust(target())
    await check(trust)
    await site.connection.execute("UPDATE netpulse.host_key SET fingerprint = $1", THEIRS)
    with pytest.raises(HostKeyMismatch):
        await check(trust)


async def test_strict_wants_it_entered(site: Site, pool: Pool) -> None:
    keys = HostKeys(pool, "strict")
    with pytest.raises(HostKeyMismatch, match=f"POST /host-key .*{ED} {OURS}"):
        await check(keys.trust(target()))
    assert await on_record(site) == []

    await site.connection.execute(ENTER, R1, RSA, THEIRS)
    await site.connection.execute(ENTER, R1, ED, OURS)
    await check(keys.trust(target()))
    await check(keys.trust(target()), RSA, THEIRS)
    with pytest.raises(HostKeyMismatch, match="another key"):
        await check(keys.trust(target()), ED, THEIRS)


async def test_off_looks_at_nothing(site: Site, pool: Pool) -> None:
    await site.connection.execute(ENTER, R1, ED, OURS)
    trust = HostKeys(pool, "off").trust(target())
    await check(trust, ED, THEIRS)

    assert await known(trust) == []
    assert len(await on_record(site)) == 1


@pytest.mark.parametrize(
    ("site_s", "own", "learnt"), [("strict", "tofu", 1), ("strict", "off", 0), ("off", "tofu", 1), ("off", None, 0)]
)
async def test_a_connections_own_policy_counts(
    site: Site, pool: Pool, site_s: HostKeyPolicy, own: HostKeyPolicy | None, learnt: int
) -> None:
    await check(HostKeys(pool, site_s).trust(target(policy=own)))

    assert len(await on_record(site)) == learnt


async def test_of_two_who_come_first_one_is_refused(site: Site, pool: Pool) -> None:
    keys = HostKeys(pool, "tofu")
    first, second = keys.trust(target()), keys.trust(target())
    assert [await known(first), await known(second)] == [[], []]  # both have looked
    await check(first)
    with pytest.raises(HostKeyMismatch):
        await check(second, RSA, THEIRS)

    assert await on_record(site) == [(R1, ED, OURS, "learnt")]


@pytest.mark.parametrize(("kind", "fingerprint", "fine"), [(ED, OURS, True), (ED, THEIRS, False), (RSA, OURS, False)])
async def test_learning_waits_for_who_is_learning(
    site: Site, other: Site, connections: Any, kind: str, fingerprint: str, fine: bool
) -> None:
    watching = Site(await connections())
    transaction = site.connection.transaction()
    await transaction.start()
    assert await site.connection.fetchval(LEARN, R1, ED, OURS)
    waiting = asyncio.create_task(other.connection.fetchval(LEARN, R1, kind, fingerprint))
    await blocked(watching)
    await transaction.commit()

    assert await waiting is fine
    assert await on_record(site) == [(R1, ED, OURS, "learnt")]


async def test_that_a_key_was_seen_is_noted_once_a_day(site: Site, pool: Pool) -> None:
    await site.connection.execute(ENTER, R1, ED, OURS)
    keys = HostKeys(pool, "strict")
    await check(keys.trust(target()))
    recent = "SELECT xmin::text FROM netpulse.host_key WHERE first_seen_at = last_seen_at"
    version = await until_async(lambda: site.connection.fetchval(recent), "it was seen")
    await check(keys.trust(target()))
    later = "UPDATE netpulse.host_key SET last_seen_at = last_seen_at - interval '25 hours' WHERE xmin::text = $1"
    assert await site.connection.execute(later, version) == "UPDATE 1"  # nobody had written meanwhile

    await check(keys.trust(target()))
    since = "SELECT first_seen_at FROM netpulse.host_key WHERE last_seen_at > now() - interval '1 hour'"
    assert await until_async(lambda: site.connection.fetchval(since), "it was seen again")


async def test_without_postgresql_no_login(pool: Pool) -> None:
    keys = HostKeys(pool, "tofu", patience_s=0.1)
    await pool.close()
    trust = keys.trust(target())
    with pytest.raises(Unreachable, match="no password was sent"):
        await known(trust)
    with pytest.raises(Unreachable, match="no password was sent"):
        await check(trust)


async def test_where_postgresql_does_not_answer_no_login(pool: Pool, site: Site) -> None:
    async with site.connection.transaction():
        await site.connection.execute("LOCK TABLE netpulse.host_key")
        with pytest.raises(Unreachable, match="no password was sent"):
            await check(HostKeys(pool, "tofu", patience_s=0.05).trust(target()))
    await check(HostKeys(pool, "tofu").trust(target()))
