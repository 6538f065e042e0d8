"""What a new key may do, as people say it; and what keys look like."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobs.invalid import RequestInvalid, validated
from jobs.key_entry import KeyEntry, Rotation
from jobs.key_text import digest_of, id_in, is_same, new_id, new_text

VALID = {"name": "backup.hq-1", "scopes": ["read"]}
BAD: dict[str, dict[str, Any]] = {
    "name-missing": {"name": None},
    "name-upper": {"name": "Backup"},
    "name-admin": {"name": "admin"},
    "name-cli": {"name": "cli"},
    "name-long": {"name": "a" * 64},
    "name-newline": {"name": "a\n"},
    "scopes-empty": {"scopes": []},
    "scopes-unknown": {"scopes": ["write"]},
    "hosts-empty": {"hosts": []},
    "hosts-bad": {"hosts": ["a", "[ab]"]},
    "credentials-empty": {"credentials": []},
    "credentials-bracket": {"credentials": ["sites/[ab]"]},
    "credentials-slash": {"credentials": ["/"]},
    "credentials-space": {"credentials": ["a b"]},
    "expires_at-past": {"expires_at": "2020-01-01T00:00:00Z"},
    "expires_at-far": {"expires_at": "9999-12-31T23:59:59-14:00"},
    "expires_in_days-zero": {"expires_in_days": 0},
    "expires_in_days-nan": {"expires_in_days": float("nan")},
    "both": {"expires_in_days": 1, "expires_at": "2100-01-01T00:00:00Z"},
    "requests_per_minute": {"requests_per_minute": -1},
    "queued_jobs": {"queued_jobs": 2**31},
    "description-null": {"description": "a\0b"},
    "unknown": {"scope": "read"},
}


@pytest.mark.parametrize("changes", BAD.values(), ids=BAD.keys())
def test_bad(changes: dict[str, Any]) -> None:
    with pytest.raises(RequestInvalid):
        validated(KeyEntry, {name: value for name, value in {**VALID, **changes}.items() if value is not None})


def test_one_spelling() -> None:
    given = {"scopes": ["config", "read", "config"], "hosts": ["B", "10.1.2.3/8"], "credentials": ["/b/*/", "a"]}
    entry = validated(KeyEntry, {**VALID, **given})
    assert entry.scopes == ["read", "config"]
    assert entry.hosts == ["10.0.0.0/8", "b"]
    assert entry.credentials == ["a", "b/*"]
    assert entry.principal().scopes == {"read", "config"}


def test_ends() -> None:
    assert validated(KeyEntry, VALID).end() is None
    naive = datetime.now() + timedelta(days=2)  # noqa: DTZ005 - without an offset is what is meant
    end = validated(KeyEntry, {**VALID, "expires_at": naive.isoformat()}).end()
    assert end == naive.replace(tzinfo=UTC)
    before = datetime.now(UTC)
    end = validated(KeyEntry, {**VALID, "expires_in_days": 0.5}).end()
    assert end is not None
    assert timedelta(0) <= end - before - timedelta(hours=12) < timedelta(minutes=5)


@pytest.mark.parametrize("grace_s", [-1, 30 * 86_400 + 1, "x"])
def test_bad_grace(grace_s: object) -> None:
    with pytest.raises(RequestInvalid):
        validated(Rotation, {"grace_s": grace_s})


def test_a_text_has_its_id() -> None:
    key_id = new_id()
    text = new_text(key_id)
    assert id_in(text) == key_id
    assert len(text) == len("npk_") + 12 + 1 + 43
    assert new_text(key_id) != text
    assert is_same(digest_of(text), digest_of(text))
    assert not is_same(digest_of(text), digest_of(text + "x"))
    assert not is_same(digest_of(text), None)


NO_KEYS = {
    "empty": "",
    "prefix": "npk_",
    "short-id": "npk_abc_x",
    "upper-id": "npk_abcdefghijkL_x",
    "no-secret": "npk_abcdefghijkl_",
    "not-ascii": "npk_abcdefghijkl_ä",
    "newline": "npk_abcdefghijkl_x\n",
    "other-prefix": "xpk_abcdefghijkl_x",
    "long": "npk_abcdefghijkl_" + "x" * 100,
}


@pytest.mark.parametrize("text", NO_KEYS.values(), ids=NO_KEYS.keys())
def test_no_key_of_ours(text: str) -> None:
    assert id_in(text) is None
