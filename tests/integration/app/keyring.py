"""Keys for tests, made as people make them."""

from typing import Any

import httpx

from tests.integration.app.serving import NAME, TIMEOUT_S


def make_key(admin: httpx.Client, name: str, *scopes: str, **fields: Any) -> str:
    """The text of a new key; `fields`: others of the body."""
    answer = admin.post("/key", json={"name": name, "scopes": scopes, **fields})
    assert answer.status_code == 201, answer.text
    text: str = answer.json()["data"]["key"]
    return text


def coming_with(url: str | httpx.URL, key: str) -> httpx.Client:
    """A client with that key."""
    return httpx.Client(base_url=url, headers={NAME: key}, timeout=TIMEOUT_S)
