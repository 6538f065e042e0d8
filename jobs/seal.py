"""Encryption of what must not stand in a row in the clear (Fernet: AES-128-CBC with HMAC-SHA256)."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from hashlib import sha256

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

_MISSING = "sealed under a key that is no longer in NETPULSE_SECRET_KEYS; put the key back"


class SealBroken(Exception):
    """None of the secret keys opens it: it was sealed under one that is gone. The message is for clients."""


class Seal:
    """Seals and opens texts. The first key seals, all of them open."""

    def __init__(self, keys: Sequence[str]) -> None:
        """`keys`: Fernet keys, 32 bytes as base64. Raises ValueError for anything else, and for none at all."""
        if not keys:
            raise ValueError("at least one secret key is needed")
        self._first = Fernet(keys[0])
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self._digest_keys = [sha256(b"netpulse request digest" + key.encode()).digest() for key in keys]

    def seal(self, text: str) -> str:
        """Encrypt `text`; the result is plain ASCII."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: bytes | str) -> str:
        """Decrypt what `seal` made. Raises SealBroken."""
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken:
            raise SealBroken(f"The login was {_MISSING}, or submit it again.") from None

    def seal_bytes(self, data: bytes) -> bytes:
        """Encrypt `data`; the result is binary: 57 to 72 bytes more."""
        return base64.urlsafe_b64decode(self._fernet.encrypt(data))

    def open_bytes(self, sealed: bytes) -> bytes:
        """Decrypt what `seal_bytes` made. Raises SealBroken."""
        try:
            return self._fernet.decrypt(base64.urlsafe_b64encode(sealed))
        except InvalidToken:
            raise SealBroken(f"The file was {_MISSING}, or transfer it again.") from None

    def resealed(self, sealed: bytes) -> bytes | None:
        """What `seal` made, under the first key; None if it is already. Raises SealBroken."""
        try:
            self._first.decrypt(sealed)
        except InvalidToken:
            return self.seal(self.open(sealed)).encode()
        return None

    def resealed_bytes(self, sealed: bytes) -> bytes | None:
        """What `seal_bytes` made, under the first key; None if it is already. Raises SealBroken."""
        try:
            self._first.decrypt(base64.urlsafe_b64encode(sealed))
        except InvalidToken:
            return self.seal_bytes(self.open_bytes(sealed))
        return None

    def digests(self, text: str) -> list[str]:
        """Keyed digests of `text`, one per key, the first key's first. Equal texts share one across a key rotation."""
        return [hmac.new(key, text.encode(), sha256).hexdigest() for key in self._digest_keys]


def new_key() -> str:
    """A fresh secret key."""
    return Fernet.generate_key().decode()
