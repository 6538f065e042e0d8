"""Every route with every scope."""

from collections.abc import Iterator

import httpx
import pytest
from litestar import Litestar, Router, get

from app.access import AccessLog
from app.auth import guarded_routes, require_key, require_scopes
from app.main import create_app
from jobs.principal import SCOPES
from tests import postgres
from tests.integration.app.keyring import coming_with, make_key
from tests.integration.app.serving import in_thread, settings

NONE = "00000000-0000-0000-0000-000000000000"
ANY = SCOPES
READ = ("read",)
QUERY = ("query",)
CONFIG = ("config",)
EITHER = ("query", "config")
ADMIN: tuple[str, ...] = ()
"""What is for admin only; admin includes everything else too."""

ROUTES: dict[str, tuple[str, ...]] = {
    "POST /device/execute": EITHER,
    "POST /device/exec": EITHER,
    "POST /device/bulk": EITHER,
    "POST /device/test-connection": QUERY,
    "POST /device/test": QUERY,
    "GET /job": READ,
    "GET /job/{job_id:uuid}": READ,
    "GET /job/{job_id:uuid}/events": READ,
    "POST /job/{job_id:uuid}/confirm": CONFIG,
    "DELETE /job": EITHER,
    "GET /batch/{batch_id:uuid}": READ,
    "GET /batch/{batch_id:uuid}/events": READ,
    "GET /worker": READ,
    "DELETE /worker": ADMIN,
    "GET /session": READ,
    "GET /system/stats": READ,
    "GET /report": READ,
    "GET /report/{name:str}": READ,
    "GET /storage/{file_id:uuid}": READ,
    "DELETE /storage/{file_id:uuid}": EITHER,
    "GET /detached-task": READ,
    "POST /detached-task": CONFIG,
    "GET /detached-task/{task_id:uuid}": READ,
    "GET /detached-task/{task_id:uuid}/log": READ,
    "DELETE /detached-task/{task_id:uuid}": CONFIG,
    "GET /driver": ANY,
    "GET /driver/{name:str}": ANY,
    "GET /host-key": READ,
    "POST /host-key": ADMIN,
    "DELETE /host-key": ADMIN,
    "GET /circuit": READ,
    "DELETE /circuit": ADMIN,
    "POST /template/render": QUERY,
    "POST /template/render/{engine:str}": QUERY,
    "POST /template/parse": QUERY,
    "POST /template/parse/{engine:str}": QUERY,
    "GET /template": READ,
    "GET /template/{kind:str}/{name:path}": READ,
    "POST /template/{kind:str}/{name:path}": CONFIG,
    "PUT /template/{kind:str}/{name:path}": CONFIG,
    "DELETE /template/{kind:str}/{name:path}": CONFIG,
    "GET /key": ADMIN,
    "POST /key": ADMIN,
    "GET /key/{name:str}": ADMIN,
    "DELETE /key/{name:str}": ADMIN,
    "POST /key/{name:str}/rotate": ADMIN,
    "GET /audit": ADMIN,
    "GET /device/{host:str}/history": READ,
    "GET /schedule": READ,
    "POST /schedule": EITHER,
    "GET /schedule/{schedule_id:uuid}": READ,
    "PATCH /schedule/{schedule_id:uuid}": EITHER,
    "DELETE /schedule/{schedule_id:uuid}": EITHER,
    "POST /schedule/{schedule_id:uuid}/run": EITHER,
    "GET /webhook/delivery": READ,
    "POST /webhook/delivery/{delivery_id:uuid}/redeliver": EITHER,
    "POST /credential/{provider:str}/test": ADMIN,
    "POST /credential/{provider:str}/create": ADMIN,
    "POST /credential/{provider:str}/read": ADMIN,
    "POST /credential/{provider:str}/delete": ADMIN,
    "POST /credential/{provider:str}/list": ADMIN,
    "POST /credential/{provider:str}/metadata": ADMIN,
    "POST /credential/{provider:str}/batch-read": ADMIN,
    "GET /health": ANY,
}
PATHS = {
    "{name:path}": "nothing",
    "{kind:str}": "jinja2",
    "{name:str}": "nothing",
    "{host:str}": "nothing",
    "{engine:str}": "nothing",
    "{provider:str}": "nothing",
}


@pytest.fixture(scope="module")
def clients(postgres_url: str, template: str) -> Iterator[dict[str, httpx.Client]]:
    """A client for each scope, with a key that has that one and no other; `none` has no key."""
    with postgres.new_database(postgres_url, template) as url, in_thread(url) as (served, admin):
        made = {"none": httpx.Client(base_url=served.url)}
        made |= {scope: coming_with(served.url, make_key(admin, f"only-{scope}", scope)) for scope in SCOPES}
        yield made
        for client in made.values():
            client.close()


def send(client: httpx.Client, route: str) -> httpx.Response:
    """A request that does nothing: its body is empty, and what it names is not there."""
    method, path = route.split(" ")
    for part, value in PATHS.items():
        path = path.replace(part, value)
    parts = [NONE if part.endswith(":uuid}") else part for part in path.split("/")]
    return client.request(method, "/".join(parts), json=None if method in ("GET", "DELETE") else {})


def test_no_route_is_missing() -> None:
    app = create_app(settings(), "postgresql://nobody@127.0.0.1:1/none")
    assert isinstance(app, AccessLog)
    assert isinstance(app.app, Litestar)
    routes = {
        f"{method} {path}" for path, handler in guarded_routes(app.app) for method in handler.http_methods - {"HEAD"}
    }
    assert sorted(routes - ROUTES.keys()) == []
    assert sorted(ROUTES.keys() - routes) == []


def test_only_these_need_no_key() -> None:
    app = create_app(settings(), "postgresql://nobody@127.0.0.1:1/none")
    assert isinstance(app, AccessLog)
    assert isinstance(app.app, Litestar)
    guarded = {path for path, _ in guarded_routes(app.app)}
    public = {route.path for route in app.app.routes} - guarded
    assert {path for path in public if not path.startswith("/docs")} == {"/health/live", "/health/ready"}


@pytest.mark.parametrize(("route", "scopes"), ROUTES.items(), ids=ROUTES.keys())
def test_each_scope(clients: dict[str, httpx.Client], route: str, scopes: tuple[str, ...]) -> None:
    assert "is needed" in send(clients["none"], route).json()["message"]
    for scope in SCOPES:
        answer = send(clients[scope], route)
        if scope == "admin" or scope in scopes:
            assert answer.status_code in (200, 400, 404, 503), answer.text
            assert answer.status_code != 503 or "zone" in answer.text
        else:
            assert answer.status_code == 403, answer.text
            wanted = " or ".join(scopes or ("admin",))
            assert answer.json()["message"] == f"The key 'only-{scope}' lacks the scope {wanted}."


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_templates_that_evaluate_code_need_admin(clients: dict[str, httpx.Client], method: str) -> None:
    asked = {scope: clients[scope].request(method, "/template/ttp/nothing", json={}) for scope in ("config", "admin")}
    assert asked["config"].json()["message"] == "The key 'only-config' lacks the scope admin."
    assert asked["admin"].status_code in (400, 404)


def test_the_methods_of_a_route(clients: dict[str, httpx.Client]) -> None:
    """Litestar's own answer to OPTIONS has no scope, but needs a key."""
    assert clients["none"].options("/job").status_code == 403
    answer = clients["query"].options("/job")
    assert (answer.status_code, "GET" in answer.headers["allow"]) == (204, True)


@pytest.mark.parametrize("scope", [None, "write", ("query", "write"), ()])
def test_no_start_with_a_route_without_a_scope(scope: object) -> None:
    @get("/here", sync_to_thread=False, opt={} if scope is None else {"scope": scope})
    def handler() -> None: ...

    with pytest.raises(LookupError, match=r"/here .*needs a scope"):
        require_scopes(Litestar([Router("/", guards=[require_key], route_handlers=[handler])], openapi_config=None))
