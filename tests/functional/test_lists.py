"""Lists of every resource: pages, order, links, and what they cost."""

from typing import Any

import pytest

from magnum.api.routes import all_routes
from magnum.db.session import Database
from tests.functional.conftest import BAYMODEL, TABLES, Client, sentences

BASE = "http://localhost"

every_collection = pytest.mark.parametrize("plural", TABLES)


def fill(database: Database, bay: dict[str, Any], plural: str, count: int) -> None:
    """Rows of Alice's, with names in reverse order."""
    own: dict[str, Any] = {"project_id": "project-a", "user_id": "alice"}
    if plural == "baymodels":
        own |= {"coe": "kubernetes", "image_id": "x", "labels": {}}
    elif plural == "bays":
        own |= {"baymodel_id": bay["baymodel_id"], "baymodel": {"coe": "kubernetes"}, "status": "CREATE_COMPLETE"}
    else:
        own |= {"bay_uuid": bay["uuid"]} | ({"image": "x"} if plural == "containers" else {})
    with database.writer() as session:
        for number in range(count):
            uuid = f"00000000-0000-4000-8000-{number:012}"
            session.add(TABLES[plural](uuid=uuid, name=f"n{count - number:03}", **own))


@every_collection
def test_pages(alice: Client, ready_bay: dict[str, Any], database: Database, plural: str) -> None:
    fill(database, ready_bay, plural, 5)
    everything = [row["uuid"] for row in alice.get(f"/v1/{plural}").json[plural]]
    for path in (f"/v1/{plural}", f"/v1/{plural}/detail", f"/{plural}/"):
        seen: list[str] = []
        url = f"{path}?limit=2"
        while url:
            answer = alice.get(url).json
            seen.extend(row["uuid"] for row in answer[plural])
            url = answer.get("next", "").removeprefix(BASE)
            assert not url or url.startswith(f"/v1/{plural}{'/detail' if 'detail' in path else ''}?sort_key=id&")
        assert seen == everything


@every_collection
def test_a_full_last_page_has_a_next(alice: Client, ready_bay: dict[str, Any], plural: str, database: Database) -> None:
    have = len(alice.get(f"/v1/{plural}").json[plural])
    fill(database, ready_bay, plural, 2)
    answer = alice.get(f"/v1/{plural}?limit={have + 2}").json
    assert alice.get(answer["next"].removeprefix(BASE)).json == {plural: []}
    assert "next" not in alice.get(f"/v1/{plural}?limit={have + 3}").json


@every_collection
def test_order(alice: Client, ready_bay: dict[str, Any], database: Database, plural: str) -> None:
    fill(database, ready_bay, plural, 4)
    for path in (f"/v1/{plural}", f"/v1/{plural}/detail"):
        up = [row["name"] for row in alice.get(f"{path}?sort_key=name").json[plural]]
        down = [row["name"] for row in alice.get(f"{path}?sort_key=name&sort_dir=desc").json[plural]]
        assert up == sorted(up)
        assert down == up[::-1]
        marker = alice.get(f"{path}?sort_key=name&limit=2").json["next"].removeprefix(BASE)
        assert [row["name"] for row in alice.get(marker).json[plural]] == up[2:4]


@every_collection
@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_every_order_has_pages(
    alice: Client, ready_bay: dict[str, Any], database: Database, plural: str, direction: str
) -> None:
    fill(database, ready_bay, plural, 3)
    everything = {row["uuid"] for row in alice.get(f"/v1/{plural}").json[plural]}
    for name in next(item.kind.words for item in _list_parameters(plural) if item.name == "sort_key"):
        seen: list[str] = []
        url = f"/v1/{plural}?limit=1&sort_key={name}&sort_dir={direction}"
        while url:
            answer = alice.get(url).json
            seen.extend(row["uuid"] for row in answer[plural])
            url = answer.get("next", "").removeprefix(BASE)
        assert sorted(seen) == sorted(everything), name


def _list_parameters(plural: str) -> Any:
    return next(route.query for route in all_routes() if (route.method, route.path) == ("GET", f"/v1/{plural}"))


@every_collection
def test_bad_queries(alice: Client, plural: str) -> None:
    for query in ("limit=0", "limit=-1", "limit=x", "limit=", "limit=1.5", "limit=%C2%B2", "sort_dir=up",
                  "sort_key=secret", "sort_key=labels", "sort_key=project_id", "marker=x", "colour=red"):  # fmt: skip
        assert alice.get(f"/v1/{plural}?{query}").status_int == 400, query
    response = alice.get(f"/v1/{plural}?limit=0&sort_dir=up&marker=x&sort_key=x")
    assert len(sentences(response)) == 4
    assert sentences(alice.get(f"/v1/{plural}?colour=red")) == ['Unknown argument: "colour".']
    assert alice.get(f"/v1/{plural}?marker=00000000-0000-4000-8000-000000000000").status_int == 404
    assert alice.get(f"/v1/{plural}?limit=99999999999999999999").status_int == 200


def test_limit_is_clamped(alice: Client, conf: Any, bay: dict[str, Any]) -> None:
    alice.post("/v1/baymodels", BAYMODEL)
    conf.set_override("max_limit", 1, group="api")
    for query in ("", "?limit=50"):
        assert len(alice.get(f"/v1/baymodels{query}").json["baymodels"]) == 1


def test_host_and_scheme_of_links_are_the_requests(alice: Client, baymodel: dict[str, Any]) -> None:
    row = alice.get("/v1/baymodels/small", Host="magnum.example.org:9511").json
    assert row["links"][0]["href"] == f"http://magnum.example.org:9511/v1/baymodels/{row['uuid']}"
