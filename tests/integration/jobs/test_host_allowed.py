"""netpulse.host_allowed says what `HostPatterns` says."""

import ipaddress
from collections.abc import Iterator
from functools import partial

import asyncpg
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Text, literal, select
from sqlalchemy.ext.asyncio import create_async_engine

from drivers.base import normalise_host
from jobs.addresses import host_in
from jobs.host_patterns import HostPatterns

ALLOWED = "SELECT netpulse.host_allowed(%s, %s)"

names = st.from_regex(r"[a-c0-2_]([a-c_.-]{0,4}[a-c])?", fullmatch=True)
near = st.integers(0, 2**10 - 1)
addresses = st.one_of(
    near.map(lambda low: str(ipaddress.IPv4Address(0xC0000200 + low))),
    near.map(lambda low: str(ipaddress.IPv6Address(0x20010DB8 << 96 | low))),
    near.map(lambda low: f"::ffff:{ipaddress.IPv4Address(0xC0000200 + low)}"),
    near.map(lambda low: f"fe80::{low:x}%eth0"),
    st.ip_addresses().map(str),
)
hosts = st.one_of(names, addresses).filter(lambda host: not host.isdigit())
networks = st.builds(
    lambda address, left: f"{address.partition('%')[0]}/{max(0, (128 if ':' in address else 32) - left)}",
    addresses,
    st.integers(0, 12),
)
globs = st.one_of(
    st.text("abc01_-.:*?", min_size=1, max_size=6),
    st.sampled_from(["192.*", "1*.*", "*.2*", "1?.*", "*1*", "?.*"]),
    st.builds(lambda host, keep: host.partition("%")[0][:keep] + "*", st.one_of(names, addresses), st.integers(0, 12)),
    addresses.map(lambda address: address.partition("%")[0]),
)


def is_host(host: str) -> bool:
    """What a job's row may hold."""
    try:
        return bool(normalise_host(host))
    except ValueError:
        return False


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    """A connection to the test's own database."""
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(host=hosts.filter(is_host), patterns=st.lists(st.one_of(networks, globs), max_size=3))
def test_both_rules_are_one(connection: psycopg.Connection, host: str, patterns: list[str]) -> None:
    device, ours = normalise_host(host), HostPatterns(patterns)
    [said] = connection.execute(ALLOWED, [device, list(ours.texts)]).fetchall()[0]
    assert said == ours.allow(device)


@pytest.mark.parametrize("pattern", ["a_b", "a%b", "a\\b", "a[bc]d", "a]b", "[!a]"])
def test_signs_that_mean_nothing_here(connection: psycopg.Connection, pattern: str) -> None:
    """Some of these `HostPatterns` refuses; in a row that was written by hand they are themselves, and no wildcards."""
    for host, expected in ((pattern, True), ("axb", False), ("abcd", False), ("abd", False), ("b", False)):
        assert connection.execute(ALLOWED, [host, [pattern]]).fetchone() == (expected,)


def test_no_patterns(connection: psycopg.Connection) -> None:
    assert connection.execute(ALLOWED, ["a", None]).fetchone() == (True,)
    assert connection.execute(ALLOWED, ["a", []]).fetchone() == (False,)


@pytest.mark.parametrize("host", ["1.2.3", "1.2.3.999", ":::", "a:b", "", "..."])
def test_what_is_no_address_fails_no_query(connection: psycopg.Connection, host: str) -> None:
    patterns = ["0.0.0.0/0", "::/0"]
    assert connection.execute(ALLOWED, [host, patterns]).fetchone() == (False,)


HOSTS = {
    "r1:22": "r1",
    "192.0.2.1:830": "192.0.2.1",
    "[2001:db8::1]:22": "2001:db8::1",
    "[fe80::1%e0]:1": "fe80::1%e0",
}


@pytest.mark.anyio
async def test_the_host_of_a_device_key(database: str) -> None:
    engine = create_async_engine("postgresql+asyncpg://", async_creator=partial(asyncpg.connect, database))
    async with engine.connect() as connection:
        found = (await connection.execute(select(*(host_in(literal(key, Text)) for key in HOSTS)))).one()
    await engine.dispose()
    assert list(found) == list(HOSTS.values())
