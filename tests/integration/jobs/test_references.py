"""Templates from wherever clients may take them, and from nowhere else."""

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from jobs.allowed_urls import allowed_urls
from jobs.library import Kind
from jobs.references import LARGEST_BYTES, References, Template
from jobs.remote_templates import MOST_REDIRECTS, RemoteTemplates
from jobs.settings import TemplateSettings
from jobs.templating.errors import TemplateNotFound

pytestmark = pytest.mark.anyio

LIMIT = 10_000
IN_NO_FOLDER = "the template's file is in none of the folders that this site has for templates"
NOT_ALLOWED = "the template's URL, or where it redirects to, is none that this site allows"


class Web(ThreadingHTTPServer):
    """A web server on loopback. `seen`: the paths that were asked for; `peers`: by whom."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Pages)
        self.seen: list[str] = []
        self.peers: set[Any] = set()
        self.over = threading.Event()

    @property
    def place(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.server_port}"

    def url(self, path: str) -> str:
        return f"http://{self.place}{path}"

    def handle_error(self, *about: Any) -> None:
        """A client that hangs up is what some tests want."""


class Pages(BaseHTTPRequestHandler):
    """What the server has."""

    server: Web
    protocol_version = "HTTP/1.1"

    def log_message(self, *about: Any) -> None:
        """To nobody."""

    def do_GET(self) -> None:
        self.server.seen.append(self.path)
        self.server.peers.add(self.client_address)
        path, _, query = self.path.partition("?")
        getattr(self, path.strip("/").replace("/", "_"), self.missing)(query)

    def say(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        headers.setdefault("Content_Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def missing(self, _query: str) -> None:
        self.say(404, b"internal words")

    def site_a(self, _query: str) -> None:
        self.say(200, "hostname {{ größe }}".encode())

    def site_to(self, query: str) -> None:
        self.say(302, Location=query)

    def site_large(self, _query: str) -> None:
        self.say(200, b"x" * (LIMIT + 1))

    def site_endless(self, _query: str) -> None:
        self.say(200, Content_Length="1000000000000")
        while not self.server.over.is_set():
            self.wfile.write(b"x" * 1000)

    def site_silent(self, _query: str) -> None:
        self.server.over.wait(30)

    def site_slow(self, _query: str) -> None:
        self.say(200, b"x", Content_Length="2")
        self.server.over.wait(30)

    def site_packed(self, _query: str) -> None:
        self.say(200, b"", Content_Encoding="gzip")

    def site_latin(self, _query: str) -> None:
        self.say(200, "größe".encode("latin-1"))

    def site_broken(self, _query: str) -> None:
        self.say(200, b"x", Content_Length="100")
        self.close_connection = True


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
            thread.join()


async def nothing(kind: Kind, name: str, version: int | None) -> str | None:
    """An empty library."""
    return None


async def echo(kind: Kind, name: str, version: int | None) -> str | None:
    """A library in which every template says how it was asked for."""
    return f"{kind} {name} {version}"


def references(**settings: Any) -> References:
    return References(echo, TemplateSettings(**settings))


async def reason(references: References, given: str, engine: str = "jinja2") -> str:
    """Why a reference leads nowhere."""
    with pytest.raises(TemplateNotFound) as caught:
        await references.resolve(engine, given)
    return str(caught.value)


@pytest.mark.parametrize(
    "given", ["", "hostname {{ name }}", "ftp://x", "see http://a.example", "name://a b", "file://a\nb", "name:/x"]
)
async def test_text_is_itself(given: str) -> None:
    assert await references().resolve("jinja2", given) == Template(given, vetted=False)


@pytest.mark.parametrize(
    ("engine", "given", "found"),
    [
        ("jinja2", "name://base", "jinja2 base None"),
        ("textfsm", "name://site/base@12", "textfsm site/base 12"),
        ("ttp", "NAME://ttp/base.v2", "ttp base.v2 None"),
        ("regex", "name://regex/regex/x@1", "regex regex/x 1"),
        ("plug-in", "name://jinja2/base", "jinja2 base None"),
    ],
)
async def test_names(engine: str, given: str, found: str) -> None:
    assert await references().resolve(engine, given) == Template(found, vetted=True)


@pytest.mark.parametrize(
    "where", ["", "@1", "a@", "a@0", "a@x", "a@1@2", "A", "a//b", "../a", "a/", "/a", "x" * 201, "a@" + "9" * 10, "a\0"]
)
async def test_bad_names(where: str) -> None:
    assert (await reason(references(), f"name://{where}")).startswith("a reference must be name://")


async def test_names_of_nothing() -> None:
    empty = References(nothing, TemplateSettings())
    assert await reason(empty, "name://x") == "the library has no jinja2 template x"
    assert await reason(empty, "name://x@7", "ttp") == "the library has no ttp template x in version 7"
    assert "another kind" in await reason(references(), "name://ttp/x")
    assert "another kind" in await reason(references(), "name://x", "plug-in")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of templates, beside a file that is none of them."""
    folder = tmp_path / "templates"
    (folder / "site").mkdir(parents=True)
    (folder / "site" / "a.j2").write_text("größe", encoding="utf-8")
    (tmp_path / "outside").write_text("secret-words")
    return folder


async def test_files(folder: Path) -> None:
    (folder / "link").symlink_to("site/a.j2")
    found = references(folders=f"/nonexistent:{folder}")
    for where in ("site/a.j2", f"{folder}/site/a.j2", "site/../site/a.j2", "link"):
        assert await found.resolve("jinja2", f"file://{where}") == Template("größe", vetted=True)


async def test_files_elsewhere(folder: Path) -> None:
    """Whether they exist or not, the answer is the same."""
    (folder / "link").symlink_to(folder.parent / "outside")
    os.mkfifo(folder / "pipe")
    found = references(folders=str(folder))
    outside = ["../outside", f"{folder}/../outside", "/etc/passwd", "link", "%2e%2e/outside"]
    for where in [*outside, "site", "pipe", "none", "", "a\0b", "x" * 5000, "/dev/zero"]:
        assert await reason(found, f"file://{where}") == IN_NO_FOLDER, where
    assert await reason(references(), f"file://{folder}/site/a.j2") == IN_NO_FOLDER


async def test_files_that_are_no_templates(folder: Path) -> None:
    (folder / "large").write_bytes(b"x" * (LARGEST_BYTES + 1))
    (folder / "largest").write_bytes(b"x" * LARGEST_BYTES)
    (folder / "binary").write_bytes(b"\xff\xfe")
    found = references(folders=str(folder))
    assert len((await found.resolve("jinja2", "file://largest")).text) == LARGEST_BYTES
    assert "larger than 1,048,576 bytes" in await reason(found, "file://large")
    assert await reason(found, "file://binary") == "the template is not UTF-8 text"


async def test_urls(web: Web) -> None:
    found = references(private_urls=f"{web.place}/site")
    wanted = Template("hostname {{ größe }}", vetted=False)
    assert await found.resolve("jinja2", web.url("/site/a")) == wanted
    assert await found.resolve("jinja2", web.url("/site/a?token=1").replace("http:", "HTTP:")) == wanted
    assert "is not UTF-8 text" in await reason(found, web.url("/site/latin"))


async def test_redirects_on_the_list(web: Web) -> None:
    found = references(private_urls=f"{web.place}/site")
    for where in ("/site/a", web.url("/site/a"), "/site/to?/site/a"):
        assert (await found.resolve("jinja2", web.url(f"/site/to?{where}"))).text.startswith("hostname")


async def test_each_redirect_is_a_connection_of_its_own(web: Web) -> None:
    """So that each peer is looked at."""
    await references(private_urls=web.place).resolve("jinja2", web.url("/site/to?/site/to?/site/a"))
    assert len(web.peers) == len(web.seen) == 3


@pytest.mark.parametrize(
    "where",
    ["/other", "/site/../other", "http://localhost:{port}/site/a", "https://example.invalid/", "file:///etc/passwd"],
)
async def test_redirects_off_the_list(web: Web, where: str) -> None:
    """Nobody is asked for what is there."""
    found = references(private_urls=f"{web.place}/site")
    start = f"/site/to?{where.format(port=web.server_port)}"
    assert await reason(found, web.url(start)) == NOT_ALLOWED
    assert web.seen == [start]


async def test_redirects_without_end(web: Web) -> None:
    found = references(private_urls=web.place)
    path = "/site/to?" * (MOST_REDIRECTS + 2)
    assert await reason(found, web.url(path)) == "the template's URL redirects too often"
    assert len(web.seen) == MOST_REDIRECTS + 1


@pytest.mark.parametrize("path", ["/", "/sites", "/other", "/site/../other", "/site/%2e%2e/other"])
async def test_urls_off_the_list(web: Web, path: str) -> None:
    assert await reason(references(private_urls=f"{web.place}/site"), web.url(path)) == NOT_ALLOWED
    assert await reason(references(), web.url(path)) == NOT_ALLOWED
    assert web.seen == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "[::ffff:127.0.0.1]"])
async def test_private_addresses(web: Web, host: str) -> None:
    """The name is on the list, its address is not the internet's: connected perhaps, but nothing is sent."""
    found = references(urls=f"{host}:{web.server_port}", private_urls="intranet.example")
    said = await reason(found, f"http://{host}:{web.server_port}/site/a")
    assert said == "the template's host has no public address; see NETPULSE_TEMPLATES__PRIVATE_URLS"
    assert web.seen == []


async def test_logins_in_urls(web: Web) -> None:
    url = web.url("/site/a").replace("//", "//user:secret-words@")
    assert await reason(references(private_urls=web.place), url) == "a template's URL must not hold a login"
    assert await reason(references(private_urls=web.place), web.url(f"/site/to?{url}")) == (
        "a template's URL must not hold a login"
    )
    assert web.seen == [f"/site/to?{url}"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/site/none", "the template's host answered 404"),
        ("/site/packed", "the template's host sent it compressed, unasked"),
        ("/site/broken", "the template could not be fetched from its URL"),
        ("/site/to?http://[x/", NOT_ALLOWED),
    ],
)
async def test_bad_answers(web: Web, path: str, said: str) -> None:
    assert await reason(references(private_urls=web.place), web.url(path)) == said


@pytest.mark.parametrize("url", ["http://", "https://[", "http://a.example:x/", "http://\x7f/"])
async def test_urls_that_are_none(url: str) -> None:
    assert await reason(references(urls="a.example"), url) in (
        NOT_ALLOWED,
        "the template could not be fetched from its URL",
    )


async def test_nobody_there(web: Web) -> None:
    """No address in the answer."""
    with Web() as closed:
        place = closed.place
    said = await reason(references(private_urls=place), f"http://{place}/site/a")
    assert said == "the template could not be fetched from its URL"


def remote(web: Web, timeout_s: float) -> RemoteTemplates:
    return RemoteTemplates(allowed_urls(web.place, private=True), timeout_s=timeout_s, max_bytes=LIMIT)


@pytest.mark.parametrize("path", ["/site/silent", "/site/slow"])
async def test_slow_hosts(web: Web, path: str) -> None:
    with pytest.raises(TemplateNotFound, match=r"did not answer in 0\.2 s"):
        await remote(web, 0.2).fetch(web.url(path))


@pytest.mark.parametrize("path", ["/site/large", "/site/endless"])
async def test_large_answers(web: Web, path: str) -> None:
    with pytest.raises(TemplateNotFound, match="larger than 10,000 bytes"):
        await remote(web, 5).fetch(web.url(path))
