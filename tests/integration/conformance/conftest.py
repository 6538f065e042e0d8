"""Fixtures of the conformance tests. `bench` wants the subject as its parameter: see `examine`."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from drivers.lab import LabDevice, LabProcess
from tests.cable import cable
from tests.frr import frr
from tests.integration.conformance.bench import Bench
from tests.integration.conformance.peers import Host, Peer, Router, Simulated
from tests.integration.conformance.subjects import SUBJECTS, Subject
from tests.sshd import Sshd, sshd

MINUTE_MS = 400
"""Of the simulated devices."""

DEVICES = 60
"""For each subject: no two tests share one."""


@pytest.fixture(scope="package")
def devices() -> Iterator[Callable[[str], tuple[LabProcess, LabDevice]]]:
    """Simulated devices that nobody has touched, by persona."""
    labs: dict[str, tuple[LabProcess, Iterator[LabDevice]]] = {}
    with ExitStack() as stack:

        def take(persona: str) -> tuple[LabProcess, LabDevice]:
            if persona not in labs:
                devices = DEVICES * sum(subject.peer == persona for subject in SUBJECTS)
                options = [f"--minute-ms={MINUTE_MS}"]
                lab = stack.enter_context(
                    LabProcess(devices=devices, persona=persona, reload_ms=50, prefix="dev", options=options)
                )
                labs[persona] = lab, iter(lab.devices)
            lab, unused = labs[persona]
            return lab, next(unused)

        yield take


@pytest.fixture(scope="package")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("host"), extra="LogLevel VERBOSE\n") as server:
        yield server


@pytest.fixture(scope="package")
def router() -> Iterator[Sshd]:
    with frr() as running:
        yield running


@pytest.fixture
def bench(request: pytest.FixtureRequest, devices: Callable[[str], tuple[LabProcess, LabDevice]]) -> Iterator[Bench]:
    """The subject's place for one test. A real server is started when the first of its subjects comes."""
    subject: Subject = request.param
    peer: Peer
    if subject.peer == "sshd":
        peer = Host(request.getfixturevalue("host"))
        peer.reset()
    elif subject.peer == "frr":
        peer = Router(request.getfixturevalue("router"))
        peer.reset()
    else:
        peer = Simulated(*devices(subject.peer), subject)
    with cable(peer.port) as laid:
        made = Bench(subject, peer, laid)
        try:
            yield made
        finally:
            made.close()
