"""What the tables of states promise."""

from pathlib import Path

import pytest

from magnum.common import states
from magnum.common.states import BayStatus, Verb
from magnum.common.states_drawing import page

PAGE = Path(__file__).resolve().parents[3] / "docs" / "states.md"


def test_the_page_about_states_is_what_the_tables_say() -> None:
    assert PAGE.read_text() == page(), "write it anew: python -m magnum.common.states_drawing > docs/states.md"


@pytest.mark.parametrize("status", list(BayStatus))
def test_every_state_can_be_deleted(status: BayStatus) -> None:
    assert states.STARTS[status, Verb.DELETE].status is BayStatus.DELETE_IN_PROGRESS


@pytest.mark.parametrize("status", list(BayStatus))
def test_what_is_in_progress_ends_and_all_else_rests(status: BayStatus) -> None:
    assert (status in states.ENDS) == status.endswith("_IN_PROGRESS")


@pytest.mark.parametrize("status", [status for status in BayStatus if status.endswith("_FAILED")])
def test_what_failed_can_be_done_again(status: BayStatus) -> None:
    assert (status, Verb.RETRY) in states.STARTS


def test_nothing_but_a_deletion_starts_while_something_is_in_progress() -> None:
    assert {verb for status, verb in states.STARTS if status in states.ENDS} == {Verb.DELETE}


def test_every_start_leads_to_progress_of_its_own_operation() -> None:
    for start in states.STARTS.values():
        assert start.status in states.ENDS
        assert start.status.startswith(start.operation.upper())
