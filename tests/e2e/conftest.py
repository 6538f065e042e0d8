"""A lab for all of these tests, and a site per module. Each test takes devices that no other test has."""

from collections.abc import Callable, Iterator

import pytest

from drivers.lab import LabDevice, LabProcess, User
from tests import postgres
from tests.stack import Stack

DEVICES = 200
BOB = User("bob", "bobs-own-password", 1)
"""A second user, who starts without privileges."""


@pytest.fixture(scope="session")
def lab() -> Iterator[LabProcess]:
    """Simulated devices; those that restart are back at once."""
    with LabProcess(devices=DEVICES, users=[BOB], reload_ms=50) as lab:
        yield lab


@pytest.fixture(scope="session")
def _unused(lab: LabProcess) -> Iterator[LabDevice]:
    return iter(lab.devices)


@pytest.fixture
def fresh(_unused: Iterator[LabDevice]) -> Callable[[], LabDevice]:
    """Gives out devices that nobody has used."""
    return lambda: next(_unused)


@pytest.fixture
def device(fresh: Callable[[], LabDevice]) -> LabDevice:
    """A device that nobody has used."""
    return fresh()


@pytest.fixture(scope="module")
def module_database(postgres_url: str, template: str) -> Iterator[str]:
    """URL of a migrated database of the module's own."""
    with postgres.new_database(postgres_url, template) as url:
        yield url


@pytest.fixture(scope="module")
def stack(module_database: str, lab: LabProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A site with one worker, for the whole module."""
    with Stack(module_database, tmp_path_factory.mktemp("logs"), lab) as stack:
        yield stack
