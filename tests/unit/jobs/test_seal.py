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


@given(text)
def test_a_rotation_seals_again_what_is_under_another_key(plain: str) -> None:
    before, during, after = Seal([OLD]), Seal([NEW, OLD]), Seal([NEW])
    resealed = during.resealed(before.seal(plain).encode())
    resealed_bytes = during.resealed_bytes(before.seal_bytes(plain.encode()))

    assert resealed is not None
    assert resealed_bytes is not None
    assert (after.open(resealed), after.open_bytes(resealed_bytes)) == (plain, plain.encode())
    assert (during.resealed(resealed), during.resealed_bytes(resealed_bytes)) == (None, None)


def test_a_rotation_says_what_no_key_opens() -> None:
    gone, seal = Seal([new_key()]), Seal([NEW, OLD])
    with pytest.raises(SealBroken, match=r"login .*put the key back"):
        seal.resealed(gone.seal("x").encode())
    with pytest.raises(SealBroken, match=r"file .*put the key back"):
        seal.resealed_bytes(gone.seal_bytes(b"x"))


@pytest.mark.parametrize("keys", [[], ["short"], [OLD, "x" * 44]])
def test_bad_keys(keys: list[str]) -> None:
    with pytest.raises(ValueError, match="key"):
        Seal(keys)


@given(text, text)
def test_equal_texts_share_a_digest_across_a_rotation(one: str, two: str) -> None:
    before, after = Seal([OLD]).digests(one), Seal([NEW, OLD]).digests(two)

    assert bool(set(before) & set(after)) == (one == two)
