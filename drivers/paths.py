"""Files on the worker that clients may name: those below folders that the site has set aside for that."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from drivers.errors import AuthenticationFailed


def below(folders: Sequence[Path], name: str) -> Path:
    """The file called `name`; see `found_below`.

    Raises AuthenticationFailed, with one sentence for a missing and for a forbidden file: nobody may probe for files.
    """
    found = found_below(folders, name)
    if found is None:
        raise AuthenticationFailed(
            "the file named in the login is in none of the folders that this worker has for such files"
        )
    return found


def found_below(folders: Sequence[Path], name: str) -> Path | None:
    """The file called `name`, absolute or relative to one of `folders`, links resolved; it lies below one of them."""
    for folder in folders:
        root = Path(os.path.realpath(folder))
        try:
            found = Path(os.path.realpath(root / name))
            inside = found.is_relative_to(root) and found.is_file()
        except (OSError, ValueError):  # a name too long, or with a NUL in it
            continue
        if inside:
            return found
    return None
