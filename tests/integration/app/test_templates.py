"""Rendering and parsing by HTTP, with templates from everywhere."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import postgres
from tests.integration.app.answers import failure, fault, success
from tests.integration.app.serving import as_process, client, in_thread

BRIEF = """\
Interface              IP-Address      OK? Method Status                Protocol
GigabitEthernet0/1     192.0.2.1       YES NVRAM  up                    up
"""
FSM = "Value NAME (\\S+)\nValue ADDRESS (\\d\\S+)\n\nStart\n  ^${NAME} +${ADDRESS} -> Record\n"
TTP = "{{ name }} {{ address | IP }} {{ _line_ }}"
"""Its filters are evaluated."""
CODE = "{{ x | contains(().__class__.__base__.__subclasses__()) }}"


@pytest.fixture(scope="module")
def site(postgres_url: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of an API that has a folder of templates."""
    directory = tmp_path_factory.mktemp("site")
    folder = directory / "templates"
    folder.mkdir()
    (folder / "host.j2").write_text("hostname {{ name }}")
    (folder / "brief.ttp").write_text(TTP)
    environment = {"NETPULSE_TEMPLATES__FOLDERS": str(folder)}
    with (
        postgres.new_database(postgres_url, template) as url,
        as_process(url, directory / "log", **environment) as served,
        client(served.url) as asking,
    ):
        yield asking


def render(api: httpx.Client, template: str, context: dict[str, Any] | None = None, **more: Any) -> httpx.Response:
    return api.post("/template/render", json={"template": template, "context": context or {}, **more})


def parse(api: httpx.Client, name: str, text: str = BRIEF, **more: Any) -> httpx.Response:
    return api.post("/template/parse", json={"name": name, "context": text, **more})


def template_fault(answer: httpx.Response) -> dict[str, Any]:
    """The one fault of a template."""
    [found] = failure(answer, 400)["data"]
    assert found["loc"] == ["template"]
    assert found["msg"] in answer.json()["message"]
    return dict(found)


def test_rendering(site: httpx.Client) -> None:
    assert success(render(site, "a {{ b }}", {"b": 1})) == "a 1"
    assert success(render(site, "a {{ b }}", {"b": "ü"}, name="jinja2")) == "a ü"
    assert success(site.post("/template/render/jinja2", json={"template": "x"})) == "x"
    loop = "{% for n in ns %}\nvlan {{ n }}\n{% endfor %}\n"
    assert success(render(site, loop, {"ns": [1, 2]}, args={"trim_blocks": True})) == "vlan 1\nvlan 2\n"


def test_templates_that_fail(site: httpx.Client) -> None:
    undefined = template_fault(render(site, "a\n{{ b }}"))
    assert (undefined["type"], undefined["line"], undefined["name"]) == ("rendering", 2, "b")
    assert template_fault(render(site, "a\n\n{% if %}"))["line"] == 3
    assert "line" in render(site, "a\n{{ b }}").json()["message"]
    assert template_fault(render(site, "x", args={"loader": "x"}))["type"]


def test_limits(site: httpx.Client) -> None:
    """A sentence, in time, and the next one is served."""
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    answer = render(site, endless)
    assert answer.elapsed.total_seconds() < 4
    assert template_fault(answer)["type"] == "time"
    assert template_fault(parse(site, "regex", "a" * 50 + "b", template="(?P<x>(a+)+)$"))["type"] == "time"
    assert success(render(site, "x")) == "x"


def test_parsing(site: httpx.Client) -> None:
    record = {"NAME": "GigabitEthernet0/1", "ADDRESS": "192.0.2.1"}
    assert success(parse(site, "textfsm", template=FSM)) == [record]
    pattern = r"(?m)^(?P<name>\S+) +(?P<address>\d\S+)"
    assert success(parse(site, "regex", template=pattern)) == [{"name": record["NAME"], "address": record["ADDRESS"]}]
    in_path = site.post("/template/parse/regex", json={"template": pattern, "context": ""})
    assert success(in_path) == []


def test_parsing_by_command(site: httpx.Client) -> None:
    wanted = {"platform": "cisco_ios", "command": "show ip interface brief"}
    for name in ("textfsm", "auto"):
        [record] = success(parse(site, name, **wanted))
        assert (record["interface"], record["ip_address"]) == ("GigabitEthernet0/1", "192.0.2.1")
    only_ttp = {"platform": "arista_eos", "command": "show hostname"}
    for name in ("ttp", "auto"):
        assert "r1.example" in str(success(parse(site, name, "Hostname: r1\nFQDN:     r1.example\n", **only_ttp)))
    assert "no template" in template_fault(parse(site, "auto", platform="cisco_ios", command="x"))["msg"]
    assert template_fault(parse(site, "regex", **wanted))["msg"] == "regex needs a template"
    assert "no template" in template_fault(parse(site, "auto", template=FSM))["msg"]


def test_ttp_is_code(site: httpx.Client) -> None:
    """Sent, it is refused; the site's own is run."""
    for template in (TTP, CODE):
        refused = template_fault(parse(site, "ttp", template=template))
        assert refused["type"] == "refused"
        assert "NETPULSE_TEMPLATES__INLINE_TTP" in refused["msg"]
    record = {"name": "GigabitEthernet0/1", "address": "192.0.2.1"}
    success(site.post("/template/ttp/brief", json={"template": TTP}))
    for reference in ("name://brief", "name://ttp/brief@1", "file://brief.ttp"):
        [found] = success(parse(site, "ttp", template=reference))
        assert found.items() >= record.items()


def test_inline_ttp_where_it_is_allowed(shared_database: str, tmp_path: Path) -> None:
    allowed = {"NETPULSE_TEMPLATES__INLINE_TTP": "true"}
    with as_process(shared_database, tmp_path / "log", **allowed) as served, client(served.url) as api:
        [found] = success(parse(api, "ttp", template=TTP))
        assert found["address"] == "192.0.2.1"


def test_references(site: httpx.Client) -> None:
    success(site.post("/template/jinja2/refs/host", json={"template": "one {{ name }}"}))
    success(site.put("/template/jinja2/refs/host", json={"template": "two {{ name }}"}))
    for reference, text in {
        "name://refs/host": "two x",
        "name://jinja2/refs/host@1": "one x",
        "file://host.j2": "hostname x",
    }.items():
        assert success(render(site, reference, {"name": "x"})) == text
    for reference in ("name://refs/none", "name://refs/host@3", "file:///etc/passwd", "https://templates.example/x"):
        found = template_fault(render(site, reference))
        assert found["type"] == "missing"
        assert "root" not in str(found)


def test_engines(site: httpx.Client) -> None:
    for path in ("/template/render/textfsm", "/template/render/mako", "/template/parse/jinja2"):
        assert "There is no such engine" in failure(site.post(path, json={}), 404)["message"]
    assert fault(render(site, "x", name="mako"))["loc"] == ["name"]
    assert fault(parse(site, "genie", template="x"))["loc"] == ["name"]
    assert "missing" in fault(site.post("/template/parse", json={"template": "x", "context": ""}))["msg"]
    other = site.post("/template/parse/regex", json={"name": "ttp", "template": "x", "context": ""})
    assert fault(other)["msg"] == "is another engine than the one in the address"


@pytest.mark.parametrize(
    ("path", "body", "place"),
    [
        ("render", {}, ["template"]),
        ("render", {"template": ""}, ["template"]),
        ("render", {"template": "x" * 1_000_001}, ["template"]),
        ("render", {"template": "x", "context": []}, ["context"]),
        ("render", {"template": "x", "contxt": {}}, ["contxt"]),
        ("parse", {"name": "regex", "template": "x"}, ["context"]),
        ("parse", {"name": "regex", "template": "x", "context": {}}, ["context"]),
        ("parse", {"name": "regex", "context": "x"}, []),
        ("parse", {"name": "textfsm", "context": "x", "platform": "cisco_ios"}, []),
        ("parse", {"name": "textfsm", "context": "x", "template": "x", "command": "x"}, []),
    ],
)
def test_bad_bodies(site: httpx.Client, path: str, body: dict[str, Any], place: list[str]) -> None:
    assert fault(site.post(f"/template/{path}", json=body))["loc"] == place


def test_no_child_in_time(database: str) -> None:
    """503: nothing was run, and it may be tried again."""
    with in_thread(database) as (served, api):
        assert success(render(api, "x")) == "x"
        served.run(served.services.templates.close())
        answer = render(api, "x")
        assert "closed" in failure(answer, 503)["message"]
        assert answer.headers["retry-after"] == "2"


def test_many_at_once(site: httpx.Client) -> None:
    with ThreadPoolExecutor(16) as threads:
        texts = list(threads.map(lambda number: success(render(site, "{{ n }}", {"n": number})), range(200)))
    assert texts == [str(number) for number in range(200)]
