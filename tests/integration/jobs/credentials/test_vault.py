"""Every operation, at a stand-in of Vault and, where one is exported, at a real one."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from jobs.credentials.errors import CredentialError, NoSuchCredential, PathRefused
from jobs.credentials.vault import Vault
from tests.vault.providers import vault_of
from tests.vault.sites import Site, real, stand_in

pytestmark = pytest.mark.anyio

LOGIN = {"username": "admin", "password": "s3cret-Pass"}


@pytest.fixture(params=["stand-in", "real"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    with stand_in() if request.param == "stand-in" else real() as found:
        yield found


@pytest.fixture
async def vault(site: Site) -> AsyncIterator[Vault]:
    async with vault_of(site.settings()) as made:
        yield made


async def test_what_is_created_can_be_read(vault: Vault, site: Site) -> None:
    path = f"{site.base}/hq/admin"

    assert await vault.create(path, LOGIN, {"owner": "noc"}, "me") == 1

    stored = await vault.read(path)
    assert (stored.data, stored.version, stored.custom_metadata) == (LOGIN, 1, {"owner": "noc"})


async def test_a_second_creation_is_a_new_version_and_the_old_one_stays(vault: Vault, site: Site) -> None:
    path = f"{site.base}/admin"
    await vault.create(path, LOGIN, None, "me")

    assert await vault.create(path, {**LOGIN, "password": "n3wer-Pass"}, None, "me") == 2

    assert (await vault.read(path)).data["password"] == "n3wer-Pass"
    assert (await vault.read(path, 1)).data["password"] == "s3cret-Pass"


async def test_texts_come_back_as_they_were(vault: Vault, site: Site) -> None:
    data = {"password": 'ä"\\\n\u2028 €😀', "empty": "", "key with spaces": "{}"}

    await vault.create(f"{site.base}/odd~path@x=y&z", data, None, "me")

    assert (await vault.read(f"{site.base}/odd~path@x=y&z")).data == data


async def test_metadata_stay_unless_given(vault: Vault, site: Site) -> None:
    path = f"{site.base}/admin"
    await vault.create(path, LOGIN, {"owner": "noc", "site": "hq"}, "me")

    await vault.create(path, LOGIN, None, "me")
    assert (await vault.about(path)).custom_metadata == {"owner": "noc", "site": "hq"}

    await vault.create(path, LOGIN, {"owner": "it"}, "me")
    assert (await vault.about(path)).custom_metadata == {"owner": "it"}


async def test_metadata_leave_the_versions_expiry_alone(vault: Vault, site: Site) -> None:
    path = f"{site.base}/admin"
    site.kv.update_metadata(path, delete_version_after="3600s")
    before = site.kv.read_secret_metadata(path)["data"]["delete_version_after"]

    await vault.create(path, LOGIN, {"owner": "noc"}, "me")

    assert site.kv.read_secret_metadata(path)["data"]["delete_version_after"] == before
    assert before not in ("0s", "")
    assert [version.deleted_at for version in (await vault.about(path)).versions] == [None]


async def test_refused_metadata_leave_no_version(vault: Vault, site: Site) -> None:
    path = f"{site.base}/admin"

    with pytest.raises(CredentialError, match=r"refuses what was asked .*\(400\)"):
        await vault.create(path, LOGIN, {"owner": "x" * 600}, "me")

    with pytest.raises(NoSuchCredential):
        await vault.read(path)


async def test_nothing_at_the_path_or_in_the_version(vault: Vault, site: Site) -> None:
    await vault.create(f"{site.base}/admin", LOGIN, None, "me")

    with pytest.raises(NoSuchCredential, match=f"at {site.base}/other$"):
        await vault.read(f"{site.base}/other")
    with pytest.raises(NoSuchCredential, match="in version 7"):
        await vault.read(f"{site.base}/admin", 7)
    with pytest.raises(NoSuchCredential):
        await vault.about(f"{site.base}/other")
    with pytest.raises(NoSuchCredential):
        await vault.delete(f"{site.base}/other")


async def test_deleted_and_destroyed_versions_cannot_be_read(vault: Vault, site: Site) -> None:
    path = f"{site.base}/admin"
    for _ in range(3):
        await vault.create(path, LOGIN, None, "me")
    site.kv.destroy_secret_versions(path, [1])
    site.kv.delete_latest_version_of_secret(path)

    for version in (None, 3, 1):
        with pytest.raises(NoSuchCredential):
            await vault.read(path, version)

    assert (await vault.read(path, 2)).version == 2
    versions = (await vault.about(path)).versions
    assert [(seen.version, seen.deleted_at is not None, seen.destroyed) for seen in versions] == [
        (3, True, False),
        (2, False, False),
        (1, False, True),
    ]


async def test_about_tells_times_and_nothing_secret(vault: Vault, site: Site) -> None:
    path = f"{site.base}/admin"
    await vault.create(path, LOGIN, {"owner": "noc"}, "me")

    about = await vault.about(path)

    assert (about.path, about.current_version) == (path, 1)
    assert abs(about.created_at - datetime.now(UTC)) < timedelta(minutes=5)
    assert about.updated_at >= about.created_at
    assert LOGIN["password"] not in repr(about)


async def test_a_deleted_credential_is_gone_with_its_versions(vault: Vault, site: Site) -> None:
    path = f"{site.base}/admin"
    await vault.create(path, LOGIN, {"owner": "noc"}, "me")
    await vault.create(path, LOGIN, None, "me")

    await vault.delete(path)

    for version in (None, 1):
        with pytest.raises(NoSuchCredential):
            await vault.read(path, version)
    assert await vault.list(site.base, recursive=True) == []
    assert await vault.create(path, LOGIN, None, "me") == 1


async def test_listing_shows_folders_or_what_is_in_them(vault: Vault, site: Site) -> None:
    for name in ("b", "a", "hq/admin", "hq/lab/one", "hq"):
        await vault.create(f"{site.base}/{name}", LOGIN, None, "me")

    flat = await vault.list(site.base, recursive=False)
    deep = await vault.list(site.base, recursive=True)

    assert flat == [f"{site.base}/{name}" for name in ("a", "b", "hq", "hq/")]
    assert deep == [f"{site.base}/{name}" for name in ("a", "b", "hq", "hq/admin", "hq/lab/one")]
    assert await vault.list(f"{site.base}/hq", recursive=False) == [f"{site.base}/hq/admin", f"{site.base}/hq/lab/"]
    assert f"{site.base.partition('/')[0]}/" in await vault.list("", recursive=False)
    assert await vault.list(f"{site.base}/nowhere", recursive=True) == []


@pytest.mark.parametrize("data", [{"password": 7}, {"login": {"password": "s3cret-Pass"}}, {"password": None}])
async def test_what_is_no_text_is_no_credential(vault: Vault, site: Site, data: dict[str, object]) -> None:
    site.kv.create_or_update_secret(f"{site.base}/admin", data)

    with pytest.raises(CredentialError, match="not texts by name") as caught:
        await vault.read(f"{site.base}/admin")

    assert LOGIN["password"] not in repr(caught.value)


async def test_the_test_tells_of_vault_and_of_our_token(vault: Vault, site: Site) -> None:
    found = await vault.test()

    assert found["version"]
    assert (found["sealed"], found["policies"], found["ttl_s"], found["renewable"]) == (False, ["root"], None, False)
    assert site.token not in str(found)


async def test_an_approle_may_do_what_its_policy_says(site: Site) -> None:
    role = site.role({f"secret/data/{site.base}/hq/*": ["create", "read"], f"secret/metadata/{site.base}/*": ["list"]})
    site.kv.create_or_update_secret(f"{site.base}/dc/admin", LOGIN)

    async with vault_of(site.settings(**role)) as vault:
        assert await vault.create(f"{site.base}/hq/admin", LOGIN, None, "me") == 1
        assert (await vault.read(f"{site.base}/hq/admin")).data == LOGIN
        assert await vault.list(site.base, recursive=False) == [f"{site.base}/dc/", f"{site.base}/hq/"]
        for refused in (
            vault.read(f"{site.base}/dc/admin"),
            vault.create(f"{site.base}/hq/admin", LOGIN, None, "me"),  # that would be an update
            vault.create(f"{site.base}/hq/other", LOGIN, {"owner": "noc"}, "me"),
            vault.about(f"{site.base}/hq/admin"),
            vault.delete(f"{site.base}/hq/admin"),
        ):
            with pytest.raises(PathRefused, match="the policy of Vault keeps"):
                await refused
        found = await vault.test()

    assert set(found["policies"]) >= {"default"}
    assert 0 < found["ttl_s"] <= 3600


async def test_only_allowed_paths_are_asked_for(site: Site) -> None:
    paths = [f"{site.base}/hq/admin", f"{site.base}/hqx/admin", f"{site.base}/dc/admin"]
    for path in paths:
        site.kv.create_or_update_secret(path, LOGIN)

    async with vault_of(site.settings(prefixes=f"{site.base}/hq, /{site.base}/lab/")) as vault:
        assert (await vault.read(f"{site.base}/hq/admin")).data == LOGIN
        for refused in (
            vault.read(f"{site.base}/hqx/admin"),
            vault.read(f"{site.base}/hq/../dc/admin"),
            vault.create(f"{site.base}/dc/admin", LOGIN, {"a": "b"}, "me"),
            vault.about(f"{site.base}/dc/admin"),
            vault.delete(f"{site.base}/dc/admin"),
            vault.list(site.base, recursive=True),
            vault.list(f"{site.base}/dc", recursive=False),
        ):
            with pytest.raises(PathRefused, match="not below a path where this site"):
                await refused
        assert await vault.list("", recursive=False) == [f"{site.base}/hq/", f"{site.base}/lab/"]
        assert await vault.list("", recursive=True) == [f"{site.base}/hq/admin"]
        assert await vault.list(f"{site.base}/hq", recursive=False) == [f"{site.base}/hq/admin"]
