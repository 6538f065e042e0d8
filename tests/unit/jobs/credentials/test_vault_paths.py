import pytest

from jobs.credentials.errors import PathRefused
from jobs.credentials.vault.paths import AllowedPaths


@pytest.mark.parametrize("path", ["net", "net/hq", "lab/devices/one", "lab/devices"])
def test_paths_at_and_below_a_prefix_are_allowed(path: str) -> None:
    AllowedPaths(["net", "lab/devices"]).require(path)


@pytest.mark.parametrize("path", ["", "network/hq", "lab", "lab/device", "net/../lab", "net//hq", "net/.", "/net"])
def test_others_are_not(path: str) -> None:
    with pytest.raises(PathRefused):
        AllowedPaths(["net", "lab/devices"]).require(path)


@pytest.mark.parametrize("path", ["..", "a/../b", "a//b", "a/", "x" * 513])
def test_without_prefixes_every_path_is_allowed_that_does_not_climb(path: str) -> None:
    AllowedPaths([]).require("a/b/..c")
    with pytest.raises(PathRefused):
        AllowedPaths([]).require(path)


def test_listing_begins_at_the_prefixes() -> None:
    allowed = AllowedPaths(["net", "lab/devices", "net"])

    assert allowed.starts("") == ("lab/devices", "net")
    assert allowed.starts("net/hq") == ("net/hq",)
    assert AllowedPaths([]).starts("") == ("",)
    with pytest.raises(PathRefused):
        allowed.starts("lab")
