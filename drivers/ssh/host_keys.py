"""Whose server is this? The key that it proved to have is looked up among those on record."""

from __future__ import annotations

from collections.abc import Sequence

import paramiko

from drivers.base import Trust, fingerprint

_SIGNATURES = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa")}
"""Algorithms under which a kind of key is negotiated, where the names differ (RFC 8332)."""


class Recorded(paramiko.MissingHostKeyPolicy):
    """paramiko's hook for an SSHClient that has no keys of its own: `trust` decides, before any secret is sent.

    `address` is the server's `drivers.base.device_key`.
    """

    def __init__(self, trust: Trust, address: str) -> None:
        self._trust = trust
        self._address = address

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:  # noqa: ARG002
        """Raises what `Trust.check` raises."""
        check(self._trust, self._address, key)


def check(trust: Trust, address: str, key: paramiko.PKey) -> None:
    """Whether `key` may be that of the server at `address`. Raises HostKeyMismatch."""
    trust.check(address, key.get_name(), fingerprint(key.asbytes()))


def prefer_known(transport: paramiko.Transport, kinds: Sequence[str]) -> None:
    """Negotiate keys of these kinds (those on record) before others; call it before the key exchange.

    Otherwise a server whose RSA key is on record would show its Ed25519 key, and be taken for another.
    """
    options = transport.get_security_options()
    wanted = [name for kind in kinds for name in _SIGNATURES.get(kind, (kind,))]
    first = [name for name in wanted if name in options.key_types]
    options.key_types = [*first, *(name for name in options.key_types if name not in first)]
