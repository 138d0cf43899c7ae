"""The migrations say what the models say."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from oslo_config import cfg

from magnum.db import schema
from magnum.db.session import Database


@pytest.fixture
def empty(conf: cfg.ConfigOpts, tmp_path: Path) -> Iterator[Database]:
    conf.set_override("connection", f"sqlite:///{tmp_path}/empty.sqlite", group="database")
    database = Database(conf)
    yield database
    database.dispose()


def test_an_upgraded_database_is_what_the_models_say(empty: Database) -> None:
    assert schema.current(empty) is None
    schema.upgrade(empty)
    assert schema.current(empty) == schema.newest()
    assert schema.differences(empty) == []


def test_upgrading_twice_changes_nothing(empty: Database) -> None:
    schema.upgrade(empty)
    schema.upgrade(empty)
    assert schema.differences(empty) == []
