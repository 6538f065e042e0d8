"""How a receiver knows that a request is ours, and fresh."""

from __future__ import annotations

import hmac
from hashlib import sha256

SIGNATURE = "X-NetPulse-Signature"
TIMESTAMP = "X-NetPulse-Timestamp"


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """`sha256=` and the hexadecimal HMAC-SHA256 of `timestamp`, a full stop and `body`, under `secret`."""
    message = timestamp.encode() + b"." + body
    return f"sha256={hmac.new(secret.encode(), message, sha256).hexdigest()}"
