"""Who may ask."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.integration.app.answers import assert_log_discreet, failure, fault, success
from tests.integration.app.serving import KEY, NAME, AsProcess, as_process, body, in_thread

GUARDED = {
    "execute": ("POST", "/device/execute"),
    "exec": ("POST", "/device/exec"),
    "jobs": ("GET", "/job"),
    "job": ("GET", "/job/00000000-0000-0000-0000-000000000000"),
    "cancel": ("DELETE", "/job?host=a"),
    "bulk": ("POST", "/device/bulk"),
    "job-events": ("GET", "/job/00000000-0000-0000-0000-000000000000/events"),
    "batch": ("GET", "/batch/00000000-0000-0000-0000-000000000000"),
    "batch-events": ("GET", "/batch/00000000-0000-0000-0000-000000000000/events"),
    "stop": ("DELETE", "/worker?node=a"),
    "sessions": ("GET", "/session"),
    "workers": ("GET", "/worker"),
    "health": ("GET", "/health"),
}
PUBLIC = ["/health/live", "/health/ready", "/docs", "/docs/openapi.json"]
PLACES = {
    "header": {"headers": {NAME: KEY}},
    "query": {"params": {NAME: KEY}},
    "cookie": {"headers": {"Cookie": f"{NAME}={KEY}"}},
}
WRONG = {
    "missing": ({}, "is needed"),
    "empty": ({"headers": {NAME: ""}}, "is needed"),
    "header": ({"headers": {NAME: KEY + "x"}}, "not known"),
    "other-case": ({"headers": {NAME: KEY.upper()}}, "not known"),
    "not-ascii": ({"headers": {NAME: b"\xff\xfe"}}, "not known"),
    "query": ({"params": {NAME: "wrong"}}, "not known"),
    "cookie": ({"headers": {"Cookie": f"{NAME}=wrong"}}, "not known"),
}


@pytest.fixture
def stranger(process: AsProcess, asking: httpx.Client) -> Iterator[httpx.Client]:
    """A client without a key, of `process`; that nothing is queued, `asking` sees to."""
    with httpx.Client(base_url=process.url) as client:
        yield client


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_each_place(stranger: httpx.Client, process: AsProcess, place: dict[str, dict[str, str]]) -> None:
    answer = stranger.get("/job", **place)  # type: ignore[arg-type]
    assert success(answer) == []
    assert_log_discreet(process, answer)


ELSEWHERE = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
]


@pytest.mark.parametrize("headers", ELSEWHERE)
def test_a_cookie_is_for_our_own_pages(stranger: httpx.Client, headers: dict[str, str]) -> None:
    cookie = {"Cookie": f"{NAME}={KEY}"}
    answer = stranger.post("/credential/local/test", headers=cookie | headers)
    assert "is needed" in failure(answer, 403)["message"]
    success(stranger.get("/job", headers={NAME: KEY} | headers))


@pytest.mark.parametrize("fetched", ["same-origin", "none", None])
def test_a_cookie_of_our_own_pages(stranger: httpx.Client, fetched: str | None) -> None:
    said = {"Sec-Fetch-Site": fetched} if fetched else {"Origin": str(stranger.base_url).rstrip("/")}
    success(stranger.get("/job", headers={"Cookie": f"{NAME}={KEY}"} | said))


@pytest.mark.parametrize(("method", "url"), GUARDED.values(), ids=GUARDED.keys())
@pytest.mark.parametrize(("given", "says"), WRONG.values(), ids=WRONG.keys())
def test_refused(stranger: httpx.Client, method: str, url: str, given: dict[str, dict[str, str]], says: str) -> None:
    request = stranger.build_request(method, url, json=body(), headers=given.get("headers"))
    for name, value in given.get("params", {}).items():
        request.url = request.url.copy_add_param(name, value)
    assert says in failure(stranger.send(request), 403)["message"]


@pytest.mark.parametrize("url", PUBLIC)
def test_public(stranger: httpx.Client, url: str) -> None:
    assert stranger.get(url).status_code == 200


@pytest.mark.parametrize("query", ["limit=x", "hostt=a", "status=x", "since=x", "host=a&host=b"])
def test_a_key_in_a_bad_query_is_not_repeated(stranger: httpx.Client, process: AsProcess, query: str) -> None:
    answer = stranger.get(f"/job?{query}&{NAME}={KEY}")
    fault(answer)
    assert_log_discreet(process, answer)


def test_strangers_learn_no_parameters(stranger: httpx.Client) -> None:
    assert failure(stranger.get("/job?hostt=a"), 403)["data"] is None


def test_another_name(database: str) -> None:
    with in_thread(database, api_key_name="token") as (served, client):
        assert client.get("/health").status_code == 403
        assert success(client.get("/health", params={"token": KEY})) == "ok"
        assert success(httpx.get(f"{served.url}/health", headers={"token": KEY})) == "ok"
        schemes = client.get("/docs/openapi.json").json()["components"]["securitySchemes"]
        assert {scheme["name"] for scheme in schemes.values()} == {"token"}


def test_the_key_in_a_path_is_not_logged(process: AsProcess, asking: httpx.Client) -> None:
    assert_log_discreet(process, asking.get(f"/{KEY}"))


def test_no_start_without_a_key(database: str, tmp_path: Path) -> None:
    with (
        pytest.raises(AssertionError, match="NETPULSE_SERVER__API_KEY"),
        as_process(database, tmp_path / "log", NETPULSE_SERVER__API_KEY="short"),
    ):
        pass
