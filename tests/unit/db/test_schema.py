"""The migrations say what the models say."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg
from sqlalchemy import inspect

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


def _columns(database: Database) -> dict[tuple[str, str], Any]:
    found = inspect(database.engine)
    return {(table, column["name"]): column for table in found.get_table_names() for column in found.get_columns(table)}


def test_code_of_the_version_before_works_with_the_tables_of_the_next(empty: Database) -> None:
    """Upgrades begin with the tables: services of the old version read and write them until they are restarted."""
    schema.upgrade(empty, "0001")
    before = _columns(empty)
    for number in range(2, int(schema.newest() or 0) + 1):
        schema.upgrade(empty, f"{number:04}")
        after = _columns(empty)
        assert before.keys() <= after.keys(), "a column may go only in the version after the last that uses it"
        for place, column in after.items():
            if place not in before:
                is_old_table = any(table == place[0] for table, _ in before)
                assert not is_old_table or column["nullable"] or column["default"] is not None, place
            else:
                assert column["nullable"] or not before[place]["nullable"], place
        before = after
