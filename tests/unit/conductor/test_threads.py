"""What is logged of a failure in the background."""

import logging

import pytest
from oslo_db import exception as db_exc
from sqlalchemy import exc

from magnum.conductor.threads import tell_of_failure
from magnum.db.session import DatabaseBusy

LOG = logging.getLogger("magnum.test")


def told(error: Exception, caplog: pytest.LogCaptureFixture) -> str:
    try:
        raise error
    except Exception:  # noqa: BLE001 - as those do that tell of it
        tell_of_failure(LOG, "The %s failed.", "sweep")
    return caplog.text


def test_a_database_that_is_away_takes_a_line(caplog: pytest.LogCaptureFixture) -> None:
    text = told(db_exc.DBConnectionError(ValueError("no route\nand a hint")), caplog)
    assert "The sweep failed. The database cannot be reached: " in text
    assert "no route" in text
    assert "Traceback" not in text
    assert "hint" not in text


@pytest.mark.parametrize("error", [exc.TimeoutError("QueuePool limit\nsecret"), DatabaseBusy("locked\nsecret")])
def test_so_does_one_that_has_too_much_to_do(caplog: pytest.LogCaptureFixture, error: Exception) -> None:
    text = told(error, caplog)
    assert "The sweep failed. The database has too much to do: " in text
    assert "secret" not in text
    assert "Traceback" not in text


def test_of_anything_else_all_is_told(caplog: pytest.LogCaptureFixture) -> None:
    text = told(ValueError("odd"), caplog)
    assert "The sweep failed." in text
    assert "ValueError: odd" in text
    assert "Traceback" in text
