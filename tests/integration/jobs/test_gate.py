"""Logins by netmiko on simulated devices, past the gate that workers have."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from drivers.base import Driver
from drivers.errors import AuthenticationFailed, HostKeyMismatch, Unreachable
from drivers.lab import LabDevice, LabProcess, RefuseConnect
from drivers.netmiko import NetmikoConnection, NetmikoDriver
from drivers.paramiko import ParamikoDriver
from drivers.pool import PoolLimits, SessionPool
from drivers.pyeapi import PyeapiDriver
from jobs.database import Pool
from jobs.gate import LoginGate
from jobs.seal import Seal, new_key
from jobs.settings import WorkerSettings
from tests.integration.jobs.conftest import Site
from tests.integration.jobs.logins import never

pytestmark = pytest.mark.anyio

DRIVER = NetmikoDriver()
SEAL = Seal([new_key()])


@pytest.fixture(scope="module")
def lab() -> Iterator[LabProcess]:
    with LabProcess(devices=3) as lab:
        yield lab


@pytest.fixture(scope="module")
def switches() -> Iterator[LabProcess]:
    """With eAPI."""
    with LabProcess(persona="eos") as lab:
        yield lab


class Logins:
    """A worker's pool of sessions, with settings of the test's own."""

    def __init__(self, database: Pool, lab: LabProcess, **settings: Any) -> None:
        gate = LoginGate(database, SEAL, WorkerSettings(**settings), never)
        self.lab = lab
        self.pool = SessionPool({"netmiko": DRIVER}, PoolLimits(), on_let_go=lambda _key: None, gate=gate)

    async def log_in(self, device: LabDevice, *, keep: bool = False, **changes: Any) -> bool:
        """True if it was not needed, since a session was held."""
        login = {"device_type": "cisco_ios", "username": self.lab.username, "password": self.lab.password}
        connection = NetmikoConnection(**{**login, "host": device.host, "port": device.port, **changes})
        async with self.pool.lease(DRIVER.target(connection), lambda: None, keep=keep) as lease:
            assert lease.session.prompt() == f"{device.name}#"
            return lease.reused


@asynccontextmanager
async def logins(database: Pool, lab: LabProcess, **settings: Any) -> AsyncIterator[Logins]:
    opened = Logins(database, lab, **settings)
    try:
        yield opened
    finally:
        await opened.pool.close()


async def test_a_device_with_another_key_never_sees_the_password(pool: Pool, site: Site) -> None:
    with LabProcess() as lab:
        async with logins(pool, lab) as ours:
            await ours.log_in(lab.devices[0])
        port, password = lab.devices[0].port, lab.password
    sql = "SELECT address, kind, source FROM netpulse.host_key"
    assert [tuple(row) for row in await site.connection.fetch(sql)] == [(f"127.0.0.1:{port}", "ssh-ed25519", "learnt")]

    with LabProcess(port=port, password=password) as lab:
        async with logins(pool, lab) as ours:
            with pytest.raises(HostKeyMismatch, match=f"127.0.0.1:{port} presented another key .ssh-ed25519 SHA256:"):
                await ours.log_in(lab.devices[0])
            assert lab.stats("R1").connections == 1
            assert lab.logins() == []
            await ours.log_in(lab.devices[0], host_key_policy="off")
            assert [login.ok for login in lab.logins()] == [True]


async def test_strict_refuses_whom_nobody_entered(pool: Pool, lab: LabProcess) -> None:
    async with logins(pool, lab, host_keys="strict") as ours:
        before = len(lab.logins())
        with pytest.raises(HostKeyMismatch, match="POST /host-key"):
            await ours.log_in(lab.devices[0])
        assert len(lab.logins()) == before


async def test_after_three_wrong_passwords_the_device_has_its_rest(pool: Pool, lab: LabProcess, site: Site) -> None:
    device = lab.devices[1]
    async with logins(pool, lab) as ours, logins(pool, lab) as others:
        for worker in (ours, others, ours):
            with pytest.raises(AuthenticationFailed, match="refused the login"):
                await worker.log_in(device, password="wrong one")
        for worker in (ours, others, others):
            with pytest.raises(AuthenticationFailed, match="the device was not contacted"):
                await worker.log_in(device, password="wrong one")
        assert (lab.stats(device).connections, lab.stats(device).logins_failed) == (3, 3)

        await others.log_in(device)
        assert lab.stats(device).logins_ok == 1
        assert await site.connection.fetchval("SELECT failures FROM netpulse.circuit") == 3


async def test_a_held_session_passes_no_gate(pool: Pool, lab: LabProcess, site: Site) -> None:
    async with logins(pool, lab) as ours:
        assert not await ours.log_in(lab.devices[0], keep=True)
        await site.connection.execute("DROP TABLE netpulse.host_key, netpulse.circuit")
        assert await ours.log_in(lab.devices[0], keep=True)


async def test_what_is_no_refusal_counts_for_nothing(pool: Pool, lab: LabProcess, site: Site) -> None:
    lab.set_faults(lab.devices[2], RefuseConnect())
    async with logins(pool, lab, login_failures=1) as ours:
        for _ in range(2):
            with pytest.raises(Unreachable):
                await ours.log_in(lab.devices[2])
    assert await site.connection.fetchval("SELECT count(*) FROM netpulse.circuit") == 0


OTHERS: dict[str, tuple[Driver, str, str]] = {
    "paramiko": (ParamikoDriver(), "port", "ssh-ed25519"),
    "pyeapi": (PyeapiDriver(), "https_port", "x509"),
}


@pytest.mark.parametrize(("driver", "port", "kind"), OTHERS.values(), ids=OTHERS.keys())
async def test_other_drivers_pass_it_too(
    pool: Pool, switches: LabProcess, site: Site, driver: Driver, port: str, kind: str
) -> None:
    gate = LoginGate(pool, SEAL, WorkerSettings(login_failures=1), never)
    sessions = SessionPool({driver.name: driver}, PoolLimits(), on_let_go=lambda _key: None, gate=gate)
    [device] = switches.devices

    async def log_in(password: str = switches.password) -> None:
        login = {"host": device.host, "port": getattr(device, port), "username": switches.username}
        target = driver.target(driver.connection_args.model_validate({**login, "password": password}))
        async with sessions.lease(target, lambda: None, keep=False):
            pass

    await log_in()
    assert await site.connection.fetchval("SELECT kind FROM netpulse.host_key") == kind
    await site.connection.execute("UPDATE netpulse.host_key SET fingerprint = 'SHA256:another'")
    before = switches.logins()
    with pytest.raises(HostKeyMismatch):
        await log_in()
    assert switches.logins() == before

    await site.connection.execute("DELETE FROM netpulse.host_key")
    with pytest.raises(AuthenticationFailed):
        await log_in("wrong one")
    contacts = switches.stats(device).connections
    with pytest.raises(AuthenticationFailed, match="the device was not contacted"):
        await log_in("wrong one")
    assert switches.stats(device).connections == contacts
    await sessions.close()
