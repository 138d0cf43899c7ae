"""What is told of operations and counted of them comes from the database, whichever that is."""

from datetime import timedelta
from typing import Any

from prometheus_client import CollectorRegistry

from magnum.common.states import OperationState
from magnum.conductor.gauges import Gauges
from magnum.conductor.notifications import Teller
from magnum.db import operations
from magnum.db.operations import Event, Progress
from magnum.db.session import Database
from tests.functional.conftest import Client


class Bus:
    """Takes everything."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str, str | None]] = []

    def send(self, event_type: str, payload: dict[str, Any], *, failed: bool) -> None:
        assert failed == (payload["outcome"] == "failure")
        reason = payload["attachments"][0]["content"].get("reason")
        self.taken.append((event_type, payload["outcome"], reason))


def fail(database: Database) -> None:
    """Be a conductor with bad luck."""
    with database.writer() as session:
        (claim,) = operations.claim_due(session, "one", timedelta(seconds=30), 1)
    with database.writer() as session:
        progress = Progress(bay={"status": "CREATE_FAILED"}, events=[Event("No host is left.", "error")])
        operations.finish(session, claim, OperationState.FAILED, progress)


def test_listeners_hear_of_each_operation_once(alice: Client, bay: dict[str, Any], database: Database) -> None:
    bus = Bus()
    tellers = [Teller(database, bus), Teller(database, bus)]
    for teller in tellers:
        teller.tell()
    assert bus.taken == [("magnum.bay.create", "pending", None)]
    fail(database)
    assert alice.delete(f"/v1/bays/{bay['uuid']}").status_int == 204
    for teller in tellers:
        teller.tell()
    assert bus.taken[1:] == [
        ("magnum.bay.create", "failure", "No host is left."),
        ("magnum.bay.delete", "pending", None),
    ]


def test_operations_are_counted(bay: dict[str, Any], database: Database) -> None:
    registry = CollectorRegistry()
    registry.register(Gauges(database))
    value = registry.get_sample_value
    assert value("magnum_operations", {"verb": "create", "state": "queued"}) == 1
    assert value("magnum_bays", {"status": "CREATE_IN_PROGRESS"}) == 1
    assert value("magnum_operations_overdue") == 0
    assert (value("magnum_oldest_operation_age_seconds") or -1) > 0
    fail(database)
    assert value("magnum_operations", {"verb": "create", "state": "failed"}) == 1
    assert value("magnum_oldest_operation_age_seconds") == 0
