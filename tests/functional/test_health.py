"""How a bay is, as clients are told; what is old is not told as if it were so."""

from datetime import timedelta
from typing import Any

from oslo_config import cfg

from magnum.common import clock
from magnum.db import models
from magnum.db.session import Database
from tests.functional.conftest import Client, set_status


def looked_at(database: Database, uuid: str, seconds_ago: float) -> None:
    with database.writer() as session:
        session.query(models.Bay).filter_by(uuid=uuid).update(
            {
                "health_status": "HEALTHY",
                "health_status_reason": {"api": "ok"},
                "health_checked_at": clock.now() - timedelta(seconds=seconds_ago),
            }
        )


def health(client: Client) -> tuple[str, dict[str, str]]:
    shown, listed = client.get("/v1/bays/web").json, client.get("/v1/bays/detail").json["bays"][0]
    assert shown == listed
    return shown["health_status"], shown["health_status_reason"]


def test_what_was_found_lately_is_told(alice: Client, ready_bay: dict[str, Any], database: Database) -> None:
    looked_at(database, ready_bay["uuid"], 20)
    assert health(alice) == ("HEALTHY", {"api": "ok"})


def test_what_is_old_is_unknown(alice: Client, ready_bay: dict[str, Any], database: Database) -> None:
    looked_at(database, ready_bay["uuid"], 600)
    status, reason = health(alice)
    assert status == "UNKNOWN"
    assert reason["magnum"].startswith("Not looked at since 20")


def test_nobody_has_looked_yet(alice: Client, ready_bay: dict[str, Any]) -> None:
    assert health(alice) == ("UNKNOWN", {"magnum": "Not looked at yet."})


def test_a_bay_that_is_being_deleted_is_not_healthy(
    alice: Client, ready_bay: dict[str, Any], database: Database
) -> None:
    looked_at(database, ready_bay["uuid"], 1)
    set_status(database, ready_bay["uuid"], "DELETE_IN_PROGRESS")
    assert health(alice) == ("UNKNOWN", {"magnum": "Not looked at while the bay is DELETE_IN_PROGRESS."})


def test_an_operator_may_have_nobody_look(
    alice: Client, ready_bay: dict[str, Any], database: Database, conf: cfg.ConfigOpts
) -> None:
    looked_at(database, ready_bay["uuid"], 1)
    conf.set_override("health_interval", 0, group="kubernetes")
    assert health(alice)[0] == "UNKNOWN"


def test_nobody_says_how_his_bay_is(alice: Client, ready_bay: dict[str, Any]) -> None:
    patch = [{"op": "replace", "path": "/health_status", "value": "HEALTHY"}]
    assert alice.patch("/v1/bays/web", patch).status_int == 400
