"""One of all conductors has a duty."""

from datetime import timedelta

import pytest

from magnum.common import clock
from magnum.db import duties
from magnum.db.session import Database

LEASE = timedelta(seconds=10)


def test_whoever_comes_first_has_it_as_long_as_it_renews(database: Database) -> None:
    assert [duties.take(database, "poll", owner, LEASE) for owner in ("one", "two", "one")] == [True, False, True]
    assert duties.take(database, "another", "two", LEASE)


def test_another_takes_it_when_the_lease_has_ended(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    duties.take(database, "poll", "one", LEASE)
    later = clock.now() + LEASE
    monkeypatch.setattr(clock, "now", lambda: later)
    assert [duties.take(database, "poll", owner, LEASE) for owner in ("two", "one")] == [True, False]


def test_another_takes_it_when_it_was_given_up(database: Database) -> None:
    for name in ("poll", "drift"):
        duties.take(database, name, "one", LEASE)
    duties.give_up(database, "two")
    assert not duties.take(database, "poll", "two", LEASE)
    duties.give_up(database, "one")
    assert all(duties.take(database, name, "two", LEASE) for name in ("poll", "drift"))
