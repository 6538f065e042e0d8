"""What a key looks like: `npk_<id>_<secret>`. Long and by chance, so that a plain SHA-256 of it is enough."""

from __future__ import annotations

import hmac
import re
import secrets
import string
from hashlib import sha256

SECRET_BYTES = 32

_LETTERS = string.ascii_lowercase + string.digits
_ID_LENGTH = 12
_KEY = re.compile(rf"npk_([a-z0-9]{{{_ID_LENGTH}}})_[A-Za-z0-9_-]+", re.ASCII)
_LONGEST = 100


def new_id() -> str:
    """The part of a key that is no secret."""
    return "".join(secrets.choice(_LETTERS) for _ in range(_ID_LENGTH))


def new_text(key_id: str) -> str:
    """A fresh key with that id: to be shown once, and kept nowhere."""
    return f"npk_{key_id}_{secrets.token_urlsafe(SECRET_BYTES)}"


def id_in(text: str) -> str | None:
    """The id in a key's text; None if it is none of ours."""
    found = _KEY.fullmatch(text) if len(text) <= _LONGEST else None
    return found and found[1]


def digest_of(text: str) -> str:
    """What is kept of a key: SHA-256, hexadecimal."""
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def is_same(digest: str, other: str | None) -> bool:
    """Whether both are one, compared in constant time."""
    return other is not None and hmac.compare_digest(digest, other)
