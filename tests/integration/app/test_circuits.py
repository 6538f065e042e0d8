"""`/circuit`: which logins were refused, and letting them try again."""

from datetime import datetime, timedelta

import httpx
import psycopg
import pytest

from tests.integration.app.answers import success

REFUSE = "SELECT netpulse.login_refused(%s, %s, %s, 3, %s)"


@pytest.fixture
def refused(database: str) -> None:
    """bob's login on r1 rests, admin's rested, and his one on r2 was refused once."""
    with psycopg.connect(database, autocommit=True) as connection:
        for _ in range(3):
            connection.execute(REFUSE, ["r1:22", "digest-1", "admin", 300])
        connection.execute("UPDATE netpulse.circuit SET opened_until = now() - interval '1 second'")
        for _ in range(4):
            connection.execute(REFUSE, ["r1:830", "digest-2", "bob", 300])
        connection.execute(REFUSE, ["r2:22", "digest-3", None, 300])


def test_looking(api: httpx.Client, refused: None) -> None:
    answer = api.get("/circuit")
    assert "digest" not in answer.text
    found = success(answer)
    times = [(item.pop("opened_until"), datetime.fromisoformat(item.pop("last_failure_at"))) for item in found]
    assert found == [
        {"host": "r2", "port": 22, "username": None, "failures": 1, "resting": False},
        {"host": "r1", "port": 830, "username": "bob", "failures": 4, "resting": True},
        {"host": "r1", "port": 22, "username": "admin", "failures": 3, "resting": False},
    ]
    assert times[0][0] is None
    assert timedelta(seconds=299) < datetime.fromisoformat(times[1][0]) - times[1][1] <= timedelta(seconds=300)
    assert [item["port"] for item in success(api.get("/circuit?host=R1"))] == [830, 22]
    assert len(success(api.get("/circuit?limit=1"))) == 1


def test_clearing(api: httpx.Client, refused: None) -> None:
    assert success(api.delete("/circuit?host=R1.")) == {"cleared_count": 2}
    assert success(api.delete("/circuit?host=r1")) == {"cleared_count": 0}
    assert [item["host"] for item in success(api.get("/circuit"))] == ["r2"]
