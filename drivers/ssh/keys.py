"""Private keys, from their text or from a file on the worker."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import paramiko
from paramiko.ssh_exception import PasswordRequiredException, SSHException
from pydantic import SecretStr

from drivers.errors import AuthenticationFailed
from drivers.paths import below

_TYPES = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)

_LONGEST_FILE = 65_536


def private_key(text: SecretStr, passphrase: SecretStr | None) -> paramiko.PKey:
    """The key, decrypted. Raises AuthenticationFailed if it cannot be read."""
    for kind in _TYPES:
        try:
            return kind.from_private_key(io.StringIO(text.get_secret_value()), plain(passphrase))
        except PasswordRequiredException as error:
            raise AuthenticationFailed("the private key is encrypted and needs its passphrase") from error
        except (SSHException, ValueError, TypeError, IndexError):
            continue  # another type of key, or the wrong passphrase: all look alike
    raise AuthenticationFailed("the private key cannot be read: wrong passphrase, or not Ed25519, ECDSA or RSA")


def key_of(
    text: SecretStr | None, file: str | None, passphrase: SecretStr | None, folders: Sequence[Path]
) -> paramiko.PKey | None:
    """The key of a login that gives its text, or a file below one of `folders`, or neither.

    Raises AuthenticationFailed.
    """
    if text is None and file is not None:
        text = _content(below(folders, file))
    return None if text is None else private_key(text, passphrase)


def _content(file: Path) -> SecretStr:
    try:
        with file.open(encoding="utf-8") as key:
            return SecretStr(key.read(_LONGEST_FILE))
    except (OSError, UnicodeDecodeError) as error:
        raise AuthenticationFailed("the worker cannot read the key file named in the login") from error


def plain(secret: SecretStr | None) -> str | None:
    """What paramiko wants for a secret."""
    return None if secret is None else secret.get_secret_value()
