"""An application with something in it, and the options of a long run."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import pytest

from magnum.api.call import Services
from magnum.coe import manifest_url
from magnum.common.context import RequestContext
from magnum.common.states import BayStatus, OperationState, Verb
from magnum.db import models
from magnum.db.session import Database
from tests.functional.conftest import (
    FakeConductor,
    People,
    application,
    conf,
    database,
    people,
    services,
    tokens,
)
from tests.functional.test_workloads import POD
from tests.fuzz.campaign import Person
from tests.fuzz.world import PROJECT, USER, World

__all__ = ["application", "conf", "database", "people", "services", "tokens"]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("fuzz", "requests made of the OpenAPI document")
    group.addoption("--cases", type=int, default=0, help="how many requests to send at least (default: a fixed few)")
    group.addoption("--seed", type=int, default=1, help="what makes the same requests again")


@pytest.fixture(autouse=True)
def _no_network(socket_disabled: None) -> None:
    """The application is called in this process; nothing here opens a socket."""


@pytest.fixture(autouse=True)
def _nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every address leads to the manifest of a pod."""
    monkeypatch.setattr(manifest_url, "_get", lambda *_args: POD.encode())


class BusyConductor(FakeConductor):
    """Carries out at once whatever is asked of a bay."""

    _DONE: ClassVar[dict[str, str]] = {
        Verb.CREATE: BayStatus.CREATE_COMPLETE,
        Verb.UPDATE: BayStatus.UPDATE_COMPLETE,
    }

    def operation_queued(self, _context: RequestContext, bay_uuid: str) -> None:
        with self.database.writer() as session:
            operations = session.query(models.Operation).filter_by(bay_uuid=bay_uuid, state=OperationState.QUEUED).all()
            for operation in operations:
                operation.state = OperationState.DONE
                bay = session.query(models.Bay).filter_by(uuid=bay_uuid)
                if operation.verb == Verb.DELETE:
                    bay.delete()
                else:
                    columns: dict[Any, Any] = {"status": self._DONE[operation.verb], **_columns(operation.arguments)}
                    bay.update(columns)


def _columns(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if name == "node_count"}


@pytest.fixture
def conductor(database: Database) -> FakeConductor:
    """What stands where the message bus would."""
    return BusyConductor(database)


@pytest.fixture(scope="session")
def server() -> None:
    """The database is SQLite's."""


@pytest.fixture
def world(services: Services, seed: int, tmp_path: Path) -> Iterator[World]:
    """A project that has something of everything."""
    world = World(services, tmp_path / "magnum.sqlite")
    yield world
    world.close()


@pytest.fixture
def senders(people: People) -> list[Person]:
    """An operator in that project, and somebody in another."""
    tokens = {
        "alice": people.token(PROJECT, USER, ["admin", "member", "reader"]),
        "mallory": people.token("project-b", "mallory", ["member", "reader"]),
    }
    return [Person(name, [{"name": "X-Auth-Token", "value": token}]) for name, token in tokens.items()]


@pytest.fixture
def seed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """What makes the same requests and the same uuids again."""
    seed: int = request.config.getoption("--seed")
    random = Random(seed)  # noqa: S311
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=random.getrandbits(128), version=4))
    return seed
