"""Secrets do not get through, whatever text they are in."""

from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from jobs.redaction import SHORTEST, redact, secrets_of


class Inner(BaseModel):
    pkey: SecretStr = SecretStr("inner-secret")


class Login(BaseModel):
    username: str = "not-a-secret"
    password: SecretStr = SecretStr("outer-secret")
    secret: SecretStr | None = None
    pin: SecretStr = SecretStr("1234")
    inner: Inner = Inner()


def test_every_long_enough_secret_of_a_login() -> None:
    assert secrets_of(Login()) == {"outer-secret", "inner-secret"}


@given(st.sets(st.text("ab", min_size=SHORTEST), max_size=4), st.lists(st.text("ab*"), max_size=6))
def test_no_secret_is_left(secrets: set[str], parts: list[str]) -> None:
    text = "".join(part + secret for part, secret in zip(parts, [*secrets, *[""] * 6], strict=False))

    assert not any(secret in redact(text, secrets) for secret in secrets)


def test_the_longest_first() -> None:
    assert redact("password1", {"password", "password1"}) == "***"


@given(st.text())
def test_other_text_stays(text: str) -> None:
    assert redact(text, {"\x00never there\x00"}) == text
