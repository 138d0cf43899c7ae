"""What reading costs: statements of SQL, questions to conductors, and nothing asked of Keystone or anybody else."""

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from keystoneauth1.session import Session

from magnum.db import models
from magnum.db.session import Database
from tests.functional.conftest import TABLES, Client, FakeConductor

OURS = ("baymodels", "bays")
MARKER = "00000000-0000-4000-8000-000000000003"
LAST = "00000000-0000-4000-8000-000000000019"
PAGES = [
    "",
    "limit=5",
    "sort_key=uuid&sort_dir=desc",
    f"marker={MARKER}",
    f"limit=5&marker={MARKER}&sort_key=uuid",
    f"limit=5&marker={MARKER}&sort_key=created_at&sort_dir=desc",
]
MOST_OF_A_LIST, MOST_OF_ONE = 3, 2

every_collection = pytest.mark.parametrize("plural", TABLES)

Cost = Callable[[str], int]


@pytest.fixture
def filled(request: pytest.FixtureRequest, plural: str, database: Database) -> dict[str, Any]:
    """A bay of Alice's with twenty of each in it."""
    bay: dict[str, Any] = request.getfixturevalue("swarm_bay" if plural == "containers" else "ready_bay")
    own: dict[str, Any] = {"project_id": "project-a", "user_id": "alice"}
    more: dict[str, dict[str, Any]] = {
        "baymodels": {"coe": "kubernetes", "image_id": "x", "labels": {}},
        "bays": {"baymodel_id": bay["baymodel_id"], "baymodel": {"coe": "kubernetes"}, "status": "CREATE_COMPLETE"},
        "containers": {"bay_uuid": bay["uuid"], "image": "x"},
    }
    with database.writer() as session:
        for number in range(20):
            uuid = f"{MARKER[:-2]}{number:02}"
            columns = own | more.get(plural, {"bay_uuid": bay["uuid"]})
            session.add(TABLES[plural](uuid=uuid, name=f"n{number}", **columns))
    return bay


@pytest.fixture
def cost(
    alice: Client,
    filled: dict[str, Any],
    conductor: FakeConductor,
    statements: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Cost:
    """How many statements looking at a path takes."""

    def _asked(*_args: Any, **_named: Any) -> None:
        pytest.fail("another service was asked")

    monkeypatch.setattr(Session, "request", _asked)

    def _cost(path: str) -> int:
        statements.clear()
        conductor.calls.clear()
        response = alice.get(path)
        assert response.status_int == 200, response.text
        return len([statement for statement in statements if statement != "BEGIN"])

    return _cost


def assert_asked(conductor: FakeConductor, plural: str) -> None:
    """What is in bays takes one question to a conductor, however many bays there are; what is ours takes none."""
    assert len(conductor.calls) == (0 if plural in OURS else 1), conductor.calls


@every_collection
def test_lists(cost: Cost, conductor: FakeConductor, statements: list[str], plural: str) -> None:
    for page, path in product(PAGES, (f"/v1/{plural}", f"/v1/{plural}/detail")):
        assert cost(f"{path}?{page}") <= MOST_OF_A_LIST, (page, statements)
        assert_asked(conductor, plural)


@pytest.mark.parametrize("plural", [plural for plural in TABLES if plural not in OURS])
def test_lists_of_one_bay(
    cost: Cost, filled: dict[str, Any], conductor: FakeConductor, statements: list[str], plural: str
) -> None:
    paths = (f"/v1/{plural}?bay_ident=web", f"/v1/{plural}/detail?bay_uuid={filled['uuid']}")
    for page, path in product(PAGES, paths):
        assert cost(f"{path}&{page}") <= MOST_OF_A_LIST, (page, statements)
        assert_asked(conductor, plural)


@pytest.mark.parametrize("plural", ["pods"])
def test_lists_of_many_bays(
    cost: Cost, alice: Client, database: Database, conductor: FakeConductor, statements: list[str]
) -> None:
    for number in range(5):
        alice.post("/v1/bays", {"name": f"more-{number}", "baymodel_id": "small"})
    with database.writer() as session:
        session.query(models.Bay).update({"status": "CREATE_COMPLETE"})
    assert cost("/v1/pods") <= MOST_OF_A_LIST, statements
    ((_question, _kind, bays),) = conductor.calls
    assert len(bays) == 6


@every_collection
def test_one(cost: Cost, conductor: FakeConductor, statements: list[str], plural: str) -> None:
    for ident in (LAST, "n7"):
        assert cost(f"/v1/{plural}/{ident}") <= MOST_OF_ONE, statements
        assert_asked(conductor, plural)


@pytest.mark.parametrize("plural", [plural for plural in TABLES if plural not in OURS])
def test_one_of_a_bay(
    cost: Cost, filled: dict[str, Any], conductor: FakeConductor, statements: list[str], plural: str
) -> None:
    for ident in (LAST, "n7"):
        for query in ("bay_ident=web", f"bay_ident={filled['uuid']}", f"bay_uuid={filled['uuid']}"):
            assert cost(f"/v1/{plural}/{ident}?{query}") <= MOST_OF_ONE, statements
            assert_asked(conductor, plural)


@pytest.mark.parametrize("plural", ["pods", "services", "rcs"])
def test_one_of_a_bay_by_its_segment(cost: Cost, conductor: FakeConductor, statements: list[str], plural: str) -> None:
    assert cost(f"/v1/{plural}/n7/web") <= MOST_OF_ONE, statements
    assert_asked(conductor, plural)


@pytest.mark.parametrize("plural", ["bays"])
@pytest.mark.parametrize("path", ["/v1/certificates/web", "/v1/bays/web/events", "/v1/bays/web/events?limit=1"])
@pytest.mark.usefixtures("certified")
def test_what_belongs_to_a_bay(cost: Cost, conductor: FakeConductor, statements: list[str], path: str) -> None:
    assert cost(path) <= MOST_OF_ONE, statements
    assert conductor.calls == []


@pytest.mark.parametrize("plural", ["bays"])
@pytest.mark.parametrize("path", ["/", "/v1"])
def test_discovery(cost: Cost, conductor: FakeConductor, path: str) -> None:
    assert cost(path) == 0
    assert conductor.calls == []
