"""TLS to a device: who it must prove to be, and how the client proves who it is."""

from __future__ import annotations

import os
import socket
import ssl
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from drivers.base import Trust, fingerprint
from drivers.errors import AuthenticationFailed, HostKeyMismatch
from drivers.paths import below
from drivers.pyeapi.arguments import PyeapiConnection


def context(login: PyeapiConnection, folders: Sequence[Path]) -> ssl.SSLContext:
    """TLS 1.2 and later; the device's certificate is verified if there is a CA to do it by.

    Raises AuthenticationFailed for what cannot be read.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        ca = login.ca or _text(folders, login.ca_file)
        if ca is not None:
            made.load_verify_locations(cadata=ca)
        else:
            made.check_hostname = False
            made.verify_mode = ssl.CERT_NONE  # what is presented goes to `Trust.check` instead
        _identify(made, login, folders)
    except (ValueError, OSError) as error:  # SSLError is one
        raise AuthenticationFailed("a certificate or key of the login cannot be read, or is encrypted") from error
    return made


def secure(sock: socket.socket, context: ssl.SSLContext, login: PyeapiConnection, trust: Trust) -> ssl.SSLSocket:
    """TLS on a connected socket, which stays open beside it: shutting that down ends both.

    Raises HostKeyMismatch, and OSError for a handshake that does not come about within the socket's timeout.
    """
    sock.getpeername()  # raises if it was reset by now, where `ssl` would forget to close its own
    tls = context.wrap_socket(sock.dup(), server_hostname=login.host, do_handshake_on_connect=False)
    try:
        tls.do_handshake()
        if context.verify_mode == ssl.CERT_NONE:
            trust.check(login.address, "x509", fingerprint(tls.getpeercert(binary_form=True) or b""))
    except ssl.SSLCertVerificationError as error:
        tls.close()
        raise HostKeyMismatch(f"{login.address} presented no certificate that the given CA vouches for") from error
    except BaseException:
        tls.close()
        raise
    return tls


def _identify(made: ssl.SSLContext, login: PyeapiConnection, folders: Sequence[Path]) -> None:
    if not login.certified:
        return
    certificate = login.client_cert or _text(folders, login.cert_file)
    key = login.client_key.get_secret_value() if login.client_key else _text(folders, login.key_file)
    with _file(f"{key}\n{certificate}\n") as path:
        made.load_cert_chain(path, password="")  # or OpenSSL would ask for one at the worker's terminal


def _text(folders: Sequence[Path], name: str | None) -> str | None:
    return None if name is None else below(folders, name).read_text("ascii")


@contextmanager
def _file(text: str) -> Iterator[str]:
    """A file in memory, which is the only form in which `ssl` takes a key; on disk where there are none such."""
    if not hasattr(os, "memfd_create"):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(text)
            file.flush()
            yield file.name
        return
    with open(os.memfd_create("key"), "w") as file:
        file.write(text)
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"
