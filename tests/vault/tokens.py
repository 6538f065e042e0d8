"""Tokens, their leases, and AppRole.

https://developer.hashicorp.com/vault/api-docs/auth/token and https://developer.hashicorp.com/vault/api-docs/auth/approle
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from tests.vault.answers import Answer, Json, Refusal, denied_by_policy, denied_to_token, secret, timestamp
from tests.vault.policies import DEFAULT, Rules, is_allowed


@dataclass
class Token:
    """`ttl_s` 0: it never runs out."""

    policies: Sequence[str]
    issued_at: float
    ttl_s: float
    max_ttl_s: float
    renewable: bool
    path: str
    expires_at: float = 0
    id: str = field(default_factory=lambda: "hvs." + secrets.token_urlsafe(24))
    accessor: str = field(default_factory=lambda: secrets.token_urlsafe(18))

    def __post_init__(self) -> None:
        self.extend(self.issued_at, self.ttl_s)

    def extend(self, now: float, ttl_s: float) -> None:
        """Let the lease run `ttl_s` from now, but not beyond the maximum."""
        last = self.issued_at + self.max_ttl_s if self.max_ttl_s else float("inf")
        self.expires_at = min(now + ttl_s, last) if self.ttl_s else float("inf")

    def left_s(self, now: float) -> int:
        return round(self.expires_at - now) if self.ttl_s else 0


@dataclass
class Role:
    """An AppRole."""

    policies: Sequence[str]
    ttl_s: float
    max_ttl_s: float
    renewable: bool
    role_id: str = field(default_factory=lambda: str(uuid4()))
    secret_id: str = field(default_factory=lambda: str(uuid4()))


class Tokens:
    """Issues, checks and renews."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._held: dict[str, Token] = {}
        self.policies: dict[str, Rules] = {"default": DEFAULT}
        self.roles: dict[str, Role] = {}
        self.root = self.issue(["root"])

    def issue(
        self,
        policies: Sequence[str],
        ttl_s: float = 0,
        *,
        max_ttl_s: float = 0,
        renewable: bool = False,
        path: str = "auth/token/create",
    ) -> Token:
        token = Token(policies, self._clock(), ttl_s, max_ttl_s, renewable, path)
        self._held[token.id] = token
        return token

    def revoke(self, token_id: str) -> None:
        del self._held[token_id]

    def revoke_all(self) -> None:
        """All but the root token."""
        self._held = {self.root.id: self.root}

    def known(self, token_id: str | None) -> Token:
        """Raises Refusal for a token that was never issued, was revoked, or whose lease has run out."""
        token = self._held.get(token_id or "")
        if token is None or token.expires_at <= self._clock():
            raise denied_to_token()
        return token

    def require(self, token: Token, path: str, capability: str) -> None:
        """Raises Refusal if no policy of the token's allows it."""
        if "root" in token.policies:
            return
        if not is_allowed([self.policies.get(name, {}) for name in token.policies], path, capability):
            raise denied_by_policy()

    def log_in(self, body: Json) -> Answer:
        """POST auth/approle/login"""
        if "role_id" not in body:
            raise Refusal(400, "missing role_id")
        role = self.roles.get(body["role_id"])
        if role is None or body.get("secret_id") != role.secret_id:
            raise Refusal(400, "invalid role or secret ID")
        token = self.issue(
            ["default", *role.policies],
            role.ttl_s,
            max_ttl_s=role.max_ttl_s,
            renewable=role.renewable,
            path="auth/approle/login",
        )
        return Answer(200, secret(auth=self._auth(token)))

    def renew(self, token: Token, body: Json) -> Answer:
        """POST auth/token/renew-self"""
        if not token.renewable:
            raise Refusal(400, "lease is not renewable")
        token.extend(self._clock(), float(body.get("increment") or token.ttl_s))
        return Answer(200, secret(auth=self._auth(token)))

    def _auth(self, token: Token) -> Json:
        return {
            "client_token": token.id,
            "accessor": token.accessor,
            "policies": token.policies,
            "token_policies": token.policies,
            "metadata": {},
            "lease_duration": token.left_s(self._clock()),
            "renewable": token.renewable,
            "entity_id": "",
            "token_type": "service",
            "orphan": True,
            "mfa_requirement": None,
            "num_uses": 0,
        }

    def look_up(self, token: Token) -> Answer:
        """GET auth/token/lookup-self; a token without a lease, as root's, has no word on being renewable."""
        lease = {"renewable": token.renewable, "issue_time": timestamp(token.issued_at)} if token.ttl_s else {}
        return Answer(
            200,
            secret(
                {
                    "accessor": token.accessor,
                    "creation_time": int(token.issued_at),
                    "creation_ttl": int(token.ttl_s),
                    "display_name": "root" if token is self.root else "token",
                    "entity_id": "",
                    "expire_time": timestamp(token.expires_at) if token.ttl_s else None,
                    "explicit_max_ttl": 0,
                    "id": token.id,
                    "meta": None,
                    "num_uses": 0,
                    "orphan": True,
                    "path": token.path,
                    "policies": token.policies,
                    "ttl": token.left_s(self._clock()),
                    "type": "service",
                    **lease,
                }
            ),
        )
