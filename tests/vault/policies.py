"""Who may do what where: https://developer.hashicorp.com/vault/docs/concepts/policies"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

Rules = Mapping[str, Sequence[str]]
"""Capabilities (create, read, update, delete, list, deny, sudo) by path; `+`: a segment, `*` at the end: anything."""

DEFAULT: Rules = {
    "auth/token/lookup-self": ["read"],
    "auth/token/renew-self": ["update"],
    "auth/token/revoke-self": ["update"],
}


def is_allowed(policies: Iterable[Rules], path: str, capability: str) -> bool:
    """Whether the most specific rule for `path`, over all policies, has the capability. A deny wins."""
    policies = list(policies)
    for spelled in (path, path.rstrip("/")) if capability == "list" else (path,):
        fitting = [rule for policy in policies for rule in policy if _fits(rule, spelled)]
        if fitting:
            chosen = max(fitting, key=_specificity)
            allowed = {word for policy in policies for word in policy.get(chosen, ())}
            return capability in allowed and "deny" not in allowed
    return False


def _fits(rule: str, path: str) -> bool:
    pattern = re.escape(rule.removesuffix("*")).replace(r"\+", "[^/]+")
    return re.fullmatch(pattern + (".*" if rule.endswith("*") else ""), path, re.DOTALL) is not None


def _specificity(rule: str) -> tuple[int, bool, int, int, str]:
    """Vault's priority matching: the later the first wildcard, the no `*` at the end, the fewer `+`, the longer."""
    wildcards = [rule.index(sign) for sign in "+*" if sign in rule]
    return (min(wildcards, default=len(rule) + 1), not rule.endswith("*"), -rule.count("+"), len(rule), rule)
