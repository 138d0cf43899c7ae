"""Which numerals a pattern takes."""

import re

import pytest

from magnum.api.numerals import numerals


@pytest.mark.parametrize(
    ("lowest", "highest"), [(0, 0), (0, 9), (1, 10), (7, 7), (19, 30), (0, 1000), (95, 1204), (-5, 10), (-120, -7)]
)
def test_numerals_of_a_range(lowest: int, highest: int) -> None:
    pattern = re.compile(numerals(lowest, highest))
    assert {number for number in range(-2000, 2000) if pattern.fullmatch(str(number))} == set(
        range(lowest, highest + 1)
    )
    assert not pattern.fullmatch(f"0{highest}")
