"""Our rows of what is in a bay: copies that heal.

The bay's own API is the truth. `store` makes the rows of one kind in one bay what a listing of the bay said: objects
made by others appear, changed ones are changed, vanished ones go. It is called with a listing that is already some
moments old, so a row younger than the listing stays.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, cast

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from magnum.coe.nodes import Node
from magnum.coe.workloads import Workload
from magnum.common.exception import Conflict
from magnum.common.states import BayStatus
from magnum.db import models

Copy = models.Pod | models.Service | models.ReplicationController | models.Node

MODELS: Mapping[str, type[Copy]] = {
    "pod": models.Pod,
    "service": models.Service,
    "rc": models.ReplicationController,
    "node": models.Node,
}
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "pod": ("name", "labels", "images", "status", "host"),
    "service": ("name", "labels", "selector", "ip", "ports"),
    "rc": ("name", "labels", "images", "replicas"),
}
_KEYS: Mapping[str, str] = {"pod": "uuid", "service": "uuid", "rc": "uuid", "node": "name"}
UNKNOWN = "Unknown"


def workload_values(kind: str, item: Workload) -> dict[str, Any]:
    """The columns of a pod, service or rc."""
    return {"uuid": item.uid, **{name: getattr(item, name) for name in _FIELDS[kind]}}


def node_values(bay: models.Bay, node: Node) -> dict[str, Any]:
    """The columns of a node."""
    return {
        "name": node.name,
        "type": "virt",
        "image_id": bay.baymodel.get("image_id"),
        "role": node.role,
        "status": "Ready" if node.ready else "NotReady",
        "status_reason": node.reason,
        "addresses": node.addresses,
        "version": node.version,
    }


def store(
    session: Session, bay: models.Bay, kind: str, found: Iterable[Mapping[str, Any]], listed_at: datetime
) -> None:
    """Make the rows of a kind what a listing of the bay at ``listed_at`` said."""
    if not is_there(session, bay.uuid):
        return
    model, key = MODELS[kind], _KEYS[kind]
    known = cast(Iterable[Copy], session.scalars(select(model).where(model.bay_uuid == bay.uuid)))
    rows = {getattr(row, key): row for row in known}
    for values in found:
        row = rows.pop(values[key], None)
        if row is None:
            session.add(model(bay_uuid=bay.uuid, project_id=bay.project_id, user_id=bay.user_id, **values))
        else:
            _assign(row, values)
    for row in rows.values():
        if row.created_at < listed_at:
            session.delete(row)


def put(session: Session, bay: models.Bay, kind: str, values: Mapping[str, Any]) -> str:
    """Store one object, new or known; answers its uuid.

    :raises Conflict: the bay is being deleted, and its rows with it
    """
    if not is_there(session, bay.uuid):
        raise Conflict(f"Bay {bay.name or bay.uuid} is being deleted.")
    model, key = MODELS[kind], _KEYS[kind]
    known = session.scalar(select(model).where(model.bay_uuid == bay.uuid, getattr(model, key) == values[key]))
    row = cast(Copy | None, known)
    if row is None:
        row = model(bay_uuid=bay.uuid, project_id=bay.project_id, user_id=bay.user_id, **values)
        session.add(row)
        session.flush()
    else:
        _assign(row, values)
    return row.uuid


def mark_unknown(session: Session, bay_uuid: str, kind: str) -> None:
    """Say of all rows of a kind in a bay that nobody knows how they are."""
    model = MODELS[kind]
    session.execute(update(model).where(model.bay_uuid == bay_uuid).values(status=UNKNOWN))


def is_there(session: Session, bay_uuid: str) -> bool:
    """Whether rows may be added to this bay; a deletion is accepted only when this transaction has ended."""
    status = session.scalar(select(models.Bay.status).where(models.Bay.uuid == bay_uuid).with_for_update())
    return status is not None and status != BayStatus.DELETE_IN_PROGRESS


def _assign(row: Copy, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if getattr(row, name) != value:
            setattr(row, name, value)
