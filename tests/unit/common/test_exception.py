"""The one code of an answer that names many problems."""

import pytest

from magnum.common.exception import Invalid, Problem


@pytest.mark.parametrize(
    ("problems", "code"),
    [
        ([], 400),
        ("It is wrong.", 400),
        (["It is wrong.", "So is this."], 400),
        ([Problem("It is away.", 503)], 503),
        ([Problem("It is away.", 503), Problem("So is this.", 503)], 503),
        ([Problem("It is not there.", 404), Problem("There are two.", 409)], 400),
        ([Problem("It is not there.", 404), "It is wrong."], 400),
    ],
)
def test_a_code_that_all_share_or_400(problems: str | list[str], code: int) -> None:
    assert Invalid(problems).code == code
    assert Invalid.code == 400


def test_a_problem_reads_as_its_sentence() -> None:
    error = Invalid([Problem("It is away.", 503), "It is wrong."])
    assert error.problems == ["It is away.", "It is wrong."]
    assert error.message == "It is away. It is wrong."
