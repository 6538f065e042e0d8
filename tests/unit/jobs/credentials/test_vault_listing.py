import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import pytest

from jobs.credentials.base import LONGEST_PATH
from jobs.credentials.errors import CredentialError, VaultUnavailable
from jobs.credentials.vault.listing import DEEPEST, MOST, Listing

pytestmark = pytest.mark.anyio

Names = Callable[[str], Awaitable[Sequence[str]]]


def folders(kept: Mapping[str, Sequence[str]]) -> Names:
    async def names(folder: str) -> Sequence[str]:
        return kept.get(folder, [])

    return names


TREE = {"": ["b", "a/", "a"], "a": ["c/", "b"], "a/c": ["d"], "z": ["y"]}


@pytest.mark.parametrize(
    ("starts", "recursive", "found"),
    [
        ([""], False, ["a", "a/", "b"]),
        ([""], True, ["a", "a/b", "a/c/d", "b"]),
        (["a"], False, ["a/b", "a/c/"]),
        (["z", "a/c", "nowhere"], True, ["a/c/d", "z/y"]),
        (["a", "a/c"], True, ["a/b", "a/c/d"]),
    ],
)
async def test_folders_are_shown_or_walked(starts: Sequence[str], recursive: bool, found: Sequence[str]) -> None:
    assert await Listing(folders(TREE)).below(starts, recursive=recursive) == found


async def test_names_that_are_no_step_downwards_are_left_out() -> None:
    names = ["../", "..", ".", "", "/", "a/b", "//", "good", "x" * LONGEST_PATH, "y" * LONGEST_PATH + "/", "good"]

    assert await Listing(folders({"hq": names})).below(["hq"], recursive=True) == ["hq/good"]


async def test_as_many_and_as_deep_as_may_be() -> None:
    many = {"": [str(number) for number in range(MOST)]}
    assert len(await Listing(folders(many)).below([""], recursive=True)) == MOST
    with pytest.raises(CredentialError, match="more than 10,000"):
        await Listing(folders({"": [*many[""], "one more"]})).below([""], recursive=False)

    deep = {"/".join(["f"] * depth): ["f/"] for depth in range(DEEPEST - 1)}
    bottom = "/".join(["f"] * (DEEPEST - 1))
    assert await Listing(folders({**deep, bottom: ["end"]})).below([""], recursive=True) == [f"{bottom}/end"]
    with pytest.raises(CredentialError, match="more than 32 deep"):
        await Listing(folders({**deep, bottom: ["f/"]})).below([""], recursive=True)


async def test_it_ends_in_time() -> None:
    async def never(_folder: str) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    with pytest.raises(VaultUnavailable, match=r"within 0\.01 s"):
        await Listing(never, longest_s=0.01).below([""], recursive=False)
