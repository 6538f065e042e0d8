"""What a webhook shows of itself, and what is sent for it."""

from uuid import uuid4

import pytest

from jobs.webhooks.options import Webhook, origin_of
from jobs.webhooks.plugins import BASIC, Event, Outgoing, load_plugins
from jobs.webhooks.requests import final_headers, outgoing
from jobs.webhooks.sender import NotSent

URL = "https://Hooks.Example:8443/T00/B00/secret-in-path?token=secret-in-query"
GIVEN = {"url": URL, "auth": ["robot", "secret-password"], "headers": {"X-A": "secret-header"}, "secret": "secret-key"}


def test_no_dump_and_no_repr_shows_a_secret() -> None:
    webhook = Webhook.model_validate(GIVEN)
    for shown in (webhook.model_dump_json(), repr(webhook), str(webhook), repr(outgoing(webhook, b"secret-body"))):
        assert "secret-" not in shown
    assert Webhook.model_validate_json(webhook.revealed()) == webhook


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        (URL, "https://hooks.example:8443"),
        ("http://a", "http://a"),
        ("http://[::1]:80/x", "http://[::1]:80"),
        ("HTTP://A?q", "http://a"),
    ],
)
def test_origins(url: str, origin: str) -> None:
    assert origin_of(url) == origin


def test_basic_sends_what_its_client_describes() -> None:
    asked = outgoing(Webhook.model_validate({**GIVEN, "cookies": {"a": "1", "b": "2"}, "method": "PUT"}), b"{}")
    assert load_plugins()[BASIC].request(Event("job.failed", uuid4(), {}, asked)) == asked
    assert (asked.method, asked.url, asked.body) == ("PUT", URL, b"{}")
    assert asked.headers == {
        "X-A": "secret-header",
        "Authorization": "Basic cm9ib3Q6c2VjcmV0LXBhc3N3b3Jk",
        "Cookie": "a=1; b=2",
    }


def test_a_client_may_choose_the_type_of_its_body() -> None:
    asked = Outgoing("POST", URL, {"content-type": "text/plain"}, b"x")
    headers = final_headers(asked, "job.failed", uuid4(), "1", None)
    assert [value for name, value in headers.items() if name.lower() == "content-type"] == ["text/plain"]


@pytest.mark.parametrize(
    ("name", "value"), [("Host", "a"), ("X-A", "a\r\nb: c"), ("X-A\r\nB", "c"), ("TE", "trailers")]
)
def test_a_plug_in_may_not_set_everything(name: str, value: str) -> None:
    with pytest.raises(NotSent):
        final_headers(Outgoing("POST", URL, {name: value}, b""), "job.failed", uuid4(), "1", None)
