"""Conductors on a cloud in memory, and the ways of a bay through them."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from time import monotonic, sleep
from typing import Any

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import rsa
from oslo_config import cfg
from sqlalchemy import event

from magnum.certificates.authority import Authority
from magnum.certificates.bootstrap import BootstrapTokens
from magnum.certificates.storage import SecretBox
from magnum.common import clock
from magnum.common.context import RequestContext, service_context
from magnum.common.states import Verb
from magnum.conductor.drift import DriftWatch
from magnum.conductor.polling import StackPoll
from magnum.conductor.runner import Runner
from magnum.conductor.tools import Tools
from magnum.db import models, operations, resources, stories
from magnum.db.operations import Claim
from magnum.db.session import Database
from tests.fakes.cloud import FakeBay, FakeCloud, FakeStack
from tests.fakes.driver import BAYMODEL, FakeDriver

PATIENCE = 20.0
"""Seconds after which what other threads do has happened or never will."""
LEASE = timedelta(seconds=60)
HOUR = timedelta(hours=1)
Ready = Callable[..., str]
"""Makes a bay that is complete; what `ready_bay` gives."""


def eventually(happened: Callable[[], bool]) -> bool:
    """Whether something happens within the patience of tests."""
    end = monotonic() + PATIENCE
    while monotonic() < end:
        if happened():
            return True
        sleep(0.02)
    return False


class Time:
    """The clock of a test, moved by hand."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)
        self._real = clock.now

    def now(self) -> datetime:
        return self._real() + self._ahead

    def passes(self, seconds: float) -> None:
        self._ahead += timedelta(seconds=seconds)


class World:
    """A cloud, a database, and one tenant's bay in them."""

    def __init__(self, tools: Tools, cloud: FakeCloud, context: RequestContext, time: Time) -> None:
        self.tools = tools
        self.cloud = cloud
        self.context = context
        self.time = time
        self.stopping = False
        self._poll = StackPoll(tools, lambda: None, "one")
        self._drift = DriftWatch(tools)

    @property
    def database(self) -> Database:
        return self.tools.database

    # The tenant

    def create(self, *, name: str = "my-bay", timeout: timedelta | None = HOUR, **values: Any) -> str:
        bay = models.Bay(name=name, baymodel_id="m", baymodel=BAYMODEL, **values)
        with self.database.writer() as session:
            operations.accept_create(session, self.context, bay, {}, timeout)
        return bay.uuid

    def ask(self, bay_uuid: str, verb: Verb, timeout: timedelta | None = HOUR, **arguments: Any) -> None:
        with self.database.writer() as session:
            bay = resources.find(session, self.context, models.Bay, bay_uuid)
            operations.accept(session, self.context, bay, verb, arguments, timeout)

    def scale(self, bay_uuid: str, node_count: int, **arguments: Any) -> None:
        self.ask(bay_uuid, Verb.UPDATE, node_count=node_count, **arguments)

    def bay(self, bay_uuid: str) -> models.Bay:
        with self.database.reader() as session:
            return resources.find(session, self.context, models.Bay, bay_uuid)

    def is_there(self, bay_uuid: str) -> bool:
        with self.database.reader() as session:
            return bool(resources.every(session, self.context, models.Bay, {"uuid": bay_uuid}))

    def events(self, bay_uuid: str) -> Sequence[models.BayEvent]:
        with self.database.reader() as session:
            return stories.events(session, self.context, bay_uuid, 0, 1000)

    def steps(self, bay_uuid: str, verb: Verb) -> list[str | None]:
        return [event.step for event in self.events(bay_uuid) if event.verb == verb and event.step]

    def nodes(self, bay_uuid: str) -> list[str]:
        with self.database.reader() as session:
            rows = resources.every(session, service_context(), models.Node, {"bay_uuid": bay_uuid})
        return sorted(row.name or "" for row in rows)

    def stack(self, bay_uuid: str) -> FakeStack:
        return self.cloud.heat.stacks[self.bay(bay_uuid).stack_id or ""]

    def running(self, bay_uuid: str) -> FakeBay:
        return self.cloud.bays.of(bay_uuid)

    # The conductors

    def claim(self, owner: str = "one") -> Claim | None:
        with self.database.writer() as session:
            return next(iter(operations.claim_due(session, owner, LEASE, 1)), None)

    def turn(self, owner: str = "one") -> bool:
        """One conductor takes a turn at what is due; answers whether something was."""
        claimed = self.claim(owner)
        if claimed is not None:
            Runner(self.tools, LEASE, lambda: self.stopping).run(claimed)
        return claimed is not None

    def look_for_drift(self, *, anew: bool = False) -> None:
        """:param anew: what was learned of who may see what is forgotten"""
        if anew:
            self._drift = DriftWatch(self.tools)
        self._drift.look()

    def poll(self) -> None:
        self._poll.poll()

    def work(self, seconds: float = 600, owner: str = "one") -> None:
        """A conductor works for so many seconds."""
        for _ in range(int(seconds)):
            self.poll()
            while self.turn(owner):
                pass
            if not self._open():
                return
            self.time.passes(1)

    def _open(self) -> bool:
        with self.database.reader() as session:
            query = session.query(models.Operation).filter(models.Operation.state.in_(["queued", "running"]))
            return query.count() > 0


@pytest.fixture
def cloud() -> FakeCloud:
    cloud = FakeCloud()
    cloud.heat.at_once = True
    return cloud


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(clock, "now", time.now)
    return time


@pytest.fixture(scope="session")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def _quick(database: Database, rsa_key: rsa.RSAPrivateKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what only takes time here: writes that survive a power cut, and a new RSA key for each bay."""
    event.listen(database.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))
    database.engine.dispose()
    monkeypatch.setattr(rsa, "generate_private_key", lambda **_: rsa_key)


@pytest.fixture
def tools(conf: cfg.ConfigOpts, database: Database, cloud: FakeCloud, _quick: None) -> Tools:
    conf.set_override("encryption_key", [Fernet.generate_key().decode()], group="certificates")
    authority = Authority(conf)
    return Tools(
        conf=conf,
        database=database,
        cloud=cloud,  # type: ignore[arg-type]
        authority=authority,
        secrets=SecretBox(conf),
        tokens=BootstrapTokens(conf),
        bays=cloud.bays,
        drivers=[FakeDriver()],
    )


@pytest.fixture
def world(tools: Tools, cloud: FakeCloud, context: RequestContext, time: Time) -> World:
    return World(tools, cloud, context, time)


@pytest.fixture
def ready_bay(world: World) -> Ready:
    """Make a bay that is complete."""

    def make(**values: Any) -> str:
        uuid = world.create(**values)
        world.work()
        assert world.bay(uuid).status == "CREATE_COMPLETE"
        return uuid

    return make
