"""The WSGI application as it runs, pipeline included, on SQLite; what lies behind the message bus is played here."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_socket
import webtest
from cryptography.fernet import Fernet
from keystonemiddleware.fixture import AuthTokenFixture
from oslo_config import cfg
from oslo_config.fixture import Config
from oslo_db import options as database_options
from sqlalchemy import event

from magnum.api import app as api_app
from magnum.api.call import Services
from magnum.common.context import RequestContext
from magnum.common.exception import MagnumError
from magnum.common.idents import new_uuid
from magnum.conf import CONF
from magnum.db import models, resources, schema
from magnum.db.session import Database
from tests.databases import NAMES as DATABASES
from tests.databases import running
from tests.functional.described import check_described

MODELS: dict[str, Any] = {"pod": models.Pod, "service": models.Service, "rc": models.ReplicationController}

TABLES: dict[str, Any] = {
    "baymodels": models.BayModel,
    "bays": models.Bay,
    "nodes": models.Node,
    "pods": models.Pod,
    "services": models.Service,
    "rcs": models.ReplicationController,
    "containers": models.Container,
}
"""Where the objects of each collection are stored."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database", choices=DATABASES, default="sqlite", help="what the application stores its rows in")


@pytest.fixture(autouse=True)
def _no_network() -> Iterator[None]:
    """The application is called in this process; only a database is reached by a socket, one in a folder."""
    pytest_socket.disable_socket(allow_unix_socket=True)
    yield
    pytest_socket.enable_socket()


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """The URL of a database whose schema migrations made, on the server that ``--database`` names; None for SQLite."""
    name = request.config.getoption("--database")
    if name == "sqlite":
        yield None
        return
    with running(name) as url:
        conf = cfg.ConfigOpts()
        conf.register_opts(database_options.database_opts, group="database")
        conf([], default_config_files=[])
        conf.set_override("connection", url, group="database")
        database = Database(conf)
        schema.upgrade(database)
        database.dispose()
        yield url


@pytest.fixture
def conf(tmp_path: Path, server: str | None) -> Iterator[cfg.ConfigOpts]:
    """A configuration as small as it can be."""
    connection = (server or f"sqlite:///{tmp_path}/magnum.sqlite").replace("%", "%%")
    path = tmp_path / "magnum.conf"
    path.write_text(
        "[DEFAULT]\ntransport_url = fake://\n"
        f"[certificates]\nencryption_key = {Fernet.generate_key().decode()}\n"
        f"[database]\nconnection = {connection}\n"
        "[quotas]\nmax_bays_per_project = -1\n"
        "[keystone_authtoken]\nauth_type = none\nwww_authenticate_uri = http://keystone.invalid\n"
        "service_token_roles_required = true\n"
    )
    fixture = Config(CONF)
    fixture.setUp()
    CONF([], project="magnum", default_config_files=[str(path)])
    yield CONF
    fixture.cleanUp()
    CONF.reset()


@pytest.fixture
def database(conf: cfg.ConfigOpts) -> Iterator[Database]:
    """An empty database with all tables."""
    database = Database(conf)
    models.Base.metadata.create_all(database.engine)
    yield database
    if database.engine.dialect.name != "sqlite":
        with database.engine.begin() as connection:
            for table in models.Base.metadata.sorted_tables:
                connection.execute(table.delete())
    database.dispose()


@dataclass
class FakeConductor:
    """Plays the conductors: says what it was asked, and keeps workloads as a bay would."""

    database: Database
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    failure: MagnumError | None = None

    def operation_queued(self, _context: RequestContext, bay_uuid: str) -> None:
        self.calls.append(("operation_queued", bay_uuid))

    def workload_create(self, context: RequestContext, kind: str, bay_uuid: str, manifest: dict[str, Any]) -> str:
        self._called("workload_create", kind, bay_uuid, manifest)
        with self.database.writer() as session:
            row = MODELS[kind](
                uuid=new_uuid(),
                bay_uuid=bay_uuid,
                name=manifest["metadata"]["name"],
                labels=manifest["metadata"].get("labels", {}),
                project_id=context.project_id,
                user_id=context.user_id,
            )
            session.add(row)
        return str(row.uuid)

    def workload_update(self, _context: RequestContext, kind: str, uuid: str, manifest: dict[str, Any]) -> None:
        self._called("workload_update", kind, uuid, manifest)

    def workload_delete(self, _context: RequestContext, kind: str, uuid: str) -> None:
        self._called("workload_delete", kind, uuid)
        with self.database.writer() as session:
            session.query(MODELS[kind]).filter_by(uuid=uuid).delete()

    def workload_refresh(self, _context: RequestContext, kind: str, bay_uuids: list[str]) -> None:
        self._called("workload_refresh", kind, bay_uuids)

    def container_create(self, context: RequestContext, values: dict[str, Any]) -> str:
        self._called("container_create", values)
        return resources.create(self.database, context, models.Container, {**values, "status": "Stopped"}).uuid

    def container_delete(self, context: RequestContext, uuid: str) -> None:
        self._called("container_delete", uuid)
        with self.database.writer() as session:
            resources.remove(session, context, models.Container, uuid)

    def container_refresh(self, _context: RequestContext, bay_uuids: list[str]) -> None:
        self._called("container_refresh", bay_uuids)

    def container_act(self, _context: RequestContext, uuid: str, action: str) -> None:
        self._called("container_act", uuid, action)

    def container_logs(self, _context: RequestContext, uuid: str) -> str:
        self._called("container_logs", uuid)
        return "its words\n"

    def container_execute(self, _context: RequestContext, uuid: str, command: str) -> str:
        self._called("container_execute", uuid, command)
        return f"{command} was run\n"

    def _called(self, *call: Any) -> None:
        self.calls.append(call)
        if self.failure is not None:
            raise self.failure


@pytest.fixture
def conductor(database: Database) -> FakeConductor:
    """What stands where the message bus would."""
    return FakeConductor(database)


@pytest.fixture
def services(conf: cfg.ConfigOpts, database: Database, conductor: FakeConductor) -> Services:
    """What the handlers work with."""
    made: Any = replace(api_app.make_services(conf), database=database, conductor=conductor)  # type: ignore[arg-type]
    return made  # type: ignore[no-any-return]


@pytest.fixture
def tokens() -> Iterator[AuthTokenFixture]:
    """Keystone, as far as tokens go."""
    fixture = AuthTokenFixture()
    fixture.setUp()
    yield fixture
    fixture.cleanUp()


@pytest.fixture
def application(conf: cfg.ConfigOpts, services: Services) -> Any:
    """The whole pipeline."""
    return api_app.load(conf, services)


class Client:
    """Somebody with a token; every answer's form is checked on the way."""

    def __init__(self, application: Any, token: str | None, headers: Mapping[str, str] | None = None) -> None:
        self._app = webtest.TestApp(application)
        self._headers = {**({"X-Auth-Token": token} if token else {}), **(headers or {})}

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> webtest.TestResponse:
        """Send one; ``headers`` by their names with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        if body is not None:
            named.setdefault("Content-Type", "application/json")
        response = self._app.request(
            path, method=method, body=raw, headers={**self._headers, **named}, expect_errors=True
        )
        check_form(response)
        return response

    def get(self, path: str, **headers: str) -> webtest.TestResponse:
        """GET."""
        return self.request("GET", path, **headers)

    def post(self, path: str, body: Any, **headers: str) -> webtest.TestResponse:
        """POST."""
        return self.request("POST", path, body, **headers)

    def patch(self, path: str, body: Any, **headers: str) -> webtest.TestResponse:
        """PATCH."""
        return self.request("PATCH", path, body, **headers)

    def delete(self, path: str) -> webtest.TestResponse:
        """DELETE as all the clients send it."""
        return self.request("DELETE", path, Content_Type="application/octet-stream")


def check_form(response: webtest.TestResponse) -> None:
    """What holds for every answer."""
    check_described(response.request.environ, response.status_int, response.headers, response.body)
    assert response.headers["X-Openstack-Request-Id"].startswith("req-")
    if response.status_int < 400:
        return
    assert response.content_type == "application/json"
    if response.request.method == "HEAD":
        return
    errors = response.json["errors"]
    assert errors
    for error in errors:
        assert set(error) >= {"request_id", "code", "status", "title", "detail", "links"}
        assert error["request_id"] == response.headers["X-Openstack-Request-Id"]
        assert error["status"] == response.status_int
        assert error["title"]
        assert error["detail"]
    fault = json.loads(response.json["error_message"])
    assert fault["faultstring"]
    assert fault["faultcode"] == ("Client" if response.status_int < 500 else "Server")
    assert fault["debuginfo"] is None


def sentences(response: webtest.TestResponse) -> list[str]:
    """What an error says."""
    return [error["detail"] for error in response.json["errors"]]


@dataclass
class People:
    """Makes clients."""

    application: Any
    tokens: AuthTokenFixture

    def __call__(self, project: str, user: str, roles: Sequence[str] = ("member", "reader")) -> Client:
        return Client(self.application, self.token(project, user, roles))

    def token(self, project: str | None, user: str, roles: Sequence[str]) -> str:
        """A Keystone token."""
        name = f"{project}-{user}-{'-'.join(roles)}"
        self.tokens.add_token_data(name, project_id=project, user_id=user, role_list=list(roles))
        return name


@pytest.fixture
def people(application: Any, tokens: AuthTokenFixture) -> People:
    """Everybody who could come."""
    return People(application, tokens)


@pytest.fixture
def alice(people: People) -> Client:
    """A member of a project."""
    return people("project-a", "alice")


@pytest.fixture
def mallory(people: People) -> Client:
    """A member of another project."""
    return people("project-b", "mallory")


@pytest.fixture
def nobody(application: Any) -> Client:
    """Somebody without a token."""
    return Client(application, None)


@pytest.fixture
def statements(database: Database) -> Iterator[list[str]]:
    """Each SQL statement the database gets from now on."""
    seen: list[str] = []

    def _executed(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", _executed)
    yield seen
    event.remove(database.engine, "before_cursor_execute", _executed)


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILpW9Vvd4evMV+SMKKviCzM4ayy3dSpWLLF91pQOYTNV"
BAYMODEL = {"name": "small", "coe": "kubernetes", "image_id": "debian", "flavor_id": "m1.small"}


@pytest.fixture
def baymodel(alice: Client) -> dict[str, Any]:
    """A baymodel of Alice's."""
    made: dict[str, Any] = alice.post("/v1/baymodels", BAYMODEL).json
    return made


@pytest.fixture
def bay(alice: Client, baymodel: dict[str, Any]) -> dict[str, Any]:
    """A bay of Alice's that is being made."""
    made: dict[str, Any] = alice.post("/v1/bays", {"name": "web", "baymodel_id": baymodel["uuid"]}).json
    return made


def set_status(database: Database, bay_uuid: str, status: str) -> None:
    """What a conductor would have done."""
    with database.writer() as session:
        session.query(models.Bay).filter_by(uuid=bay_uuid).update({"status": status})


@pytest.fixture
def swarm_bay(database: Database, ready_bay: dict[str, Any]) -> dict[str, Any]:
    """A bay of Alice's that runs containers."""
    with database.writer() as session:
        row = session.query(models.Bay).filter_by(uuid=ready_bay["uuid"]).one()
        row.baymodel = {**row.baymodel, "coe": "swarm"}
    return ready_bay


@pytest.fixture
def ready_bay(database: Database, bay: dict[str, Any]) -> dict[str, Any]:
    """A bay of Alice's that is there."""
    set_status(database, bay["uuid"], "CREATE_COMPLETE")
    return bay


@pytest.fixture
def bay_node(ready_bay: dict[str, Any], database: Database) -> str:
    """A node a conductor stored."""
    with database.writer() as session:
        row = models.Node(
            bay_uuid=ready_bay["uuid"], name="web-node-0", role="node", status="Ready", addresses=["10.0.0.5"],
            version="v1.34.2", project_id="project-a", user_id="alice",
        )  # fmt: skip
        session.add(row)
    return row.uuid


@pytest.fixture
def certified(ready_bay: dict[str, Any], services: Services, database: Database) -> str:
    """A bay with its authority."""
    with database.writer() as session:
        services.authority.ensure(session, ready_bay["uuid"], "web")
    return str(ready_bay["uuid"])
