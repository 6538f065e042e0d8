"""The database's URL means to the API what it means to the workers: asyncpg reads it."""

import psycopg
import pytest

from tests.integration.app.answers import success
from tests.integration.app.serving import in_thread


def with_parameters(url: str, parameters: str) -> str:
    """`url` with more libpq parameters."""
    return f"{url}{'&' if '?' in url else '?'}{parameters}"


@pytest.mark.parametrize("parameters", ["sslmode=disable&application_name=np-test-url", "application_name=np-test-url"])
def test_libpq_parameters(database: str, parameters: str) -> None:
    with in_thread(with_parameters(database, parameters)) as (_, api), psycopg.connect(database) as asking:
        assert success(api.get("/health/ready")) == "ok"
        assert success(api.get("/job")) == []
        sql = (
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'np-test-url' AND query NOT LIKE 'LISTEN%'"
        )
        assert asking.execute(sql).fetchone() == (1,)


def test_several_hosts(database: str) -> None:
    """The first that answers counts."""
    with psycopg.connect(database) as connection:
        info = connection.info
        name, port, host = info.dbname, info.port, info.host
        user = f"{info.user}:{info.password}" if info.password else info.user
    nobody = "127.0.0.1" if not host.startswith("/") else f"{host}/nobody"
    url = f"postgresql://{user}@/{name}?host={nobody},{host}&port=1,{port}"
    with in_thread(url) as (_, api):
        assert success(api.get("/job")) == []
