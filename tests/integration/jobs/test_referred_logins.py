"""Jobs that refer to their login: resolved when they run, renewed when it was replaced, counted when it is wrong."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest

from drivers.lab import LabProcess
from drivers.netmiko import NetmikoDriver
from drivers.pool import PoolLimits, SessionPool
from jobs.credentials.base import Stored
from jobs.credentials.errors import NoSuchCredential, VaultUnavailable
from jobs.credentials.resolver import Resolver
from jobs.database import Pool
from jobs.gate import LoginGate
from jobs.logins import Logins
from jobs.queue import JobQueue
from jobs.results import ErrorType, Outcome
from jobs.run import run_job
from jobs.seal import Seal, new_key
from jobs.settings import WorkerSettings
from jobs.world import World
from tests.integration.jobs.conftest import Site, new_job, queue_worker

pytestmark = pytest.mark.anyio

SEAL = Seal([new_key()])
OLD = "Old-9-password-of-the-lab"
REF = {"path": "sites/hq/admin"}


class Shelf:
    """A provider of one credential, and what is asked of it."""

    name = "shelf"

    def __init__(self, data: Mapping[str, str]) -> None:
        self.versions: list[Mapping[str, str]] = [data]
        self.reads = 0
        self.outages = 0
        self.failure: Exception = VaultUnavailable("the shelf does not answer")

    async def read(self, path: str, version: int | None = None) -> Stored:
        self.reads += 1
        await asyncio.sleep(0)
        if self.outages:
            self.outages -= 1
            raise self.failure
        if path != REF["path"]:
            raise NoSuchCredential(f"there is nothing at {path}")
        return Stored(self.versions[-1], len(self.versions))

    async def close(self) -> None:
        pass


class Bench:
    """A worker's world on a simulated device whose password is the lab's."""

    def __init__(self, site: Site, pool: Pool, worker: int, lab: LabProcess) -> None:
        self.site, self.lab = site, lab
        [self.device] = lab.devices
        self.shelf = Shelf({"username": lab.username, "password": lab.password})
        self.resolver = Resolver({"shelf": self.shelf}, "shelf", 300)  # type: ignore[dict-item]  # a reader is enough
        logins = Logins(self.resolver)
        drivers = {"netmiko": NetmikoDriver()}
        gate = LoginGate(pool, SEAL, WorkerSettings(login_failures=2), logins.is_outdated)
        self.sessions = SessionPool(drivers, PoolLimits(), on_let_go=lambda _key: None, gate=gate)
        self.queue = JobQueue(pool, worker)
        self.world = World(drivers, self.sessions, SEAL, self.queue, lambda: None, logins=logins)
        self.seen = len(lab.logins())

    async def rotate(self) -> None:
        """The worker knows what is wrong by now; the shelf has what is right."""
        right = self.shelf.versions[-1]
        self.shelf.versions[-1] = {**right, "password": OLD}
        await self.run(1)
        self.shelf.versions.append(right)
        await self.site.connection.execute("DELETE FROM netpulse.circuit")
        self.shelf.reads, self.seen = 0, len(self.lab.logins())

    async def run(self, jobs: int = 1, ref: Mapping[str, Any] = REF, **fields: Any) -> list[Outcome]:
        """What `jobs` of them end with, all at once."""
        login = {"device_type": "cisco_ios", "host": self.device.host, "port": self.device.port}
        request = {"command": ["show clock"], "connection_args": login, "credential_ref": ref, **fields.pop("more", {})}
        sealed = SEAL.seal("{}")
        job = new_job(strategy="fifo", request=request, sealed=sealed, **fields)
        await self.site.submit(*[job] * jobs)
        claimed = await self.queue.claim(queue_worker(self.queue.worker_id), jobs)
        assert len(claimed) == jobs
        return await asyncio.gather(*(run_job(self.world, job) for job in claimed))

    def logins(self) -> int:
        """That the device was asked for since the beginning, or the rotation."""
        return len(self.lab.logins()) - self.seen

    async def refusals(self) -> int:
        """That count against a login."""
        return int(await self.site.connection.fetchval("SELECT coalesce(sum(failures), 0) FROM netpulse.circuit"))


@pytest.fixture(scope="module")
def lab() -> Iterator[LabProcess]:
    with LabProcess(devices=1) as lab:
        yield lab


@pytest.fixture
async def bench(site: Site, pool: Pool, lab: LabProcess) -> AsyncIterator[Bench]:
    bench = Bench(site, pool, await site.worker(), lab)
    yield bench
    await bench.sessions.close()
    await bench.resolver.close()


async def test_jobs_log_in_with_what_they_refer_to_and_share_one_read(bench: Bench) -> None:
    outcomes = await bench.run(10)

    assert {outcome.state for outcome in outcomes} == {"finished"}
    assert (bench.shelf.reads, bench.logins()) == (1, 10)


async def test_other_fields_may_hold_the_login(bench: Bench) -> None:
    bench.shelf.versions[-1] = {"user": bench.lab.username, "word": bench.lab.password}
    [outcome] = await bench.run(ref={**REF, "username_key": "user", "password_key": "word"})

    assert outcome.state == "finished"


async def test_a_rotated_password_is_picked_up_and_its_refusal_does_not_count(bench: Bench) -> None:
    await bench.rotate()
    [outcome] = await bench.run()

    assert (outcome.state, outcome.extra_attempts) == ("finished", 0)
    assert (bench.shelf.reads, bench.logins(), await bench.refusals()) == (1, 2, 0)


async def test_many_jobs_pick_a_rotated_password_up_with_one_read(bench: Bench) -> None:
    await bench.rotate()
    outcomes = await bench.run(20)

    assert {outcome.state for outcome in outcomes} == {"finished"}
    assert (bench.shelf.reads, await bench.refusals()) == (1, 0)


async def test_a_password_that_stays_wrong_counts(bench: Bench) -> None:
    bench.shelf.versions[-1] = {"username": bench.lab.username, "password": OLD}
    [outcome] = await bench.run()

    assert outcome.error_type is ErrorType.AUTHENTICATION_FAILED
    assert (bench.shelf.reads, bench.logins(), await bench.refusals()) == (2, 1, 1)


async def test_a_new_password_that_is_wrong_too_counts_once(bench: Bench) -> None:
    await bench.rotate()
    bench.shelf.versions.append({"username": bench.lab.username, "password": f"{OLD}-2"})
    [outcome] = await bench.run()

    assert outcome.error_type is ErrorType.AUTHENTICATION_FAILED
    assert (bench.logins(), await bench.refusals()) == (2, 1)


async def test_a_login_that_rests_is_renewed_too(bench: Bench) -> None:
    bench.shelf.versions[-1] = {"username": bench.lab.username, "password": OLD}
    await bench.run()
    await bench.run()
    [resting] = await bench.run()
    assert "resting" in str(resting.error_message)
    bench.shelf.versions.append({"username": bench.lab.username, "password": bench.lab.password})
    [outcome] = await bench.run()

    assert outcome.state == "finished"


async def test_there_is_nothing(bench: Bench) -> None:
    [outcome] = await bench.run(ref={"path": "sites/nowhere"}, max_attempts=3)

    assert (outcome.error_type, outcome.outcome) == (ErrorType.CREDENTIAL_ERROR, "known")
    assert outcome.error_message == "there is nothing at sites/nowhere"
    assert (bench.shelf.reads, bench.logins()) == (1, 0)


AWAY = {"vault": VaultUnavailable("away"), "postgresql": ConnectionResetError("its text may say anything")}


@pytest.mark.parametrize("failure", AWAY.values(), ids=AWAY.keys())
async def test_an_outage_fails_the_job_before_its_device_saw_anything(bench: Bench, failure: Exception) -> None:
    bench.shelf.outages, bench.shelf.failure = 1, failure
    [outcome] = await bench.run()

    assert (outcome.error_type, outcome.outcome) == (ErrorType.VAULT_UNAVAILABLE, "known")
    assert "away" in str(outcome.error_message) or "PostgreSQL" in str(outcome.error_message)
    assert bench.logins() == 0


async def test_an_outage_at_the_wrong_moment_leaves_the_refusal(bench: Bench) -> None:
    await bench.rotate()
    bench.shelf.outages = 10
    [outcome] = await bench.run()

    assert outcome.error_type is ErrorType.AUTHENTICATION_FAILED


async def test_an_outage_may_be_waited_for(bench: Bench) -> None:
    bench.shelf.outages = 1
    [outcome] = await bench.run(max_attempts=2)

    assert (outcome.state, outcome.extra_attempts) == ("finished", 1)


async def test_what_is_kept_must_make_a_login(bench: Bench) -> None:
    bench.shelf.versions[-1] = {"username": bench.lab.username, "password": f"{OLD}\nreload"}
    [outcome] = await bench.run()

    assert outcome.error_type is ErrorType.CREDENTIAL_ERROR
    assert "control characters" in str(outcome.error_message)
    assert OLD not in str(outcome.error_message)
    assert bench.logins() == 0


async def test_what_was_resolved_is_kept_out_of_the_outputs(bench: Bench) -> None:
    more = {"command": [f"show {bench.lab.password}"]}
    [outcome] = await bench.run(more=more)

    assert [reply.command for reply in outcome.outputs] == ["show ***"]
    assert bench.lab.password not in repr(outcome)


async def test_no_login_is_remembered_after_its_job(bench: Bench) -> None:
    await bench.run(3)

    assert "admin" not in repr(vars(bench.world.logins))
