"""Keeps a login's own secrets out of texts that come from elsewhere: device output, libraries' errors."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from pydantic import BaseModel, SecretStr

SHORTEST = 6
"""Secrets below this length are left alone: replacing `cisco` everywhere would garble texts, and thereby tell it."""


def secrets_of(model: BaseModel) -> frozenset[str]:
    """Every secret value in `model`, nested ones too, that is long enough to be looked for."""
    return frozenset(secret for secret in _secrets(model) if len(secret) >= SHORTEST)


def redact(text: str, secrets: Collection[str]) -> str:
    """`text` with every occurrence of a secret replaced by `***`, the longest first."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def redact_all(value: Any, secrets: Collection[str]) -> Any:
    """A JSON value with every text in it redacted; names of fields stay."""
    if isinstance(value, str):
        return redact(value, secrets)
    if isinstance(value, list):
        return [redact_all(inner, secrets) for inner in value]
    if isinstance(value, dict):
        return {name: redact_all(inner, secrets) for name, inner in value.items()}
    return value


def _secrets(model: BaseModel) -> Iterator[str]:
    for value in vars(model).values():
        if isinstance(value, SecretStr):
            yield value.get_secret_value()
        elif isinstance(value, BaseModel):
            yield from _secrets(value)
