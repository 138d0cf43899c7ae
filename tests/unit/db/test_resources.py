"""What a tenant sees, and in which order."""

from typing import Any

import pytest

from magnum.common.context import RequestContext, service_context
from magnum.common.exception import Conflict, Invalid, NotFound
from magnum.db import models, resources
from magnum.db.resources import Page
from magnum.db.session import Database


def add(database: Database, context: RequestContext, **values: Any) -> models.BayModel:
    with database.writer() as session:
        return resources.add(session, context, models.BayModel(coe="kubernetes", **values))


def names(database: Database, context: RequestContext, page: Page) -> list[str | None]:
    with database.reader() as session:
        return [row["name"] for row in resources.page(session, context, models.BayModel, ["name"], page)]


def test_found_by_uuid_and_by_name(database: Database, context: RequestContext) -> None:
    row = add(database, context, name="k8s")
    with database.reader() as session:
        assert resources.find(session, context, models.BayModel, row.uuid).name == "k8s"
        assert resources.find(session, context, models.BayModel, "k8s").uuid == row.uuid
        with pytest.raises(NotFound, match="BayModel other could not be found"):
            resources.find(session, context, models.BayModel, "other")


def test_an_ambiguous_name_is_a_conflict(database: Database, context: RequestContext) -> None:
    add(database, context, name="twin")
    add(database, context, name="twin")
    with database.reader() as session, pytest.raises(Conflict, match="use the baymodel uuid"):
        resources.find(session, context, models.BayModel, "twin")


def test_strangers_see_and_change_nothing(
    database: Database, context: RequestContext, stranger: RequestContext
) -> None:
    row = add(database, context, name="mine")
    with database.writer() as session:
        with pytest.raises(NotFound):
            resources.find(session, stranger, models.BayModel, row.uuid)
        with pytest.raises(NotFound):
            resources.change(session, stranger, models.BayModel, row.uuid, {"name": "theirs"})
        with pytest.raises(NotFound):
            resources.remove(session, stranger, models.BayModel, row.uuid)
        with pytest.raises(NotFound):
            resources.page(session, stranger, models.BayModel, ["uuid"], Page(10, marker=row.uuid))
        assert resources.count(session, stranger, models.BayModel) == 0
        assert resources.count(session, service_context(), models.BayModel) == 1


def test_a_public_baymodel_is_read_by_all_and_written_by_its_owner(
    database: Database, context: RequestContext, stranger: RequestContext
) -> None:
    row = add(database, context, name="shared", public=True)
    with database.writer() as session:
        assert resources.find(session, stranger, models.BayModel, "shared").uuid == row.uuid
        with pytest.raises(NotFound):
            resources.remove(session, stranger, models.BayModel, row.uuid)


def test_no_identity_sees_nothing(database: Database, context: RequestContext) -> None:
    add(database, context, name="mine")
    assert names(database, RequestContext(overwrite=False), Page(10)) == []


@pytest.mark.parametrize("sort_dir", ["asc", "desc"])
@pytest.mark.parametrize("sort_key", ["id", "name", "flavor_id"])
def test_pages_put_together_are_the_list(
    database: Database, context: RequestContext, sort_key: str, sort_dir: str
) -> None:
    rows = [
        add(database, context, name=name, flavor_id=flavor)
        for name, flavor in [("b", None), ("a", "small"), ("a", "large"), ("c", None), ("a", "large")]
    ]
    whole = names(database, context, Page(10, None, sort_key, sort_dir))
    collected: list[str] = []
    marker = None
    while True:
        with database.reader() as session:
            wanted = Page(2, marker, sort_key, sort_dir)
            part = resources.page(session, context, models.BayModel, ["uuid"], wanted)
        if not part:
            break
        collected += [row["uuid"] for row in part]
        marker = part[-1]["uuid"]
    assert sorted(collected) == sorted(row.uuid for row in rows)
    by_uuid = {row.uuid: row.name for row in rows}
    assert [by_uuid[uuid] for uuid in collected] == whole


def test_an_unknown_sort_key_names_the_known_ones(database: Database, context: RequestContext) -> None:
    with pytest.raises(Invalid, match=r"Use one of: .*name"):
        names(database, context, Page(10, sort_key="nosuch"))
