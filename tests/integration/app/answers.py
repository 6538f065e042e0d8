"""What every answer must be."""

import re
from typing import Any

import httpx

from tests.integration.app.serving import KEY, SECRET, AsProcess
from tests.integration.postgres.processes import await_true


def failure(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The failure's envelope. Nothing that the client wants kept secret is in the answer."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert re.fullmatch(r"[A-Za-z0-9._:-]{1,128}", answer.headers["x-request-id"])
    _assert_discreet(answer.text + str(answer.headers))
    envelope: dict[str, Any] = answer.json()
    assert sorted(envelope) == ["code", "data", "message"]
    assert envelope["code"] == -1
    assert envelope["message"]
    return envelope


def fault(answer: httpx.Response) -> dict[str, Any]:
    """The first fault of a 400, as in its message."""
    envelope = failure(answer, 400)
    for item in envelope["data"]:
        assert sorted(item) == ["loc", "msg", "type"]
        assert isinstance(item["loc"], list)
    first: dict[str, Any] = envelope["data"][0]
    assert first["msg"] in envelope["message"]
    return first


def success(answer: httpx.Response, status: int = 200) -> Any:
    """The data of a success."""
    assert answer.status_code == status, answer.text
    assert answer.headers["x-request-id"]
    _assert_discreet(answer.text)
    envelope = answer.json()
    assert list(envelope) == ["code", "message", "data"]
    assert (envelope["code"], envelope["message"]) == (200, "success")
    return envelope["data"]


def assert_log_discreet(process: AsProcess, answer: httpx.Response) -> None:
    """The request is in the log, and no secret is."""
    request_id = answer.headers["x-request-id"]
    await_true(lambda: request_id in process.log(), "the request is not in the log")  # written after the answer
    log = process.log()
    assert "request.failed" not in log
    _assert_discreet(log)


def _assert_discreet(text: str) -> None:
    assert SECRET not in text
    assert KEY not in text
