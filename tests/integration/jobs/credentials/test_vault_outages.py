"""Vault away, sealed, restarted, slow, or none at all: nobody waits long, nobody hangs, and it is found again."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from jobs.credentials.errors import CredentialError, NoSuchCredential, PathRefused, VaultUnavailable
from jobs.credentials.vault import Vault
from jobs.credentials.vault.outage import REST_S
from jobs.credentials.vault.wire import AT_ONCE, LARGEST_ANSWER_BYTES
from jobs.settings import SettingsError
from tests.vault import ManualClock, VaultServer
from tests.vault.providers import settings_for, vault_of
from tests.waiting import until_async

pytestmark = pytest.mark.anyio

SOON_S = 0.1
"""The patience of providers that are to lose it."""

AT_ALL_S = 60
"""What ends within this did not hang."""


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def server() -> Iterator[VaultServer]:
    with VaultServer() as server:
        server.put("hq/admin", {"password": "s3cret-Pass"})
        yield server


@pytest.fixture
async def vault(server: VaultServer, clock: ManualClock) -> AsyncIterator[Vault]:
    async with vault_of(settings_for(server), clock) as made:
        yield made


@pytest.fixture
async def hasty(server: VaultServer, clock: ManualClock) -> AsyncIterator[Vault]:
    async with vault_of(settings_for(server, timeout_s=SOON_S), clock) as made:
        yield made


async def refusal(vault: Vault) -> str:
    """What is said of a Vault that is away."""
    with pytest.raises(VaultUnavailable) as caught:
        async with asyncio.timeout(AT_ALL_S):
            await vault.read("hq/admin")
    return str(caught.value)


async def test_nobody_listens(server: VaultServer, vault: Vault) -> None:
    server.stop()

    assert await refusal(vault) == f"Vault at {server.url} cannot be reached"


async def test_every_operation_says_that_vault_is_sealed(server: VaultServer, vault: Vault, clock: ManualClock) -> None:
    await vault.read("hq/admin")
    server.seal()

    for operation in (
        vault.test(),
        vault.create("hq/new", {"a": "b"}, {"c": "d"}, "me"),
        vault.read("hq/admin"),
        vault.delete("hq/admin"),
        vault.list("", recursive=True),
        vault.about("hq/admin"),
    ):
        clock.advance(REST_S)
        with pytest.raises(VaultUnavailable, match=f"^Vault at {server.url} is sealed$"):
            await operation

    server.unseal()
    clock.advance(REST_S)
    assert (await vault.read("hq/admin")).version == 1


async def test_a_restart_is_survived_by_token_and_provider(
    server: VaultServer, vault: Vault, clock: ManualClock
) -> None:
    await asyncio.gather(*(vault.read("hq/admin") for _ in range(AT_ONCE)))
    server.stop()
    server.start()  # the connections that were open are not any more

    assert (await vault.read("hq/admin")).version == 1

    server.stop()
    await refusal(vault)
    server.start()
    clock.advance(REST_S)
    assert (await vault.read("hq/admin")).version == 1


async def test_a_vault_that_does_not_answer_is_given_up(server: VaultServer, hasty: Vault, clock: ManualClock) -> None:
    with server.stall():
        assert await refusal(hasty) == f"Vault at {server.url} does not answer within {SOON_S} s"

    clock.advance(REST_S)
    await found_again(hasty, clock)


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n{",
    ],
)
async def test_a_vault_that_sends_a_byte_now_and_then_is_given_up(
    server: VaultServer, hasty: Vault, clock: ManualClock, start: bytes
) -> None:
    with server.trickle(start):
        for _ in range(AT_ONCE + 1):  # none holds its place for longer than it waited
            assert "does not answer within" in await refusal(hasty)
            clock.advance(REST_S)

    await found_again(hasty, clock)


async def found_again(vault: Vault, clock: ManualClock) -> None:
    """An impatient provider gets through in the end, however slow the machine."""

    async def look() -> bool:
        clock.advance(REST_S)
        try:
            return (await vault.read("hq/admin")).version == 1
        except VaultUnavailable:
            return False

    await until_async(look, "Vault is found again")


async def test_a_thousand_that_ask_a_stalled_vault_wait_no_longer_than_one(server: VaultServer, hasty: Vault) -> None:
    with server.stall("secret"):
        async with asyncio.timeout(AT_ALL_S):
            asked = [hasty.read("hq/admin") for _ in range(1000)]
            answers = await asyncio.gather(*asked, return_exceptions=True)

        assert {type(answer) for answer in answers} == {VaultUnavailable}
        assert server.count("GET", "secret/data/hq/admin") <= AT_ONCE


async def test_after_an_outage_one_request_looks_for_all(server: VaultServer, vault: Vault, clock: ManualClock) -> None:
    await vault.read("hq/admin")
    server.seal()
    said = await refusal(vault)
    before = len(server.requests)

    for _ in range(100):
        assert await refusal(vault) == said
    assert len(server.requests) == before

    clock.advance(REST_S)
    answers = await asyncio.gather(*(vault.read("hq/admin") for _ in range(100)), return_exceptions=True)
    assert {str(answer) for answer in answers} == {said}
    assert len(server.requests) == before + 1

    server.unseal()
    clock.advance(REST_S)
    assert (await vault.read("hq/admin")).version == 1
    assert len(server.requests) == before + 2


async def test_a_hundred_are_answered_at_once(server: VaultServer, vault: Vault) -> None:
    answers = await asyncio.gather(*(vault.read("hq/admin") for _ in range(100)))

    assert {answer.version for answer in answers} == {1}


async def test_a_request_that_is_called_off_leaves_its_place(server: VaultServer, vault: Vault) -> None:
    await vault.read("hq/admin")
    with server.stall("secret"):
        before = server.count("GET", "secret/data/hq/admin")
        waiting = [asyncio.create_task(vault.read("hq/admin")) for _ in range(2 * AT_ONCE)]

        async def arrived() -> bool:
            return server.count("GET", "secret/data/hq/admin") == before + AT_ONCE

        await until_async(arrived, "as many as may are asking")
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    assert all(task.cancelled() for task in waiting)
    assert (await vault.read("hq/admin")).version == 1


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (500, "it answers 500"),
        (502, "it answers 502"),
        (503, "it answers 503"),
        (473, "it answers 473"),
        (429, "takes no more requests"),
        (307, "where we do not follow"),
    ],
)
async def test_an_answer_that_is_about_vault_itself(
    server: VaultServer, vault: Vault, clock: ManualClock, status: int, words: str
) -> None:
    await vault.read("hq/admin")
    with server.say(status, b'{"errors": ["s3cret-Words"]}'):
        said = await refusal(vault)

    assert words in said
    assert "s3cret-Words" not in said
    clock.advance(REST_S)
    assert (await vault.read("hq/admin")).version == 1


async def test_one_path_that_breaks_vault_keeps_nobody_else_out(server: VaultServer, vault: Vault) -> None:
    await vault.read("hq/admin")
    with server.say(500, b'{"errors": ["could not find version data"]}', below="secret/data/broken"):
        with pytest.raises(VaultUnavailable, match="it answers 500"):
            await vault.read("broken")
        assert (await vault.read("hq/admin")).version == 1


@pytest.mark.parametrize("status", [400, 405, 412, 418])
async def test_an_answer_that_is_about_what_was_asked(server: VaultServer, vault: Vault, status: int) -> None:
    await vault.read("hq/admin")
    with (
        server.say(status, b'{"errors": ["s3cret-Words"]}'),
        pytest.raises(CredentialError, match=rf"refuses what was asked of it for hq/admin \({status}\)$"),
    ):
        await vault.read("hq/admin")

    assert (await vault.read("hq/admin")).version == 1


async def test_redirects_are_not_followed(server: VaultServer, vault: Vault) -> None:
    with (
        VaultServer() as other,
        server.say(307, b"", Location=f"{other.url}/v1/secret/data/hq/admin"),
    ):
        assert "where we do not follow" in await refusal(vault)
        assert other.requests == []


@pytest.mark.parametrize(
    "body",
    [
        b"<html>s3cret</html>",
        b"[]",
        b'"s3cret"',
        b"\xff\xfe",
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b"1" * 10_000, id="number"),
        b'{"data": s3cret',
        b'{"a": "\\ud800"}',
        b'{"a": NaN}',
    ],
)
async def test_what_is_no_answer_of_vaults(server: VaultServer, vault: Vault, clock: ManualClock, body: bytes) -> None:
    await vault.read("hq/admin")
    with server.say(200, body):
        said = await refusal(vault)

    assert said == f"Vault at {server.url} does not answer as Vault does; is the address right?"
    clock.advance(REST_S)
    assert (await vault.read("hq/admin")).version == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"data": null}',
        b'{"data": {"data": ["s3cret"], "metadata": {"version": 1}}}',
        b'{"data": {"data": {"password": "s3cret"}}}',
        b'{"data": {"data": {"password": "s3cret"}, "metadata": {"version": "x"}}}',
        b'{"data": {"data": {"password": "s3cret"}, "metadata": {"version": 1, "custom_metadata": {"a": 1}}}}',
    ],
)
async def test_what_is_no_credential(server: VaultServer, vault: Vault, body: bytes) -> None:
    await vault.read("hq/admin")
    with server.say(200, body), pytest.raises(CredentialError, match="not texts by name") as caught:
        await vault.read("hq/admin")

    assert "s3cret" not in repr(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b'{"data": {"keys": "abc"}}',
        b'{"data": {"keys": [1]}}',
        b'{"data": {"version": "x"}}',
        b'{"data": {"current_version": 1, "created_time": "2020-01-01T00:00:00", "updated_time": "", "versions": {}}}',
        b'{"initialized": "perhaps", "version": 1}',
    ],
)
async def test_other_answers_of_another_shape(server: VaultServer, vault: Vault, body: bytes) -> None:
    await vault.read("hq/admin")
    with server.say(200, body):
        for operation in (
            vault.list("", recursive=False),
            vault.about("hq/admin"),
            vault.create("hq/admin", {"a": "b"}, None, "me"),
            vault.test(),
        ):
            with pytest.raises(VaultUnavailable, match="not answer as Vault does"):
                await operation


async def test_an_answer_that_is_too_large(server: VaultServer, vault: Vault) -> None:
    server.put("large", {"password": "x" * LARGEST_ANSWER_BYTES})

    with pytest.raises(CredentialError, match="larger than 1,048,576 bytes"):
        await vault.read("large")
    assert (await vault.read("hq/admin")).version == 1

    packed = {"Content_Encoding": "gzip"}  # which we said that we do not take
    with server.say(200, b"\x1f\x8b\x08", **packed):
        assert "does not answer as Vault does" in await refusal(vault)


async def test_a_text_that_is_none_is_not_repeated(vault: Vault) -> None:
    with pytest.raises(CredentialError, match="no valid text") as caught:
        await vault.create("hq/new", {"password": "s3cret-Pass\ud800"}, None, "me")

    assert "s3cret" not in repr(caught.value)
    with pytest.raises(NoSuchCredential):
        await vault.read("hq/new")


async def test_names_that_lead_elsewhere_are_not_followed(server: VaultServer, vault: Vault) -> None:
    await vault.read("hq/admin")
    keys = b'{"data": {"keys": ["../", "..", ".", "", "/", "a/b", "good", "%s/"]}}' % (b"x" * 600)
    with server.say(200, keys, below="secret/metadata"):
        assert await vault.list("hq", recursive=True) == ["hq/good"]


async def test_a_listing_ends(server: VaultServer, vault: Vault) -> None:
    await vault.read("hq/admin")
    with (
        server.say(200, b'{"data": {"keys": ["again/"]}}', below="secret/metadata"),
        pytest.raises(CredentialError, match="folders more than 32 deep"),
    ):
        await vault.list("", recursive=True)

    many = b",".join(b'"%d"' % number for number in range(10_001))
    with server.say(200, b'{"data": {"keys": [%s]}}' % many, below="secret/metadata"):
        for recursive in (True, False):
            with pytest.raises(CredentialError, match="more than 10,000 paths"):
                await vault.list("hq", recursive=recursive)


async def test_a_path_that_is_not_allowed_is_refused_while_vault_is_away(
    server: VaultServer, clock: ManualClock
) -> None:
    server.stop()
    async with vault_of(settings_for(server, prefixes="hq"), clock) as vault:
        with pytest.raises(PathRefused):
            await vault.read("dc/admin")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a key and its certificate for 127.0.0.1, which vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "vault")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(hours=1), now + timedelta(hours=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    signed = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    pkcs8, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file = tmp_path_factory.mktemp("tls") / "vault.pem"
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM, pkcs8, plain) + signed)
    return file


@pytest.fixture
def secured(certificate: Path) -> Iterator[VaultServer]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with VaultServer(tls=tls) as server:
        server.put("hq/admin", {"password": "s3cret-Pass"})
        yield server


async def test_a_certificate_of_our_own_authority_is_trusted(secured: VaultServer, certificate: Path) -> None:
    async with vault_of(settings_for(secured, ca_file=certificate)) as vault:
        assert (await vault.read("hq/admin")).version == 1


async def test_a_certificate_of_nobody_we_know_is_not(secured: VaultServer) -> None:
    async with vault_of(settings_for(secured)) as vault:
        said = await refusal(vault)

    assert said == f"the certificate of Vault at {secured.url} is not one that we trust"
    assert secured.requests == []


async def test_a_certificate_of_another_host_is_not(secured: VaultServer, certificate: Path) -> None:
    settings = settings_for(secured, ca_file=certificate)
    named = settings.model_copy(update={"address": secured.url.replace("127.0.0.1", "localhost")})
    async with vault_of(named) as vault:
        assert "is not one that we trust" in await refusal(vault)


async def test_a_server_that_speaks_no_tls_cannot_be_reached(server: VaultServer) -> None:
    settings = settings_for(server).model_copy(update={"address": server.url.replace("http:", "https:")})
    async with vault_of(settings) as vault:
        assert "cannot be reached" in await refusal(vault)


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_a_file_without_authorities_is_named_at_the_start(
    server: VaultServer, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)

    with pytest.raises(SettingsError, match="NETPULSE_VAULT__CA_FILE"):
        Vault.of(settings_for(server, ca_file=file))
