"""Fixtures for all tests. Those of PostgreSQL start nothing until a test asks."""

from collections.abc import Iterator

import pytest

from tests import postgres


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, as the service does."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of a database from which others can be made: DATABASE_URL's, or of an embedded server for this session."""
    with postgres.server() as url:
        yield url


@pytest.fixture(scope="session")
def template(postgres_url: str) -> str:
    """Name of the database that `database` copies."""
    return postgres.ensure_template(postgres_url)


@pytest.fixture
def database(postgres_url: str, template: str) -> Iterator[str]:
    """URL (`postgresql://…`) of a migrated database of the test's own: commit, listen and run workers at will."""
    with postgres.new_database(postgres_url, template) as url:
        yield url


@pytest.fixture
def empty_database(postgres_url: str) -> Iterator[str]:
    """URL of a database of the test's own with nothing in it."""
    with postgres.new_database(postgres_url) as url:
        yield url
