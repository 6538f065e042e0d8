"""Data directories and servers of the test's own, whatever DATABASE_URL says."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from app.postgres import EmbeddedPostgres
from tests.postgres import open_directory


@pytest.fixture(scope="package")
def pristine() -> Iterator[Path]:
    """A data directory, stopped, with a table `kept` in it. Tests get copies: initdb takes its time."""
    with open_directory() as directory:
        with (
            EmbeddedPostgres(directory / "data", durable=False) as server,
            psycopg.connect(server.url("postgres")) as connection,
        ):
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        yield directory / "data"


@pytest.fixture
def data(pristine: Path) -> Iterator[Path]:
    """A data directory of the test's own."""
    with open_directory() as directory:
        subprocess.run(["cp", "-a", pristine, directory / "data"], check=True)  # unlike shutil it keeps owners
        yield directory / "data"


@pytest.fixture
def server(data: Path) -> Iterator[EmbeddedPostgres]:
    """A server running on `data`."""
    with EmbeddedPostgres(data, durable=False) as running:
        yield running
