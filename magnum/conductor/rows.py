"""Our copy of what is in a bay: how an object of the bay's own API becomes a row, and how the copy heals.

What the bay has and we do not is added, what it has no more goes, the rest follows. Only rows that were known before
the bay was asked can go: one that was stored meanwhile is newer than the answer.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, cast

from sqlalchemy import ColumnElement, Select, delete, select
from sqlalchemy.orm import Session

from magnum.coe.nodes import Node
from magnum.coe.workloads import Workload
from magnum.db import models

BayObject = models.Node | models.Pod | models.Service | models.ReplicationController

UNKNOWN = "Unknown"
"""Status of a row whose bay did not answer."""

MODELS: Mapping[str, type[BayObject]] = {
    "pod": models.Pod,
    "service": models.Service,
    "rc": models.ReplicationController,
    "node": models.Node,
}


def values(model: type[BayObject], found: Any) -> dict[str, Any]:
    """The columns of a row that the bay's API decides."""
    return _VALUES[model](found)


def known(session: Session, model: type[BayObject], bay_uuid: str) -> set[str]:
    """Uuids of the bay's rows."""
    uuids: ColumnElement[str] = cast(Any, model).uuid
    return set(session.scalars(select(uuids).where(model.bay_uuid == bay_uuid)))


def heal(
    session: Session,
    model: type[BayObject],
    bay: models.Bay,
    known_before: Collection[str],
    found: Iterable[Node] | Iterable[Workload],
) -> None:
    """Make the bay's rows what its API has.

    :param known_before: what `known` said before the API was asked
    """
    objects = {item.uid: item for item in found}
    query: Select[Any] = select(model).where(model.bay_uuid == bay.uuid)
    rows = {row.uuid: row for row in session.scalars(query)}
    vanished = [uuid for uuid in known_before if uuid not in objects]
    if vanished:
        session.execute(delete(model).where(model.bay_uuid == bay.uuid, model.uuid.in_(vanished)))
    for uid, item in objects.items():
        row = rows.get(uid)
        if row is None:
            session.add(new(model, bay, item))
            continue
        for name, value in values(model, item).items():
            if getattr(row, name) != value:
                setattr(row, name, value)
    session.flush()


def new(model: type[BayObject], bay: models.Bay, found: Any) -> BayObject:
    """A row for an object of the bay, owned by the bay's tenant."""
    owner = {"bay_uuid": bay.uuid, "project_id": bay.project_id, "user_id": bay.user_id}
    return model(uuid=found.uid, **owner, **values(model, found))


def _node(item: Node) -> dict[str, Any]:
    return {
        "name": item.name,
        "role": item.role,
        "status": "Ready" if item.ready else "NotReady",
        "status_reason": item.reason,
        "addresses": item.addresses,
        "version": item.version,
    }


def _pod(item: Workload) -> dict[str, Any]:
    return {**_common(item), "images": item.images, "host": item.host}


def _service(item: Workload) -> dict[str, Any]:
    return {**_common(item), "selector": item.selector, "ip": item.ip, "ports": item.ports}


def _rc(item: Workload) -> dict[str, Any]:
    return {**_common(item), "images": item.images, "replicas": item.replicas or 0}


def _common(item: Workload) -> dict[str, Any]:
    return {"name": item.name, "labels": item.labels, "status": item.status}


_VALUES: Mapping[type[BayObject], Callable[[Any], dict[str, Any]]] = {
    models.Node: _node,
    models.Pod: _pod,
    models.Service: _service,
    models.ReplicationController: _rc,
}
