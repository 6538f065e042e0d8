"""Refused logins are counted over all workers; too many in a row, and the login rests."""

import asyncio
from datetime import datetime
from typing import Any

import pytest

from drivers.base import Target
from drivers.errors import AuthenticationFailed, DriverError, Unreachable
from jobs.circuits import Circuits
from jobs.database import Pool
from jobs.seal import Seal, new_key
from tests.integration.jobs.conftest import Site, blocked
from tests.integration.jobs.logins import PASSWORD, never, target

pytestmark = pytest.mark.anyio

SEAL = Seal([new_key()])
BEGIN = "SELECT * FROM netpulse.begin_login('r1:22', 'x', 300)"
REFUSED = "SELECT netpulse.login_refused('r1:22', 'x', 'admin', 2, 300)"
OVER = "UPDATE netpulse.circuit SET opened_until = clock_timestamp() - interval '1 second'"


class Logins:
    """Logins that end as the test says, and how many reached the device."""

    def __init__(self, database: Pool, limit: int = 3, patience_s: float = 10) -> None:
        self.circuits = Circuits(database, SEAL, limit, 300, never, patience_s)
        self.contacts = 0

    async def attempt(self, error: DriverError | None = None, at: Target | None = None) -> None:
        """One login. Raises `error`, or what forbids it."""
        async with self.circuits.attempt(at or target()):
            self.contacts += 1
            if error is not None:
                raise error

    async def refused(self, times: int = 1, at: Target | None = None) -> None:
        """So many logins that the device refuses."""
        for _ in range(times):
            with pytest.raises(AuthenticationFailed, match=r"^refused$"):
                await self.attempt(AuthenticationFailed("refused"), at)

    async def rests(self, at: Target | None = None) -> None:
        """The login is not even tried."""
        before = self.contacts
        with pytest.raises(AuthenticationFailed, match="the device was not contacted"):
            await self.attempt(at=at)
        assert self.contacts == before


@pytest.fixture
def logins(pool: Pool) -> Logins:
    return Logins(pool)


async def rows(site: Site) -> list[Any]:
    return list(await site.connection.fetch("SELECT * FROM netpulse.circuit ORDER BY device_key"))


async def test_three_refusals_in_a_row_and_it_rests(logins: Logins, pool: Pool, site: Site) -> None:
    await logins.refused(3)
    await logins.rests()
    await Logins(pool).rests()  # another worker
    await logins.attempt(at=target(password="the right one"))
    await logins.attempt(at=target(username="bob"))
    await logins.attempt(at=target("r2"))

    [row] = await rows(site)
    assert (row["device_key"], row["username"], row["failures"]) == ("r1:22", "admin", 3)
    assert 299 < (row["opened_until"] - row["last_failure_at"]).total_seconds() <= 300
    assert PASSWORD not in str(dict(row))


async def test_it_says_until_when(logins: Logins, site: Site) -> None:
    await logins.refused(3)
    with pytest.raises(AuthenticationFailed) as said:
        await logins.attempt()
    [row] = await rows(site)
    until: datetime = row["opened_until"]
    assert f"this login on r1:22 is resting until {until:%Y-%m-%dT%H:%M:%SZ} after 3 refusals" in str(said.value)


async def test_a_success_and_only_that_counts_from_zero(logins: Logins, site: Site) -> None:
    await logins.refused(2)
    with pytest.raises(Unreachable):
        await logins.attempt(Unreachable("silent"))
    [row] = await rows(site)
    assert (row["failures"], row["opened_until"]) == (2, None)
    await logins.attempt()
    assert await rows(site) == []
    await logins.refused(2)
    await logins.attempt()


async def test_after_the_rest_one_attempt_decides(logins: Logins, site: Site) -> None:
    await logins.refused(3)
    await site.connection.execute(OVER)
    await logins.refused()
    await logins.rests()
    await site.connection.execute(OVER)
    await logins.attempt()
    await logins.attempt()
    assert await rows(site) == []


async def test_an_attempt_that_says_nothing_leaves_it_to_the_next(logins: Logins, site: Site) -> None:
    await logins.refused(3)
    await site.connection.execute(OVER)
    for _ in range(2):
        with pytest.raises(Unreachable):
            await logins.attempt(Unreachable("silent"))
    await logins.refused()
    await logins.rests()


async def test_an_attempt_that_is_called_off_leaves_it_to_the_next(logins: Logins, site: Site) -> None:
    async def hang() -> None:
        async with logins.circuits.attempt(target()):
            begun.set()
            await asyncio.Event().wait()

    await logins.refused(3)
    await site.connection.execute(OVER)
    begun = asyncio.Event()
    attempt = asyncio.create_task(hang())
    await begun.wait()
    await logins.rests()
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    await logins.refused()


async def test_one_is_let_through_of_two_at_once(site: Site, other: Site, connections: Any) -> None:
    watching = Site(await connections())
    for _ in range(2):
        await site.connection.fetchval(REFUSED)
    await site.connection.execute(OVER)
    transaction = site.connection.transaction()
    await transaction.start()
    first = await site.connection.fetchrow(BEGIN)
    waiting = asyncio.create_task(other.connection.fetchrow(BEGIN))
    await blocked(watching)
    await transaction.commit()
    second = await waiting

    assert (first["resting_until"], first["probe"] is None) == (None, False)
    assert (second["resting_until"], second["probe"]) == (first["probe"], None)


async def test_refusals_at_once_are_all_counted(site: Site, other: Site, connections: Any) -> None:
    watching = Site(await connections())
    transaction = site.connection.transaction()
    await transaction.start()
    assert await site.connection.fetchval(REFUSED) is None
    waiting = asyncio.create_task(other.connection.fetchval(REFUSED))
    await blocked(watching)
    await transaction.commit()

    assert await waiting is not None
    assert [row["failures"] for row in await rows(site)] == [2]


async def test_a_late_word_of_an_older_attempt_ends_no_rest(site: Site) -> None:
    for _ in range(2):
        await site.connection.fetchval(REFUSED)
    await site.connection.execute(OVER)
    probe = (await site.connection.fetchrow(BEGIN))["probe"]
    await site.connection.fetchval(REFUSED)
    await site.connection.execute("SELECT netpulse.end_probe('r1:22', 'x', $1)", probe)

    assert (await site.connection.fetchrow(BEGIN))["resting_until"] is not None


async def test_what_nobody_tries_any_more_is_forgotten(logins: Logins, site: Site) -> None:
    await logins.refused(at=target("r1"))
    await logins.refused(at=target("r2"))
    old = "UPDATE netpulse.circuit SET last_failure_at = now() - interval '31 days' WHERE device_key = 'r1:22'"
    await site.connection.execute(old)
    await logins.refused(at=target("r3"))

    assert [row["device_key"] for row in await rows(site)] == ["r2:22", "r3:22"]


async def test_no_limit_no_count(pool: Pool, site: Site) -> None:
    await Logins(pool, limit=0).refused(5)
    assert await rows(site) == []


async def test_without_postgresql_logins_go_uncounted(pool: Pool) -> None:
    logins = Logins(pool, limit=1)
    await pool.close()
    await logins.refused(2)
    await logins.attempt()
    assert logins.contacts == 3


async def test_where_postgresql_does_not_answer_logins_do_not_wait(pool: Pool, site: Site) -> None:
    logins = Logins(pool, limit=1, patience_s=0.05)
    async with site.connection.transaction():
        await site.connection.execute("LOCK TABLE netpulse.circuit")
        await logins.refused(2)
    await Logins(pool, limit=1).refused()
    await logins.rests()
