"""From a reference to a login: what is kept, for how long, and how often a provider is asked."""

import asyncio
import gc
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from jobs.credentials.base import About, CredentialRef, Stored
from jobs.credentials.errors import CredentialError, NoSuchCredential, VaultUnavailable
from jobs.credentials.resolver import LARGEST, MOST_KEPT, Login, Resolver
from tests.waiting import until_async

pytestmark = pytest.mark.anyio

PASSWORD = "Qx7-in-memory-only"
PATH = "sites/hq/admin"
REF = CredentialRef(path=PATH)


class Shelf:
    """A provider whose content the test changes, and which answers when the test lets it."""

    name = "shelf"

    def __init__(self) -> None:
        self.versions: list[Mapping[str, str]] = [login()]
        self.asked: list[tuple[str, int | None]] = []
        self.error: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.closed = False

    async def read(self, path: str, version: int | None = None) -> Stored:
        self.asked.append((path, version))
        await self.open.wait()
        if self.error is not None:
            raise self.error
        number = version or len(self.versions)
        return Stored(self.versions[number - 1], number)

    async def close(self) -> None:
        self.closed = True

    async def test(self) -> Mapping[str, Any]:
        raise NotImplementedError

    async def create(self, path: str, data: Mapping[str, str], metadata: Mapping[str, str] | None, by: str) -> int:
        raise NotImplementedError

    async def delete(self, path: str) -> None:
        raise NotImplementedError

    async def list(self, prefix: str, *, recursive: bool) -> Sequence[str]:
        raise NotImplementedError

    async def about(self, path: str) -> About:
        raise NotImplementedError


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def login(password: str = PASSWORD, **more: str) -> dict[str, str]:
    return {"username": "admin", "password": password, **more}


@pytest.fixture
async def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def resolver(shelf: Shelf, clock: Clock) -> Resolver:
    return Resolver({"shelf": shelf}, "shelf", 30, clock=clock)


async def test_a_login(resolver: Resolver, shelf: Shelf) -> None:
    found = await resolver.resolve(REF)
    assert (found.username, found.password, found.version) == ("admin", PASSWORD, 1)
    assert found == Login("admin", PASSWORD, 1)
    shelf.versions = [login(user="root", enable="e")]
    named = CredentialRef(provider="shelf", path="other", username_key="user", password_key="enable", version=1)
    assert await resolver.resolve(named) == Login("root", "e", 1)
    assert shelf.asked == [(PATH, None), ("other", 1)]
    assert PASSWORD not in repr([found, resolver, *vars(resolver).values()])


async def test_it_is_kept_for_a_short_time(resolver: Resolver, shelf: Shelf, clock: Clock) -> None:
    await resolver.resolve(REF)
    shelf.versions.append(login("new"))
    clock.now += 29.9
    assert (await resolver.resolve(REF)).password == PASSWORD
    assert len(shelf.asked) == 1
    clock.now += 0.2
    assert (await resolver.resolve(REF)).password == "new"
    assert len(shelf.asked) == 2


async def test_versions_are_kept_each(resolver: Resolver, shelf: Shelf) -> None:
    shelf.versions.append(login("new"))
    for _ in range(2):
        assert (await resolver.resolve(REF)).password == "new"
        assert (await resolver.resolve(REF.model_copy(update={"version": 1}))).password == PASSWORD
    assert shelf.asked == [(PATH, None), (PATH, 1)]


async def test_one_read_whatever_the_fields(resolver: Resolver, shelf: Shelf) -> None:
    shelf.versions = [login(other="o")]
    other = REF.model_copy(update={"password_key": "other"})
    found = await asyncio.gather(resolver.resolve(REF), resolver.resolve(other))
    assert [each.password for each in found] == [PASSWORD, "o"]
    assert len(shelf.asked) == 1


async def test_nothing_is_kept(shelf: Shelf) -> None:
    resolver = Resolver({"shelf": shelf}, "shelf", 0)
    first = await resolver.resolve(REF)
    shelf.versions.append(login("new"))
    assert (await resolver.resolve(REF)).password == "new"
    assert (await resolver.renew(REF, first)) == Login("admin", "new", 2)
    assert len(shelf.asked) == 3


async def test_it_leaves_memory_also_if_nobody_asks(shelf: Shelf) -> None:
    resolver = Resolver({"shelf": shelf}, "shelf", 0.01)
    await resolver.resolve(REF)
    assert resolver._kept

    async def is_empty() -> bool:
        return not resolver._kept

    await until_async(is_empty, "it was forgotten")


async def test_many_at_once_are_one_read(resolver: Resolver, shelf: Shelf) -> None:
    shelf.open.clear()
    asking = [asyncio.create_task(resolver.resolve(REF)) for _ in range(1000)]
    await asyncio.sleep(0)
    shelf.open.set()
    assert set(await asyncio.gather(*asking)) == {Login("admin", PASSWORD, 1)}
    assert len(shelf.asked) == 1


async def test_who_is_called_off_leaves_the_others_alone(resolver: Resolver, shelf: Shelf) -> None:
    shelf.open.clear()
    first, second = (asyncio.create_task(resolver.resolve(REF)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    shelf.open.set()
    assert (await second).password == PASSWORD
    assert len(shelf.asked) == 1


async def test_an_error_that_nobody_waits_for_is_no_news(resolver: Resolver, shelf: Shelf) -> None:
    """asyncio would log it, with its text."""
    heard: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: heard.append(context))
    shelf.open.clear()
    only = asyncio.create_task(resolver.resolve(REF))
    await asyncio.sleep(0)
    only.cancel()
    await asyncio.gather(only, return_exceptions=True)
    [read] = resolver._reads.values()
    shelf.error = NoSuchCredential("no")
    shelf.open.set()
    await asyncio.wait([read])
    del read
    gc.collect()
    assert heard == []


@pytest.mark.parametrize("error", [NoSuchCredential("no"), VaultUnavailable("away"), OSError("bug")])
async def test_failures_are_shared_and_not_kept(resolver: Resolver, shelf: Shelf, error: Exception) -> None:
    shelf.error = error
    failed = await asyncio.gather(*(resolver.resolve(REF) for _ in range(10)), return_exceptions=True)
    assert failed == [error] * 10
    assert len(shelf.asked) == 1
    shelf.error = None
    assert (await resolver.resolve(REF)).password == PASSWORD


async def test_a_provider_that_does_not_answer(shelf: Shelf) -> None:
    resolver = Resolver({"shelf": shelf}, "shelf", 30, patience_s=0.01)
    shelf.open.clear()
    with pytest.raises(VaultUnavailable, match="shelf"):
        await resolver.resolve(REF)
    shelf.open.set()
    assert (await resolver.resolve(REF)).password == PASSWORD


async def test_what_makes_no_login(resolver: Resolver, shelf: Shelf) -> None:
    with pytest.raises(CredentialError, match="installed: shelf"):
        await resolver.resolve(CredentialRef(provider="safe", path=PATH))
    assert shelf.asked == []
    with pytest.raises(CredentialError, match=f"{PATH} has no field 'pin'"):
        await resolver.resolve(REF.model_copy(update={"password_key": "pin"}))
    shelf.versions = [login("x" * LARGEST)]
    with pytest.raises(CredentialError, match="large"):
        await resolver.resolve(REF.model_copy(update={"path": "other"}))


async def test_not_too_many_are_kept(resolver: Resolver, shelf: Shelf) -> None:
    for number in range(MOST_KEPT + 1):
        await resolver.resolve(CredentialRef(path=f"r{number}"))
    assert len(resolver._kept) == MOST_KEPT
    await resolver.resolve(CredentialRef(path=f"r{MOST_KEPT}"))
    assert len(shelf.asked) == MOST_KEPT + 1
    await resolver.resolve(CredentialRef(path="r0"))
    assert len(shelf.asked) == MOST_KEPT + 2


async def test_a_new_password_is_picked_up(resolver: Resolver, shelf: Shelf) -> None:
    """By one read, of those who come together and of those who come later."""
    refused = await resolver.resolve(REF)
    shelf.versions.append(login("new"))
    renewed = await asyncio.gather(*(resolver.renew(REF, refused) for _ in range(100)))
    assert set(renewed) == {Login("admin", "new", 2)}
    assert await resolver.renew(REF, refused) == Login("admin", "new", 2)
    assert await resolver.resolve(REF) == Login("admin", "new", 2)
    assert len(shelf.asked) == 2


async def test_renewing_one_keeps_no_other_longer(resolver: Resolver, shelf: Shelf, clock: Clock) -> None:
    refused = await resolver.resolve(REF)
    await resolver.resolve(CredentialRef(path="other"))
    clock.now += 20
    shelf.versions.append(login("new"))
    await resolver.renew(REF, refused)
    clock.now += 20
    assert (await resolver.resolve(CredentialRef(path="other"))).password == "new"


async def test_a_wrong_password_is_asked_for_once(resolver: Resolver, shelf: Shelf) -> None:
    refused = await resolver.resolve(REF)
    assert await asyncio.gather(*(resolver.renew(REF, refused) for _ in range(100))) == [None] * 100
    assert await resolver.renew(REF, refused) is None
    assert len(shelf.asked) == 2
    again = await resolver.resolve(REF)  # a job after it, and by now the site has noticed
    shelf.versions.append(login("new"))
    assert await resolver.renew(REF, again) == Login("admin", "new", 2)
    assert len(shelf.asked) == 3


async def test_a_new_version_of_the_same_is_no_news(resolver: Resolver, shelf: Shelf) -> None:
    refused = await resolver.resolve(REF)
    shelf.versions.append(login(comment="checked"))
    assert await resolver.renew(REF, refused) is None


async def test_a_login_that_others_renewed_meanwhile(resolver: Resolver, shelf: Shelf, clock: Clock) -> None:
    refused = await resolver.resolve(REF)
    clock.now += 31
    shelf.versions.append(login("new"))
    await resolver.resolve(REF)
    assert await resolver.renew(REF, refused) == Login("admin", "new", 2)
    assert len(shelf.asked) == 2


async def test_a_refused_login_from_elsewhere(resolver: Resolver, shelf: Shelf) -> None:
    await resolver.resolve(REF)
    assert await resolver.renew(REF, Login("admin", PASSWORD, 1)) is None
    assert len(shelf.asked) == 2
    assert await resolver.renew(REF, Login("admin", "other", 1)) == Login("admin", PASSWORD, 1)
    assert len(shelf.asked) == 2


async def test_renewing_without_the_provider(resolver: Resolver, shelf: Shelf) -> None:
    """What is kept stays while the provider is away, and goes once it is gone there."""
    refused = await resolver.resolve(REF)
    shelf.error = VaultUnavailable("away")
    with pytest.raises(VaultUnavailable):
        await resolver.renew(REF, refused)
    assert await resolver.resolve(REF) == refused
    shelf.error = NoSuchCredential("gone")
    for ask in (resolver.renew(REF, refused), resolver.resolve(REF)):
        with pytest.raises(NoSuchCredential):
            await ask


async def test_closing(resolver: Resolver, shelf: Shelf) -> None:
    await resolver.resolve(REF)
    shelf.open.clear()
    waiting = asyncio.create_task(resolver.resolve(CredentialRef(path="other")))
    await asyncio.sleep(0)
    await resolver.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert shelf.closed
    assert not resolver._kept
