"""How many bays a project may have."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from oslo_config import cfg

from magnum.db import models
from magnum.db.quotas import BAY
from magnum.db.session import Database
from tests.functional.conftest import BAYMODEL, Client, People, sentences


def _limit(conf: cfg.ConfigOpts, most: int) -> None:
    conf.set_override("max_bays_per_project", most, group="quotas")


def _override(database: Database, project_id: str, most: int) -> None:
    with database.writer() as session:
        session.add(models.Quota(project_id=project_id, resource=BAY, hard_limit=most))


def _create(client: Client, baymodel: dict[str, Any]) -> int:
    return int(client.post("/v1/bays", {"name": "web", "baymodel_id": baymodel["uuid"]}).status_int)


def test_a_project_that_has_as_many_as_it_may_gets_no_more(
    conf: cfg.ConfigOpts, alice: Client, bay: dict[str, Any], baymodel: dict[str, Any]
) -> None:
    _limit(conf, 1)
    answer = alice.post("/v1/bays", {"name": "web", "baymodel_id": baymodel["uuid"]})
    assert answer.status_int == 403
    (sentence,) = sentences(answer)
    assert "may have 1 bay and has 1" in sentence
    assert "Delete a bay" in sentence
    assert len(alice.get("/v1/bays").json["bays"]) == 1


def test_a_bay_that_is_being_deleted_counts_until_it_is_gone(
    conf: cfg.ConfigOpts, database: Database, alice: Client, bay: dict[str, Any], baymodel: dict[str, Any]
) -> None:
    _limit(conf, 1)
    assert alice.delete(f"/v1/bays/{bay['uuid']}").status_int == 204
    assert _create(alice, baymodel) == 403
    with database.writer() as session:
        session.query(models.Bay).filter_by(uuid=bay["uuid"]).delete()
    assert _create(alice, baymodel) == 201


def test_a_row_overrides_the_default_for_its_project(
    conf: cfg.ConfigOpts, database: Database, alice: Client, mallory: Client, baymodel: dict[str, Any]
) -> None:
    _limit(conf, 0)
    _override(database, "project-a", 1)
    assert [_create(alice, baymodel), _create(alice, baymodel)] == [201, 403]
    theirs = mallory.post("/v1/baymodels", BAYMODEL).json
    assert _create(mallory, theirs) == 403


@pytest.mark.parametrize("by_row", [False, True])
def test_minus_one_is_no_limit(
    conf: cfg.ConfigOpts, database: Database, alice: Client, baymodel: dict[str, Any], *, by_row: bool
) -> None:
    _limit(conf, 0 if by_row else -1)
    if by_row:
        _override(database, "project-a", -1)
    assert {_create(alice, baymodel) for _ in range(3)} == {201}


def test_of_many_at_once_as_many_succeed_as_there_is_room_for(
    conf: cfg.ConfigOpts, people: People, baymodel: dict[str, Any]
) -> None:
    _limit(conf, 5)
    clients = [people("project-a", "alice") for _ in range(20)]
    with ThreadPoolExecutor(len(clients)) as pool:
        codes = sorted(pool.map(lambda client: _create(client, baymodel), clients))
    assert codes == [201] * 5 + [403] * 15


def test_projects_do_not_wait_for_each_other(
    conf: cfg.ConfigOpts, database: Database, alice: Client, mallory: Client, baymodel: dict[str, Any]
) -> None:
    _limit(conf, 1)
    theirs = mallory.post("/v1/baymodels", BAYMODEL).json
    assert [_create(alice, baymodel), _create(mallory, theirs)] == [201, 201]
