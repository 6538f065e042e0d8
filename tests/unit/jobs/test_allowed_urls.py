"""Which URLs an entry covers, and which addresses are the internet's."""

import httpx
import pytest

from jobs.allowed_urls import AllowedUrl, allowed_urls
from jobs.peers import is_public
from jobs.settings import TemplateSettings

COVERED = [
    ("templates.example", "https://templates.example/a.j2"),
    ("templates.example", "http://templates.example/"),
    ("templates.example", "https://TEMPLATES.example:443/a"),
    ("Templates.Example", "https://templates.example/a"),
    ("templates.example:8080", "http://templates.example:8080/a?token=b"),
    ("templates.example/site", "https://templates.example/site/a%20b.j2"),
    ("templates.example/site/", "https://templates.example/site"),
    ("templates.example/site", "https://templates.example/other/../site/a"),
    ("[2001:db8::1]:8080/x", "http://[2001:db8::1]:8080/x/y"),
    ("xn--mnchen-3ya.example", "https://münchen.example/a"),
]
NOT_COVERED = [
    ("templates.example", "https://other.example/a"),
    ("templates.example", "https://templates.example.evil.example/a"),
    ("templates.example", "https://evil.example/templates.example"),
    ("templates.example", "https://templates.example:8443/a"),
    ("templates.example", "https://templates.example:80/a"),
    ("templates.example:8080", "https://templates.example/a"),
    ("templates.example/site", "https://templates.example/"),
    ("templates.example/site", "https://templates.example/sites"),
    ("templates.example/site", "https://templates.example/site/../other"),
    ("templates.example/site", "https://templates.example/site/%2e%2e/other"),
    ("templates.example/site", "https://templates.example/site/..%2Fother"),
    ("templates.example/site", "https://templates.example/site/%252e%252e/other"),
    ("templates.example/site", "https://templates.example/site\\..\\other"),
]


@pytest.mark.parametrize(("entry", "url"), COVERED)
def test_covered(entry: str, url: str) -> None:
    assert AllowedUrl.parse(entry, private=False).covers(httpx.URL(url))


@pytest.mark.parametrize(("entry", "url"), NOT_COVERED)
def test_not_covered(entry: str, url: str) -> None:
    assert not AllowedUrl.parse(entry, private=False).covers(httpx.URL(url))


@pytest.mark.parametrize(
    "entry",
    [
        "https://a.example",
        "user@a.example",
        "a.example:port",
        "a.example:70000",
        "/a",
        "a.example?x",
        "a b",
        "a/%2e",
        "*",
    ],
)
def test_bad_entries(entry: str) -> None:
    with pytest.raises(ValueError, match=r"^each entry must be host\[:port\]\[/prefix\]"):
        AllowedUrl.parse(entry, private=False)
    with pytest.raises(ValueError, match="each entry must be"):
        TemplateSettings(urls=f"a.example, {entry}")


def test_lists() -> None:
    assert allowed_urls(" , ", private=False) == ()
    settings = TemplateSettings(urls=" a.example/x , b.example:8080,", private_urls="c.example")
    assert [(each.host, each.port, each.prefix, each.private) for each in settings.allowed_urls] == [
        ("a.example", None, "/x", False),
        ("b.example", 8080, "", False),
        ("c.example", None, "", True),
    ]


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.1.2.3"),
        *("192.0.2.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fd00::1", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2002:a00:1::1"),
    ],
)
def test_not_public(address: str) -> None:
    assert not is_public(address)
