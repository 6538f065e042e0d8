"""The table of who is examined on what."""

from typing import get_args

from tests.integration.conformance.subjects import DRIVERS, NOT_ASKED, SUBJECTS, Property


def test_every_driver_is_examined() -> None:
    assert {subject.driver for subject in SUBJECTS} == set(DRIVERS)


def test_what_is_not_asked_has_a_reason_and_somebody_else_who_is() -> None:
    names = {subject.name for subject in SUBJECTS}
    assert set(NOT_ASKED) == set(get_args(Property))
    for what, excused in NOT_ASKED.items():
        assert set(excused) < names, what
        assert all(excused.values()), what
