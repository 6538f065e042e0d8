"""Sealing, and the digests by which a repeated request is recognised."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.seal import Seal, SealBroken, new_key

OLD, NEW = new_key(), new_key()
text = st.text(st.characters(exclude_categories=["Cs"]))


@given(text)
def test_what_is_sealed_can_be_opened_and_not_read(plain: str) -> None:
    sealed = Seal([OLD]).seal(plain)

    assert Seal([OLD]).open(sealed) == plain == Seal([OLD]).open(sealed.encode())
    assert sealed.isascii()
    assert len(plain) < 8 or plain not in sealed


def test_a_new_key_seals_and_the_old_one_still_opens() -> None:
    before, after = Seal([OLD]), Seal([NEW, OLD])

    assert after.open(before.seal("x")) == "x"
    with pytest.raises(SealBroken, match="NETPULSE_SECRET_KEYS"):
        before.open(after.seal("x"))


@pytest.mark.parametrize("sealed", ["", "nonsense", "gAAAAA", Seal([NEW]).seal("x")[:-4] + "AAA="], ids=len)
def test_what_is_not_ours_does_not_open(sealed: str) -> None:
    with pytest.raises(SealBroken):
        Seal([NEW, OLD]).open(sealed)


@pytest.mark.parametrize("keys", [[], ["short"], [OLD, "x" * 44]])
def test_bad_keys(keys: list[str]) -> None:
    with pytest.raises(ValueError, match="key"):
        Seal(keys)


@given(text, text)
def test_equal_texts_share_a_digest_across_a_rotation(one: str, two: str) -> None:
    before, after = Seal([OLD]).digests(one), Seal([NEW, OLD]).digests(two)

    assert bool(set(before) & set(after)) == (one == two)
