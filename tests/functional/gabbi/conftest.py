"""What the files of the contract need before their first request."""

from datetime import timedelta
from typing import Any

import pytest
from keystonemiddleware.fixture import AuthTokenFixture
from oslo_config import cfg
from oslo_db import exception as db_exc

from magnum.common import clock
from magnum.common.context import RequestContext
from magnum.common.exception import Unavailable
from magnum.common.idents import new_uuid
from magnum.db import models, resources
from magnum.db.session import Database
from tests.functional.conftest import Client, FakeConductor, set_status

PEOPLE: dict[str, tuple[str | None, list[str]]] = {
    "alice": ("project-a", ["member", "reader"]),
    "carol": ("project-a", ["manager", "member", "reader"]),
    "rita": ("project-a", ["reader"]),
    "mallory": ("project-b", ["member", "reader"]),
    "operator": ("project-o", ["admin", "member", "reader"]),
    "zoe": ("project-z", ["admin", "member", "reader"]),
    "machine": ("project-a", ["heat_stack_user"]),
    "drifter": (None, ["member", "reader"]),
}
"""Who has a token, which is called like its owner: for which project, and with which roles."""


@pytest.fixture
def everybody(tokens: AuthTokenFixture) -> None:
    """Keystone knows the people."""
    for name, (project, roles) in PEOPLE.items():
        tokens.add_token_data(name, project_id=project, user_id=name, role_list=roles)


@pytest.fixture
def conductors(database: Database) -> None:
    """One that is at work, and one that was not heard of for an hour."""
    for host, silent in (("one", timedelta()), ("two", timedelta(hours=1))):
        heard = clock.now() - silent
        with database.writer() as session:
            row = models.MagnumService(host=host, binary="magnum-conductor", last_seen_up=heard, report_count=7)
            session.add(row)


@pytest.fixture
def trouble(
    ready_bay: dict[str, Any],
    database: Database,
    conductor: FakeConductor,
    conf: cfg.ConfigOpts,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No conductor answers; a list of baymodels finds no database, one of nodes a bug; little is read of a body."""
    with database.writer() as session:
        session.add(models.Pod(uuid=new_uuid(), name="redis", bay_uuid=ready_bay["uuid"], project_id="project-a"))
    conductor.failure = Unavailable("No conductor answered.")
    conf.set_override("max_body_size", 1024, group="api")
    failures = {models.BayModel: db_exc.DBConnectionError("secret"), models.Node: RuntimeError("secret")}
    page = resources.page

    def _page(session: Any, context: Any, model: Any, *rest: Any, **named: Any) -> Any:
        if model in failures:
            raise failures[model]
        return page(session, context, model, *rest, **named)

    monkeypatch.setattr(resources, "page", _page)


@pytest.fixture
def made_by_others(
    ready_bay: dict[str, Any], database: Database, conductor: FakeConductor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bay has a pod that was not made by Magnum, as a conductor finds out when it looks."""
    refresh = conductor.workload_refresh

    def _refresh(context: RequestContext, kind: str, bay_uuids: list[str]) -> None:
        refresh(context, kind, bay_uuids)
        with database.writer() as session:
            if kind == "pod" and session.query(models.Pod).count() == 0:
                owner = {"project_id": "project-a", "user_id": "alice"}
                session.add(models.Pod(uuid=new_uuid(), name="redis", bay_uuid=ready_bay["uuid"], **owner))

    monkeypatch.setattr(conductor, "workload_refresh", _refresh)


@pytest.fixture
def second_bay(alice: Client, baymodel: dict[str, Any], database: Database) -> None:
    """Another bay of Alice's that is there."""
    bay = alice.post("/v1/bays", {"name": "second", "baymodel_id": baymodel["uuid"]}).json
    set_status(database, bay["uuid"], "CREATE_COMPLETE")


@pytest.fixture
def failed_bay(alice: Client, baymodel: dict[str, Any], database: Database) -> None:
    """A bay of Alice's that could not be created."""
    bay = alice.post("/v1/bays", {"name": "failed", "baymodel_id": baymodel["uuid"]}).json
    set_status(database, bay["uuid"], "CREATE_FAILED")
