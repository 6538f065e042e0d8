"""What the owner of a key may do."""

import pytest

from jobs.host_patterns import HostPatterns
from jobs.principal import SCOPES, Forbidden, Principal, Scope


def key(*scopes: Scope, hosts: list[str] | None = None, credentials: tuple[str, ...] | None = None) -> Principal:
    """A key that may do that."""
    patterns = None if hosts is None else HostPatterns(hosts)
    return Principal("ours", frozenset(scopes), hosts=patterns, credentials=credentials)


@pytest.mark.parametrize("scope", SCOPES)
def test_a_scope_allows_itself_and_no_other(scope: Scope) -> None:
    for wanted in SCOPES:
        assert key(scope).may(wanted) == (scope in (wanted, "admin"))


def test_one_of_several_is_enough() -> None:
    key("query").require("query", "config")
    with pytest.raises(Forbidden, match=r"^the key 'ours' lacks the scope query or config$"):
        key("read").require("query", "config")


def test_hosts() -> None:
    key("read").require_host("anything")
    limited = key("admin", hosts=["192.0.2.0/24"])
    limited.require_host("192.0.2.1")
    assert limited.reaches("192.0.2.1")
    assert not limited.reaches("192.0.3.1")
    with pytest.raises(Forbidden, match=r"^the key 'ours' is not for the device 192\.0\.3\.1$"):
        limited.require_host("192.0.3.1")


def test_credentials() -> None:
    key("query").require_credential("any/path")
    limited = key("query", credentials=("sites/hq/*", "shared"))
    limited.require_credential("sites/hq/deep/admin")
    limited.require_credential("shared")
    with pytest.raises(Forbidden, match=r"^the key 'ours' is not for the credential sites/lab/admin$"):
        limited.require_credential("sites/lab/admin")


COVERED = {
    "admin-covers-scopes": (key("admin"), key("admin", "config", "query", "read")),
    "same-scopes": (key("read", "query"), key("query")),
    "any-covers-some": (key("admin"), key("read", hosts=["a"], credentials=("a",))),
    "within-hosts": (key("admin", hosts=["10.0.0.0/8"]), key("admin", hosts=["10.1.0.0/16"])),
    "within-credentials": (key("admin", credentials=("sites/*",)), key("read", credentials=("sites/hq/*",))),
}
WIDER = {
    "other-scope": (key("read"), key("query")),
    "any-host": (key("admin", hosts=["10.0.0.0/8"]), key("read")),
    "more-hosts": (key("admin", hosts=["10.1.0.0/16"]), key("read", hosts=["10.0.0.0/8"])),
    "any-credential": (key("admin", credentials=("sites/*",)), key("read")),
    "more-credentials": (key("admin", credentials=("sites/hq/*",)), key("read", credentials=("sites/*",))),
}


@pytest.mark.parametrize(("mine", "other"), COVERED.values(), ids=COVERED.keys())
def test_covers(mine: Principal, other: Principal) -> None:
    assert mine.covers(other)


@pytest.mark.parametrize(("mine", "other"), WIDER.values(), ids=WIDER.keys())
def test_covers_not(mine: Principal, other: Principal) -> None:
    assert not mine.covers(other)
