"""A short run. `make chaos` has a long one, and one again whose seed is known."""

import random

import pytest

from tests.chaos.__main__ import Run

_SECONDS = 120.0


@pytest.mark.integration
def test_all_holds_after_two_minutes_of_trouble() -> None:
    assert Run(random.SystemRandom().randrange(10**6), _SECONDS, "postgresql").go(keep=False) == 0
