"""The template library by HTTP."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
import pytest

from tests import postgres
from tests.integration.app.answers import failure, fault, success
from tests.integration.app.serving import as_process, client


@pytest.fixture(scope="module")
def url(postgres_url: str, template: str) -> Iterator[str]:
    """The database of `api`."""
    with postgres.new_database(postgres_url, template) as url:
        yield url


@pytest.fixture(scope="module")
def serving(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of an API whose library is this module's."""
    with as_process(url, tmp_path_factory.mktemp("library") / "log") as served, client(served.url) as asking:
        yield asking


@pytest.fixture
def api(serving: httpx.Client, url: str) -> httpx.Client:
    """The same, with an empty library."""
    with psycopg.connect(url) as connection:
        connection.execute("TRUNCATE netpulse.template CASCADE")
    return serving


def store(api: httpx.Client, name: str = "x", template: str = "one", kind: str = "jinja2", **more: Any) -> Any:
    return success(api.post(f"/template/{kind}/{name}", json={"template": template, **more}))


def test_a_templates_life(api: httpx.Client) -> None:
    here = "/template/jinja2/site/base"
    first = api.post(here, json={"template": "a {{ b }}", "description": "d", "sample": '{"b": 1}'})
    assert success(first) == {"kind": "jinja2", "name": "site/base", "version": 1, "changed": True}
    second = api.put(here, json={"template": "b {{ c }}"})
    assert success(second) == {"kind": "jinja2", "name": "site/base", "version": 2, "changed": True}

    shown = success(api.get(here))
    assert (shown["version"], shown["template"], shown["description"]) == (2, "b {{ c }}", "d")
    assert (shown["kind"], shown["name"], shown["sample"], shown["created_by"]) == (
        "jinja2",
        "site/base",
        '{"b": 1}',
        "admin",
    )
    assert [version["version"] for version in shown["versions"]] == [2, 1]
    assert shown["versions"][0]["created_at"] == shown["created_at"]
    assert datetime.fromisoformat(shown["created_at"]).tzinfo

    older = success(api.get(f"{here}?version=1"))
    assert (older["version"], older["template"], older["versions"]) == (1, "a {{ b }}", shown["versions"])
    failure(api.get(f"{here}?version=3"), 404)

    assert success(api.delete(here)) == {"removed_versions": 2}
    for answer in (
        api.get(here),
        api.get(f"{here}?version=1"),
        api.delete(here),
        api.put(here, json={"template": "x"}),
    ):
        failure(answer, 404)
    assert success(api.post(here, json={"template": "x"}))["version"] == 3


def test_there_already(api: httpx.Client) -> None:
    store(api)
    failure(api.post("/template/jinja2/x", json={"template": "two"}), 409)
    assert success(api.get("/template/jinja2/x"))["template"] == "one"
    assert store(api, kind="regex", template="(?P<x>a)")["version"] == 1


def test_unchanged(api: httpx.Client) -> None:
    store(api, description="d")
    put = {"kind": "jinja2", "name": "x", "version": 1}
    assert success(api.put("/template/jinja2/x", json={"template": "one"})) == {**put, "changed": False}
    about = {"template": "one", "description": "e", "sample": "s"}
    assert success(api.put("/template/jinja2/x", json=about)) == {**put, "changed": True}
    shown = success(api.get("/template/jinja2/x"))
    assert (shown["version"], shown["description"], shown["sample"]) == (1, "e", "s")


BAD = {
    "jinja2": "a\n{% if %}",
    "textfsm": "Value A (\\S+\n\nStart\n",
    "ttp": "<group>{{ a }}",
    "regex": "(?P<a>",
}
GOOD = {
    "jinja2": "a {{ b | ipaddr }}",
    "textfsm": "Value A (\\S+)\n\nStart\n  ^${A} -> Record\n",
    "ttp": "<group>\n{{ a }}\n</group>",
    "regex": "(?P<a>x)",
}


@pytest.mark.parametrize("kind", BAD)
def test_only_what_is_valid_is_stored(api: httpx.Client, kind: str) -> None:
    for method in (api.post, api.put):
        answer = method(f"/template/{kind}/x", json={"template": BAD[kind]})
        [found] = failure(answer, 400)["data"]
        assert found["loc"] == ["template"]
        assert found["type"] in ("rendering", "parsing")
    assert success(api.get("/template")) == []
    assert store(api, kind=kind, template=GOOD[kind])["version"] == 1
    assert success(api.get(f"/template/{kind}/x"))["template"] == GOOD[kind]


def test_an_unknown_filter(api: httpx.Client) -> None:
    [found] = failure(api.post("/template/jinja2/x", json={"template": "a\n{{ b | no_such }}"}), 400)["data"]
    assert (found["type"], found["line"]) == ("rendering", 2)


def test_the_schema_of_variables(api: httpx.Client) -> None:
    store(api, "site/x", "{{ host.name }}{% for v in vlans %}{{ v.id }}{% endfor %}{{ note | default('') }}")
    schema = success(api.get("/template/jinja2/site/x/schema"))
    assert schema["required"] == ["host", "vlans"]
    assert schema["properties"]["vlans"]["items"]["properties"].keys() == {"id"}
    api.put("/template/jinja2/site/x", json={"template": "{{ other }}"})
    assert success(api.get("/template/jinja2/site/x/schema"))["required"] == ["other"]
    assert success(api.get("/template/jinja2/site/x/schema?version=1"))["required"] == ["host", "vlans"]
    failure(api.get("/template/jinja2/site/y/schema"), 404)
    store(api, kind="regex", template="(?P<x>a)")
    assert "jinja2" in failure(api.get("/template/regex/x/schema"), 404)["message"]


@pytest.mark.parametrize("name", ["render", "parse", "render/jinja2", "jinja2", "template", "schema/x", "a" * 200])
def test_names_that_look_like_addresses(api: httpx.Client, name: str) -> None:
    store(api, name, "x {{ y }}")
    assert success(api.get(f"/template/jinja2/{name}"))["name"] == name
    assert success(api.get(f"/template/jinja2/{name}/schema"))["required"] == ["y"]
    body = {"template": f"name://jinja2/{name}", "context": {"y": 1}}
    assert success(api.post("/template/render", json=body)) == "x 1"


@pytest.mark.parametrize("name", ["A", "a b", "-a", "a@1", "ä", "a/schema", "schema", "a" * 201, "a\0", "a/.b", "a\n"])
def test_bad_names(api: httpx.Client, name: str) -> None:
    here = f"/template/jinja2/{quote(name, safe='/')}"
    for method in (api.post, api.put):
        assert fault(method(here, json={"template": "x"}))["loc"] == ["path", "name"]
    failure(api.get(here), 404)
    failure(api.delete(here), 404)


def test_unknown_kinds(api: httpx.Client) -> None:
    for answer in (
        api.get("/template/mako/x"),
        api.delete("/template/mako/x"),
        api.post("/template/mako/x", json={"template": "x"}),
        api.put("/template/mako/x", json={"template": "x"}),
    ):
        assert "jinja2, textfsm, ttp, regex" in failure(answer, 404)["message"]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "template"),
        ({"template": ""}, "template"),
        ({"template": "a\0"}, "template"),
        ({"template": "x" * 1_000_001}, "template"),
        ({"template": "x", "description": "d" * 2_001}, "description"),
        ({"template": "x", "sample": "\0"}, "sample"),
        ({"template": "x", "sampel": "x"}, "sampel"),
    ],
)
def test_bad_bodies(api: httpx.Client, body: dict[str, Any], place: str) -> None:
    for method in (api.post, api.put):
        assert fault(method("/template/jinja2/x", json=body))["loc"] == [place]


def test_the_largest(api: httpx.Client) -> None:
    store(api, template="x" * 1_000_000, sample="s" * 262_144, description="d" * 2_000)
    body = {"template": "name://x"}
    assert success(api.post("/template/render", json=body)) == "x" * 1_000_000


def test_the_list(api: httpx.Client) -> None:
    store(api, "b", description="d")
    store(api, "a/x")
    store(api, "a/x", "(?P<x>a)", "regex")
    [first, second, third] = success(api.get("/template"))
    assert first.keys() == {"kind", "name", "version", "description", "created_at", "updated_at"}
    assert [(row["kind"], row["name"]) for row in (first, second, third)] == [
        ("jinja2", "a/x"),
        ("jinja2", "b"),
        ("regex", "a/x"),
    ]
    assert success(api.get("/template?kind=regex")) == [third]
    assert success(api.get("/template?prefix=a/")) == [first, third]
    assert success(api.get("/template?prefix=%25")) == []
    assert success(api.get("/template?kind=ttp")) == []


def test_pages(api: httpx.Client) -> None:
    for number in range(5):
        store(api, f"site/{number}")
    seen, query = [], {"limit": "2"}
    while "cursor" not in query or query["cursor"]:
        answer = api.get("/template", params=query)
        seen += [row["name"] for row in success(answer)]
        query["cursor"] = answer.headers.get("x-next-cursor", "")
    assert seen == [f"site/{number}" for number in range(5)]


@pytest.mark.parametrize("query", ["kind=mako", "cursor=x", "cursor=", "cursor=jinja2/A", "limit=0", "prefex=a"])
def test_bad_queries(api: httpx.Client, query: str) -> None:
    assert fault(api.get(f"/template?{query}"))["loc"] == ["query", query.partition("=")[0]]


@pytest.mark.parametrize("query", ["version=0", "version=x", "version=2147483648", "versoin=1"])
def test_bad_versions(api: httpx.Client, query: str) -> None:
    assert fault(api.get(f"/template/jinja2/x?{query}"))["loc"] == ["query", query.partition("=")[0]]


def test_the_described_examples(api: httpx.Client) -> None:
    """Every example of a body is accepted."""
    paths = api.get("/docs/openapi.json").json()["paths"]

    def examples(path: str, method: str = "post") -> list[dict[str, Any]]:
        content = paths[path][method]["requestBody"]["content"]["application/json"]
        assert content["schema"]["$ref"]
        return [example["value"] for example in content["examples"].values()]

    for method in ("post", "put"):
        for body in examples("/template/{kind}/{name}", method):
            success(api.request(method, "/template/jinja2/example", json=body))
    store(api, "vlans")
    api.put("/template/jinja2/vlans", json={"template": "{{ vlans }}"})
    for path in ("/template/render", "/template/parse"):
        assert examples(path) == examples(f"{path}/{{engine}}")
        for body in examples(path):
            assert success(api.post(path, json=body))
