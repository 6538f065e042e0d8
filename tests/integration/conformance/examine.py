"""How a test names its subjects."""

from collections.abc import Sequence

import pytest

from tests.integration.conformance.subjects import Subject


def examine(subjects: Sequence[Subject]) -> pytest.MarkDecorator:
    """Run a test with each of these on the bench."""
    return pytest.mark.parametrize("bench", subjects, indirect=True, ids=lambda subject: subject.name)
