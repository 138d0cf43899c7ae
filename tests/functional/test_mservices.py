"""Magnum's own services, beyond the contract in gabbi/: who counts as down."""

from datetime import timedelta
from typing import Any

import pytest
from oslo_config import cfg

from magnum.common import clock
from magnum.db import models
from magnum.db.session import Database
from tests.functional.conftest import Client, People


@pytest.fixture
def admin(people: People) -> Client:
    """An operator."""
    return people("operators", "olga", ["admin", "member", "reader"])


def add(database: Database, host: str, **values: Any) -> None:
    with database.writer() as session:
        session.add(models.MagnumService(host=host, binary="magnum-conductor", **values))


def test_who_was_not_heard_of_is_down(admin: Client, database: Database, conf: cfg.ConfigOpts) -> None:
    now = clock.now()
    patience = timedelta(seconds=conf.conductor.service_down_time)
    assert patience == timedelta(seconds=180)
    long_ago, just = now - patience - timedelta(seconds=5), now - patience + timedelta(seconds=30)
    add(database, "heard", last_seen_up=just, created_at=long_ago)
    add(database, "silent", last_seen_up=long_ago, created_at=long_ago, updated_at=now)
    add(database, "changed", created_at=long_ago, updated_at=just)
    add(database, "new", created_at=just)
    add(database, "never", created_at=long_ago)
    add(database, "ahead", last_seen_up=now + patience + timedelta(seconds=30))
    add(database, "forced", last_seen_up=now, forced_down=True)
    states = {row["host"]: row["state"] for row in admin.get("/v1/mservices").json["mservices"]}
    assert states == {
        "heard": "up", "silent": "down", "changed": "up", "new": "up", "never": "down", "ahead": "down",
        "forced": "down",
    }  # fmt: skip


def test_it_is_one_list_and_one_statement(admin: Client, database: Database, statements: list[str]) -> None:
    add(database, "one")
    statements.clear()
    assert admin.get("/v1/mservices").status_int == 200
    assert len([text for text in statements if text != "BEGIN"]) == 1
    assert admin.get("/v1/mservices?limit=1").status_int == 400
    assert admin.post("/v1/mservices", {}).status_int == 405
    assert admin.get("/v1/mservices/one").status_int == 404
