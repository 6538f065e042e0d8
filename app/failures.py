"""What a route documents of its failures."""

from __future__ import annotations

from litestar.openapi.datastructures import ResponseSpec

from app.envelope import Failure

FAILURES = {
    400: "The body or the query is not valid; `data` lists every fault.",
    403: "The key is missing, wrong, or not allowed to do this.",
    404: "There is no such thing.",
    409: "The Idempotency-Key was used for another request, or the device has jobs in another zone.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    429: "The key makes too many requests, or has too many jobs waiting; see Retry-After.",
    500: "A bug; the X-Request-ID finds it in the log.",
    503: "PostgreSQL is out of reach; see Retry-After.",
}


def failures(*statuses: int) -> dict[int, ResponseSpec]:
    """The answers with these statuses, for a route's `responses`. Who needs a key (403) may ask too often (429)."""
    every = sorted({*statuses, 429} if 403 in statuses else statuses)
    return {status: ResponseSpec(Failure, description=FAILURES[status], generate_examples=False) for status in every}
