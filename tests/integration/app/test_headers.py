"""What every answer tells browsers."""

import re
from base64 import b64encode
from hashlib import sha256

import httpx
import pytest

from tests.integration.app.serving import AsProcess

ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
}
NOTHING = "default-src 'none'; frame-ancestors 'none'"
STATIC = "/docs/static/swagger-ui.css"
ANSWERS = {
    "ok": ("GET", "/health", 200),
    "public": ("GET", "/health/live", 200),
    "bad-query": ("GET", "/job?limit=x", 400),
    "not-found": ("GET", "/nothing/here", 404),
    "no-job": ("GET", "/job/00000000-0000-0000-0000-000000000000", 404),
    "wrong-method": ("PATCH", "/job", 405),
    "bad-body": ("POST", "/device/execute", 415),
    "description": ("GET", "/docs/openapi.json", 200),
    "page": ("GET", "/docs", 200),
    "no-page": ("GET", "/docs/nothing", 404),
    "static": ("GET", STATIC, 200),
    "no-static": ("GET", "/docs/static/nothing.js", 404),
}


@pytest.mark.parametrize(("method", "url", "status"), ANSWERS.values(), ids=ANSWERS.keys())
def test_every_answer(asking: httpx.Client, method: str, url: str, status: int) -> None:
    answer = asking.request(method, url)
    assert answer.status_code == status
    assert {name: answer.headers.get_list(name) for name in ALWAYS} == {name: [text] for name, text in ALWAYS.items()}
    assert "server" not in answer.headers
    assert ("no-store" in answer.headers.get("cache-control", "")) == (not url.startswith("/docs/static/"))
    [policy] = answer.headers.get_list("content-security-policy")
    assert (policy == NOTHING) == (url != "/docs")


def test_a_stranger_gets_them_too(process: AsProcess) -> None:
    answer = httpx.get(f"{process.url}/job")
    assert answer.status_code == 403
    assert answer.headers["content-security-policy"] == NOTHING
    assert answer.headers["cache-control"] == "no-store"


def test_the_page_may_run_its_own_script_and_nothing_else(asking: httpx.Client) -> None:
    """As a browser decides: inline elements by their digest, the rest by where it comes from."""
    page = asking.get("/docs")
    policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
    assert "unsafe" not in str(policy)
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    for kind in ("script", "style"):
        inline = re.findall(rf"<{kind}(?![^>]*src=)[^>]*>(.*?)</{kind}>", page.text, re.DOTALL)
        assert len(inline) == 1
        digest = b64encode(sha256(inline[0].encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy[f"{kind}-src"].split()
    assert not re.findall(r"\son\w+=|\sstyle=", re.sub(r"<script.*?</script>", "", page.text, flags=re.DOTALL))
    for address in re.findall(r'<(?:script|link)[^>]*(?:src|href)="([^"]+)"', page.text):
        assert address.startswith(("/docs/static/", "data:"))
    assert "data:" in policy["img-src"]
