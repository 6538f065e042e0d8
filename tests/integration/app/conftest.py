"""The service under test: one process for all that queues nothing, one in a thread for each test that does."""

from collections.abc import Iterator

import httpx
import psycopg
import pytest

from tests import postgres
from tests.integration.app.serving import AsProcess, InThread, as_process, client, in_thread


@pytest.fixture(scope="package")
def shared_database(postgres_url: str, template: str) -> Iterator[str]:
    """URL of the database of `process`: for tests that leave it empty."""
    with postgres.new_database(postgres_url, template) as url:
        yield url


@pytest.fixture(scope="package")
def process(shared_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AsProcess]:
    """`netpulse api`."""
    with as_process(shared_database, tmp_path_factory.mktemp("api") / "log") as served:
        yield served


@pytest.fixture
def asking(process: AsProcess, shared_database: str) -> Iterator[httpx.Client]:
    """A client of `process`, with the key; afterwards nothing may be queued."""
    with client(process.url) as asking:
        yield asking
    with psycopg.connect(shared_database) as connection:
        queued = "SELECT id::text FROM netpulse.job UNION SELECT key FROM netpulse.device UNION SELECT args::text"
        assert connection.execute(f"{queued} FROM procrastinate_jobs").fetchall() == []


@pytest.fixture
def served(database: str) -> Iterator[tuple[InThread, httpx.Client]]:
    """The application on a database of the test's own, and a client."""
    with in_thread(database) as pair:
        yield pair


@pytest.fixture
def api(served: tuple[InThread, httpx.Client]) -> httpx.Client:
    """A client of the application on the test's own `database`."""
    return served[1]
