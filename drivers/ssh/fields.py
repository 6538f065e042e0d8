"""Types of arguments that the SSH drivers share."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from drivers.base import Secret

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Characters that would end a line, or mean something to a terminal."""


def _no_control(value: str) -> str:
    if CONTROL.search(value):
        raise ValueError("must not contain control characters: the device would take what follows for a command")
    return value


def _secret(value: SecretStr) -> SecretStr:
    _no_control(value.get_secret_value())
    return value


def _private_key(value: SecretStr) -> SecretStr:
    if "PRIVATE KEY-----" not in value.get_secret_value():
        raise ValueError("must be the text of a private key in PEM or OpenSSH format")
    return value


Text = Annotated[str, AfterValidator(_no_control)]
Password = Annotated[Secret, AfterValidator(_secret)]
PrivateKey = Annotated[Secret, AfterValidator(_private_key)]
FileName = Annotated[Text, Field(min_length=1, max_length=4096)]
Phase = Annotated[float, Field(gt=0, le=120)]
Algorithms = Literal["ciphers", "macs", "keys", "pubkeys", "kex", "compression"]
