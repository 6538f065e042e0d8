"""What every answer tells browsers not to do with it."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256

RawHeader = tuple[bytes, bytes]

_ALWAYS: tuple[RawHeader, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_FRESH: RawHeader = (b"cache-control", b"no-store")

_INLINE = re.compile(rb"<(script|style)(?: type='text/javascript')?>(.*?)</\1>", re.DOTALL)


def protected(headers: Iterable[RawHeader], *, cacheable: bool) -> list[RawHeader]:
    """An answer's `headers` with those that protect it; what the handler says itself counts."""
    given = list(headers)
    names = {name.lower() for name, _ in given}
    wanted = _ALWAYS if cacheable else (*_ALWAYS, _FRESH)
    return given + [header for header in wanted if header[0] not in names]


def page_policy(page: bytes) -> str:
    """The Content-Security-Policy of an HTML page that is ours: its own scripts and styles, inline by their digests.

    `data:` images are those of Swagger's style sheet; it asks this API only.
    """
    digests: dict[bytes, list[str]] = {b"script": ["'self'"], b"style": ["'self'"]}
    for kind, text in _INLINE.findall(page):
        digests[kind].append(f"'sha256-{b64encode(sha256(text).digest()).decode()}'")
    scripts, styles = (" ".join(digests[kind]) for kind in (b"script", b"style"))
    return (
        f"default-src 'none'; script-src {scripts}; style-src {styles}; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
