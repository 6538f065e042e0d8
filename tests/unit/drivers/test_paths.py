"""Which files on the worker a client may name."""

from pathlib import Path

import pytest

from drivers.errors import AuthenticationFailed
from drivers.paths import below


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    (folder / "site").mkdir(parents=True)
    (folder / "site" / "a").write_text("key")
    (tmp_path / "outside").write_text("secret")
    return folder


@pytest.mark.parametrize("name", ["site/a", "site/../site/a", "./site//a"])
def test_a_file_below(keys: Path, name: str) -> None:
    assert below([keys], name) == keys / "site" / "a"
    assert below([keys], str(keys / name)) == keys / "site" / "a"
    assert below([keys.parent / "none", keys], name) == keys / "site" / "a"


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "site", "none", "", "a\0b", "n" * 5000, "~/a", "link"])
def test_any_other_file(keys: Path, name: str) -> None:
    (keys / "link").symlink_to(keys.parent / "outside")
    with pytest.raises(AuthenticationFailed) as caught:
        below([keys], name)
    assert (
        str(caught.value) == "the file named in the login is in none of the folders that this worker has for such files"
    )


def test_a_folder_with_the_same_beginning_is_another(keys: Path) -> None:
    other = keys.parent / "keys-of-others"
    other.mkdir()
    (other / "a").write_text("secret")
    with pytest.raises(AuthenticationFailed):
        below([keys], "../keys-of-others/a")


def test_a_folder_that_is_a_link(keys: Path) -> None:
    link = keys.parent / "link"
    link.symlink_to(keys)
    assert below([link], "site/a") == keys / "site" / "a"


def test_without_folders_there_are_no_files(keys: Path) -> None:
    with pytest.raises(AuthenticationFailed):
        below([], str(keys / "site" / "a"))
