"""The cloud that this process of Heat serves, put together once."""

import functools
from dataclasses import dataclass
from typing import Any

from . import balancers, engine, inventory, networks, servers, settings, volumes


@dataclass(frozen=True)
class LocalCloud:
    """The services of one cloud, and the rows of the things that are only remembered."""

    store: inventory.Inventory
    networks: networks.Networks
    servers: servers.Servers
    volumes: volumes.Volumes
    balancers: balancers.Balancers

    def remember(self, record: inventory.Record) -> None:
        """Keep a thing that needs nothing made for it, new or changed."""
        with self.store.transaction() as rows:
            rows.put(record)

    def forget(self, record_id: str) -> None:
        """Drop a thing, if it is there."""
        with self.store.transaction() as rows:
            rows.remove(record_id)

    def find(self, kind: str, record_id: str) -> inventory.Record | None:
        """A thing by its id."""
        with self.store.transaction() as rows:
            return rows.find(kind, record_id)

    def resolve(self, kind: str, project: str, name_or_id: str) -> inventory.Record:
        """A thing of a project by its name or id."""
        with self.store.transaction() as rows:
            return rows.resolve(kind, project, name_or_id)

    def change(self, kind: str, record_id: str, name: str | None, data: dict[str, Any]) -> None:
        """Change what is remembered of a thing."""
        with self.store.transaction() as rows:
            record = rows.get(kind, record_id)
            record.name = name or record.name
            record.data |= data
            rows.put(record)


@functools.cache
def cloud() -> LocalCloud:
    """The cloud named by the environment of this process."""
    config = settings.from_environment()
    store = inventory.Inventory(config.inventory)
    docker = engine.Engine(config.docker_host)
    nets = networks.Networks(config, store, docker)
    return LocalCloud(
        store=store,
        networks=nets,
        servers=servers.Servers(settings.from_environment, store, docker, nets),
        volumes=volumes.Volumes(config, store, docker),
        balancers=balancers.Balancers(config, store, docker, nets),
    )
