import pytest

from jobs.credentials.errors import VaultUnavailable
from jobs.credentials.vault.outage import REST_S, Outage
from tests.vault import ManualClock


def lose(outage: Outage, why: str) -> None:
    with pytest.raises(VaultUnavailable, match=why), outage.watch():
        raise VaultUnavailable(why)


def refuses(outage: Outage) -> None:
    with pytest.raises(VaultUnavailable, match="gone"):
        outage.check()


def test_an_outage_ends_with_an_answer() -> None:
    clock = ManualClock()
    outage = Outage(clock)
    lose(outage, "gone")
    refuses(outage)

    clock.advance(REST_S)
    with outage.watch():
        pass

    outage.check()


def test_only_one_looks_and_what_it_finds_counts() -> None:
    clock = ManualClock()
    outage = Outage(clock)
    lose(outage, "gone")
    clock.advance(REST_S)

    with pytest.raises(VaultUnavailable, match="still gone"), outage.watch():  # noqa: PT012 - what happens meanwhile
        refuses(outage)
        raise VaultUnavailable("still gone")

    clock.advance(REST_S / 2)
    with pytest.raises(VaultUnavailable, match="still gone"):
        outage.check()


def test_one_who_looks_and_is_called_off_lets_another_look() -> None:
    clock = ManualClock()
    outage = Outage(clock)
    lose(outage, "gone")
    clock.advance(REST_S)

    with pytest.raises(KeyboardInterrupt), outage.watch():
        raise KeyboardInterrupt

    outage.check()
