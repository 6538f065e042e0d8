"""The HTTP request of a webhook: as its client describes it, and as it goes out."""

from __future__ import annotations

import re
from base64 import b64encode
from uuid import UUID

from pydantic import SecretStr

from jobs.webhooks.options import FORBIDDEN, Webhook
from jobs.webhooks.plugins import Outgoing
from jobs.webhooks.sender import NotSent
from jobs.webhooks.signature import SIGNATURE, TIMESTAMP, signature

USER_AGENT = "NetPulse"
EVENT = "X-NetPulse-Event"
DELIVERY = "X-NetPulse-Delivery"

_SAFE = re.compile(r"[\t\x20-\x7e]*")


def outgoing(webhook: Webhook, body: bytes) -> Outgoing:
    """What the client wants sent; a GET has no body."""
    headers = {name: value.get_secret_value() for name, value in webhook.headers.items()}
    if webhook.auth is not None:
        headers["Authorization"] = _basic_auth(*webhook.auth)
    if webhook.cookies:
        pairs = (f"{name}={value.get_secret_value()}" for name, value in webhook.cookies.items())
        headers["Cookie"] = "; ".join(pairs)
    url = webhook.url.get_secret_value()
    return Outgoing(webhook.method, url, headers, b"" if webhook.method == "GET" else body)


def final_headers(request: Outgoing, event: str, delivery: UUID, timestamp: str, secret: str | None) -> dict[str, str]:
    """All headers but those of the framing. Raises NotSent for what a plug-in may not set."""
    for name, value in request.headers.items():
        if (FORBIDDEN.fullmatch(name.lower()) and name != "Cookie") or not _SAFE.fullmatch(name + value):
            raise NotSent("The webhook's plug-in wants a header that may not be set.")
    ours = {EVENT: event, DELIVERY: str(delivery), TIMESTAMP: timestamp}
    if secret is not None:
        ours[SIGNATURE] = signature(secret, timestamp, request.body)
    given = {name.lower() for name in request.headers}
    usual = {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"}
    if request.body:
        usual["Content-Type"] = "application/json"
    return {**{name: value for name, value in usual.items() if name.lower() not in given}, **request.headers, **ours}


def _basic_auth(user: str, password: SecretStr) -> str:
    """RFC 7617."""
    return f"Basic {b64encode(f'{user}:{password.get_secret_value()}'.encode()).decode()}"
