"""A site whose logins are in Vault: resolved by the workers, rotated under way, and Vault going away under load."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from drivers.lab import LabProcess
from tests.stack import Job, Stack, error_of
from tests.vault import VaultServer
from tests.waiting import until

PATH = "sites/lab/admin"
TIMEOUT_S = 1.0
CLIENTS = 4
SOON_S = 15.0
"""No job may take longer, whatever Vault does: its time out, a retry or two, and a busy machine."""


@pytest.fixture(scope="module")
def lab() -> Iterator[LabProcess]:
    with LabProcess(devices=6) as lab:
        yield lab


@pytest.fixture
def vault(lab: LabProcess) -> Iterator[VaultServer]:
    with VaultServer() as vault:
        vault.add_policy("netpulse", {"secret/data/sites/*": ["read"]})
        vault.put(PATH, {"username": lab.username, "password": lab.password})
        yield vault


@contextmanager
def site(database: str, directory: Path, lab: LabProcess, vault: VaultServer, **settings: str) -> Iterator[Stack]:
    """A stack that logs in to Vault by AppRole, and remembers nothing unless `settings` say otherwise."""
    role_id, secret_id = vault.add_role(["netpulse"])
    known = {"ADDRESS": vault.url, "ROLE_ID": role_id, "SECRET_ID": secret_id, "TIMEOUT_S": str(TIMEOUT_S)}
    environment = {f"NETPULSE_VAULT__{name}": value for name, value in known.items()}
    environment |= {"NETPULSE_CREDENTIALS__CACHE_S": "0", **settings}
    with Stack(database, directory, lab, settings=environment) as stack:
        yield stack


def referring(stack: Stack, number: int, **extra: Any) -> Job:
    """A request that refers to its login, for one device of the lab."""
    device = stack.lab.devices[number % len(stack.lab.devices)]
    login = {"device_type": "cisco_ios", "host": device.host, "port": device.port}
    return {"driver": "netmiko", "connection_args": login, "credential_ref": PATH, "command": "show clock", **extra}


def submitted(stack: Stack, request: Job) -> str:
    answer = stack.http.post("/device/execute", json=request)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["data"]["id"])


class Load:
    """Clients that ask for one job after the other, and what became of each."""

    def __init__(self, stack: Stack, **extra: Any) -> None:
        self._stack = stack
        self._extra = extra
        self._over = threading.Event()
        self.ended: list[tuple[float, float, str | None]] = []
        """When it was asked for, how long that took, and the type of its error."""
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(CLIENTS)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        while not self._over.is_set():
            began = time.monotonic()
            job = self._stack.await_job(submitted(self._stack, referring(self._stack, number, **self._extra)))
            self.ended.append((began, time.monotonic() - began, error_of(job)))
            number += 1

    def more(self, error: str | None, count: int = 2 * CLIENTS) -> None:
        """Return when so many more that were asked for from now on have ended so."""
        since = time.monotonic()

        def seen() -> bool:
            return sum(began > since and kind == error for began, _, kind in self.ended) >= count

        until(seen, f"{count} more jobs end with {error}: {Counter(kind for _, _, kind in self.ended)}")


def test_all_three_forms_of_a_reference(database: str, tmp_path: Path, lab: LabProcess, vault: VaultServer) -> None:
    vault.put("sites/lab/other", {"user": lab.username, "word": lab.password})
    whole = {
        "provider": "vault",
        "path": "sites/lab/other",
        "username_key": "user",
        "password_key": "word",
        "version": 1,
    }
    with site(database, tmp_path, lab, vault) as stack:
        jobs = [
            submitted(stack, referring(stack, n) | {"credential_ref": ref})
            for n, ref in enumerate((PATH, {"path": PATH}, whole))
        ]
        assert [stack.await_job(job)["status"] for job in jobs] == ["finished"] * 3

        tested = stack.http.post(
            "/device/test-connection", json={k: v for k, v in referring(stack, 0).items() if k != "command"}
        )
        assert tested.json()["data"]["success"], tested.text

        members = [{"host": device.host, "port": device.port} for device in lab.devices]
        members[1]["credential_ref"] = whole
        members[2]["credential_ref"] = "sites/lab/nothing"
        bulk = {**referring(stack, 0), "connection_args": {"device_type": "cisco_ios"}, "devices": members}
        accepted = stack.http.post("/device/bulk", json=bulk).json()["data"]["succeeded"]
        errors = [error_of(stack.await_job(job["id"])) for job in accepted]
        assert errors == [None, None, "CredentialError", None, None, None]


def test_a_rotated_password_is_picked_up(database: str, tmp_path: Path, lab: LabProcess, vault: VaultServer) -> None:
    vault.put(PATH, {"username": lab.username, "password": "before-the-rotation"})
    with site(database, tmp_path, lab, vault, NETPULSE_CREDENTIALS__CACHE_S="600") as stack:
        assert error_of(stack.await_job(submitted(stack, referring(stack, 0)))) == "AuthenticationFailed"
        vault.put(PATH, {"username": lab.username, "password": lab.password})
        job = stack.await_job(submitted(stack, referring(stack, 1)))

        assert (job["status"], job["attempts"]) == ("finished", 1)
        refused = stack.rows("SELECT host, failures FROM netpulse.circuit JOIN netpulse.device ON key = device_key")
        assert [row["host"] for row in refused] == [lab.devices[0].host]  # where it was wrong until the end


def test_vault_sealed_and_restarted_under_load(
    database: str, tmp_path: Path, lab: LabProcess, vault: VaultServer
) -> None:
    with site(database, tmp_path, lab, vault) as stack, Load(stack) as load:
        load.more(None)
        vault.seal()
        load.more("VaultUnavailable")
        plain = stack.run(lab.devices[0], command="show version")
        assert plain["status"] == "finished"  # jobs that need no Vault go on
        vault.unseal()
        load.more(None)
        vault.stop()
        load.more("VaultUnavailable")
        vault.start()
        load.more(None)
        with vault.stall():
            load.more("VaultUnavailable")
        load.more(None)
        vault.revoke_all()
        load.more(None)
    assert {kind for _, _, kind in load.ended} == {None, "VaultUnavailable"}
    assert max(took for _, took, _ in load.ended) < SOON_S


def test_jobs_with_retries_wait_for_vault(database: str, tmp_path: Path, lab: LabProcess, vault: VaultServer) -> None:
    with site(database, tmp_path, lab, vault) as stack:
        vault.seal()
        jobs = [submitted(stack, referring(stack, number, retry=6)) for number in range(4)]
        seen = vault.requests
        until(lambda: len(vault.requests) > len(seen) + 1, "Vault is asked again")
        vault.unseal()

        assert [stack.await_job(job)["status"] for job in jobs] == ["finished"] * 4


def test_what_is_known_is_used_while_vault_is_away(
    database: str, tmp_path: Path, lab: LabProcess, vault: VaultServer
) -> None:
    with site(database, tmp_path, lab, vault, NETPULSE_CREDENTIALS__CACHE_S="600") as stack:
        assert stack.await_job(submitted(stack, referring(stack, 0)))["status"] == "finished"
        vault.stop()
        jobs = [submitted(stack, referring(stack, number)) for number in range(6)]

        assert [stack.await_job(job)["status"] for job in jobs] == ["finished"] * 6
