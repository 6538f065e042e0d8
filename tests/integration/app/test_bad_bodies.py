"""Bodies that are no JSON object, of another type, or too large."""

import json
import socket
from collections.abc import Iterator

import httpx
import pytest

from tests.integration.app.answers import assert_log_discreet, failure, fault
from tests.integration.app.serving import KEY, SECRET, AsProcess, body

JSON = {"Content-Type": "application/json"}
WHOLE = json.dumps(body()).encode()

NOT_JSON = {
    "empty": (b"", "is empty"),
    "unfinished": (b'{"password": "' + SECRET.encode(), "not valid JSON"),
    "bare-word": (SECRET.encode(), "not valid JSON"),
    "trailing": (WHOLE + SECRET.encode(), "not valid JSON"),
    "nan": (WHOLE.replace(b'"show version"', b"NaN"), "not valid JSON"),
    "infinity": (b'{"ttl": Infinity}', "not valid JSON"),
    "deep-lists": (b"[" * 10_000 + b"]" * 10_000, "recursion limit"),
    "deep-objects": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "recursion limit"),
    "not-utf-8": (b'{"driver": "\xff"}', "not valid JSON"),
    "utf-16": (json.dumps(body()).encode("utf-16"), "not valid JSON"),
    "lone-surrogate": (WHOLE.replace(b"show version", b"\\ud800"), "not valid JSON"),
    "field-twice": (WHOLE.replace(b'"command"', b'"command": "reload", "command"'), "given twice"),
    "inner-field-twice": (WHOLE.replace(b'"host"', b'"host": "192.0.2.9", "host"'), "given twice"),
    "list": (b"[]", "must be a JSON object"),
    "text": (json.dumps(SECRET).encode(), "must be a JSON object"),
    "null": (b"null", "must be a JSON object"),
    "number": (b"3", "must be a JSON object"),
}


@pytest.mark.parametrize(("content", "says"), NOT_JSON.values(), ids=NOT_JSON.keys())
def test_no_json_object(asking: httpx.Client, process: AsProcess, content: bytes, says: str) -> None:
    answer = asking.post("/device/execute", content=content, headers=JSON)
    found = fault(answer)
    assert found["loc"] == []
    assert says in found["msg"]
    assert_log_discreet(process, answer)


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/mixed; boundary=x", "application/jsonp", ""],
)
def test_other_types(asking: httpx.Client, kind: str) -> None:
    answer = asking.post("/device/execute", content=WHOLE, headers={"Content-Type": kind})
    assert "Content-Type: application/json" in failure(answer, 415)["message"]


def in_chunks() -> Iterator[bytes]:
    """Five megabytes, without a Content-Length."""
    for _ in range(50):
        yield SECRET.encode().ljust(100_000)


@pytest.mark.parametrize("chunked", [False, True], ids=["content-length", "chunked"])
def test_too_large(asking: httpx.Client, process: AsProcess, chunked: bool) -> None:
    content = in_chunks() if chunked else b"".join(in_chunks())
    answer = asking.post("/device/execute", content=content, headers=JSON)
    assert "4,194,304 bytes" in failure(answer, 413)["message"]
    assert_log_discreet(process, answer)


def test_an_upload_broken_off_is_no_bug_of_ours(asking: httpx.Client, process: AsProcess) -> None:
    with socket.create_connection(("127.0.0.1", process.port)) as peer:
        head = f"POST /device/execute HTTP/1.1\r\nHost: x\r\nX-API-KEY: {KEY}\r\nX-Request-ID: broken-off\r\n"
        peer.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{{".encode())
        peer.shutdown(socket.SHUT_WR)
        assert not peer.recv(1)  # it has closed
    assert_log_discreet(process, asking.get("/health", headers={"X-Request-ID": "broken-off"}))
