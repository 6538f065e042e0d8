"""Which devices a key is for."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.host_patterns import HostPatterns, glob_covers

ALLOWED = [
    ("192.0.2.0/24", "192.0.2.1"),
    ("192.0.2.77/24", "192.0.2.1"),
    (" 2001:DB8::/32 ", "2001:db8::1"),
    ("fe80::/10", "fe80::1%eth0"),
    ("::ffff:192.0.2.0/120", "::ffff:c000:201"),
    ("192.0.2.*", "192.0.2.1"),
    ("2001:0db8::1", "2001:db8::1"),
    ("*.HQ.example", "core-1.hq.example"),
    ("core-?", "core-1"),
    ("a_b", "a_b"),
    ("core.example.", "core.example"),
    ("*", "anything"),
]
REFUSED = [
    ("192.0.2.0/24", "192.0.3.1"),
    ("192.0.2.0/24", "::ffff:c000:201"),
    ("192.0.2.0/24", "192.0.2.example"),
    ("192.0.2.*", "192.0.2.example"),
    ("10.*", "10.0x7f"),
    ("?92.0.2.1*", "192.0.2.1x"),
    ("0.0.0.0/0", "2001:db8::1"),
    ("192.0.2.1", "192.0.2.10"),
    ("*.hq.example", "hq.example"),
    ("core-?", "core-10"),
    ("a_b", "axb"),
]
BAD = ["", " ", "a b", "a/b", "192.0.2.0/33", "1.2.3.4/x", "[ab]", "a%", "a\\b", "ä", "a\nb", "a" * 256, "a/*"]


@pytest.mark.parametrize(("pattern", "host"), ALLOWED)
def test_allowed(pattern: str, host: str) -> None:
    assert HostPatterns(["nowhere.invalid", pattern]).allow(host)


@pytest.mark.parametrize(("pattern", "host"), REFUSED)
def test_refused(pattern: str, host: str) -> None:
    assert not HostPatterns([pattern]).allow(host)


@pytest.mark.parametrize("pattern", BAD)
def test_bad_patterns(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"must be a network|not a network") as raised:
        HostPatterns([pattern])
    assert len(str(raised.value)) < 120


def test_one_spelling() -> None:
    one, other = HostPatterns(["B", "10.1.2.3/8", "b"]), HostPatterns(["10.0.0.0/8", "b"])
    assert one.texts == ("10.0.0.0/8", "b")
    assert (one, hash(one)) == (other, hash(other))
    assert one != HostPatterns(["b"])


COVERED = [
    (["10.0.0.0/8"], ["10.1.0.0/16"]),
    (["10.0.0.0/8"], ["10.1.2.3"]),
    (["10.0.0.0/8", "*.example"], ["*.hq.example", "10.0.0.0/8"]),
    (["core-?"], ["core-1"]),
    (["core-?"], ["core-?"]),
    (["core-*"], ["core-??"]),
    (["10.*"], ["10.1.*"]),
    (["*"], ["10.*"]),
]
WIDER = [
    (["10.0.0.0/16"], ["10.0.0.0/8"]),
    (["10.0.0.0/8"], ["10.1.*"]),
    (["10.0.0.0/8"], ["2001:db8::/32"]),
    (["*.hq.example"], ["*.example"]),
    (["core-?"], ["core-*"]),
    (["a?*"], ["a*"]),
    (["10.*"], ["10.*.example"]),
    (["core-1"], ["core-1", "core-2"]),
]


@pytest.mark.parametrize(("mine", "other"), COVERED)
def test_covered(mine: list[str], other: list[str]) -> None:
    assert HostPatterns(mine).cover(HostPatterns(other))


@pytest.mark.parametrize(("mine", "other"), WIDER)
def test_wider(mine: list[str], other: list[str]) -> None:
    assert not HostPatterns(mine).cover(HostPatterns(other))


globs = st.text("ab*?", min_size=1, max_size=5)


@given(globs, globs, st.text("ab", max_size=7))
def test_what_is_covered_matches(mine: str, other: str, host: str) -> None:
    if glob_covers(mine, other) and fnmatchcase(host, other):
        assert fnmatchcase(host, mine)
