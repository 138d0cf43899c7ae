"""Notifications over a RabbitMQ, read by a listener as other services have it."""

import socket
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg

from magnum.common.bus import messaging
from magnum.common.context import RequestContext
from magnum.db import models, operations
from magnum.db.session import Database
from magnum.localcloud import packages, processes, rabbit
from magnum.localcloud.files import Secrets
from magnum.localcloud.paths import CloudPaths, Ports
from magnum.localcloud.rabbit import Rabbit
from tests.integration.services import configure, database_at, eventually, free_port, log_of, running, upgrade

_OFFSETS = range(2000, 9000, 37)
_PATIENCE = 90.0
_AWAY = "The notification bus does not take anything"
BAYS = 5


def _are_free(ports: Ports) -> bool:
    for port in (ports.rabbit, ports.rabbit_distribution, ports.epmd):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return False
    return True


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Rabbit]:
    """A RabbitMQ, not started yet."""
    packages.install(packages.missing(rabbit.PACKAGES))
    ports = next(ports for ports in map(Ports, _OFFSETS) if _are_free(ports))
    paths = CloudPaths("notified", tmp_path / "bus")
    made = Rabbit(paths, ports, Secrets(paths.secrets))
    yield made
    for name in (rabbit.NAME, rabbit.EPMD):
        processes.stop(paths.pid_file(name))


class Listener:
    """Keeps all that it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, dict[str, Any]]] = []

    @property
    def ids(self) -> set[str]:
        """Of all that was heard."""
        return {payload["id"] for _, _, payload in self.heard}

    def info(self, _context: Any, _publisher: str, event_type: str, payload: dict[str, Any], _about: Any) -> None:
        self.heard.append(("info", event_type, payload))

    def error(self, _context: Any, _publisher: str, event_type: str, payload: dict[str, Any], _about: Any) -> None:
        self.heard.append(("error", event_type, payload))


@pytest.fixture
def listener() -> Listener:
    return Listener()


def listen(url: str, listener: Listener) -> Any:
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[])
    messaging.get_notification_transport(conf, url)  # makes the options known
    conf.set_override("rabbit_quorum_queue", True, group="oslo_messaging_rabbit")
    transport = messaging.get_notification_transport(conf, url)
    target = messaging.Target(topic="notifications")
    server = messaging.get_notification_listener(transport, [target], [listener], executor="threading")
    server.start()
    return server


def make_bays(database: Database, seconds: float) -> None:
    for number in range(BAYS):
        context = RequestContext(project_id="p", user_id="u", request_id=f"req-{number}", overwrite=False)
        with database.writer() as session:
            bay = models.Bay(name="b", baymodel_id="m", baymodel={"coe": "kubernetes"})
            operations.accept_create(session, context, bay, {}, timedelta(seconds=seconds))


def failed(database: Database) -> int:
    with database.reader() as session:
        return session.query(models.Bay).filter_by(status="CREATE_FAILED").count()


def stop(bus: Rabbit) -> None:
    assert processes.stop(bus.paths.pid_file(rabbit.NAME), _PATIENCE)


def test_all_is_told_whenever_the_bus_is_there(tmp_path: Path, bus: Rabbit, listener: Listener) -> None:
    identity = {"auth_type": "password", "username": "magnum", "password": "very-secret", "project_name": "service"}
    nowhere = {"auth_url": f"http://127.0.0.1:{free_port()}/v3", "user_domain_name": "d", "project_domain_name": "d"}
    conf = configure(
        tmp_path,
        DEFAULT={"transport_url": bus.transport_url},
        keystone_auth={**identity, **nowhere},
        oslo_messaging_notifications={"driver": "messagingv2"},
        oslo_messaging_rabbit={"rabbit_quorum_queue": True},
    )
    upgrade(conf)
    database = database_at(f"sqlite:///{tmp_path}/magnum.sqlite")
    with running("magnum-conductor", conf):
        make_bays(database, seconds=8)
        eventually(lambda: failed(database) == BAYS, conf)  # no operation waits for the bus
        eventually(lambda: _AWAY in log_of(conf).read_text(), conf)
        bus.start()
        server = listen(bus.transport_url, listener)
        try:
            eventually(lambda: len(listener.ids) >= 2 * BAYS, conf, _PATIENCE)
            stop(bus)
            make_bays(database, seconds=5)
            eventually(lambda: failed(database) == 2 * BAYS, conf)
            bus.start()
            eventually(lambda: len(listener.ids) >= 4 * BAYS, conf, _PATIENCE)
            time.sleep(3)
        finally:
            server.stop()
            server.wait()
    database.dispose()
    # At least once, and each time under the same id: one may come twice where the bus goes before it has confirmed it.
    told = {payload["id"]: (level, event_type, payload["outcome"]) for level, event_type, payload in listener.heard}
    assert Counter(told.values()) == {
        ("info", "magnum.bay.create", "pending"): 2 * BAYS,
        ("error", "magnum.bay.create", "failure"): 2 * BAYS,
    }
    assert {payload["initiator"]["request_id"] for _, _, payload in listener.heard} == {
        f"req-{number}" for number in range(BAYS)
    }
    assert "very-secret" not in str(listener.heard)
    assert log_of(conf).read_text().count(_AWAY) <= 2  # once for each time
