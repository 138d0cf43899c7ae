"""What there is when a request comes, and how requests are led to it.

A name that is made up at random is that of nothing. So most requests for an object are led to one that is there,
and before each that is no link in a chain, all is as it was in the beginning, whatever the one before has deleted.
"""

import sqlite3
import zlib
from pathlib import Path
from typing import Any

from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.case import Case
from schemathesis.generation.meta import TestPhase

from magnum.api.call import Services
from magnum.common.states import BayStatus
from magnum.db import models

PROJECT, USER = "project-a", "alice"
NAMES = {
    "baymodels": ("spare", "small"),
    "bays": ("web", "fleet"),
    "certificates": ("web",),
    "containers": ("cache",),
    "nodes": ("11111111-1111-4111-8111-111111111111",),
    "pods": ("redis",),
    "rcs": ("redis",),
    "services": ("redis",),
}
BAYS = {"containers": "fleet", "pods": "web", "rcs": "web", "services": "web"}
_OWNER = {"project_id": PROJECT, "user_id": USER}


class World:
    """The rows of a database, and how to have them back.

    :param path: the database's file
    """

    def __init__(self, services: Services, path: Path) -> None:
        self._beginning = sqlite3.connect(":memory:", check_same_thread=False)
        self._uuids = _fill(services)
        self._database = sqlite3.connect(path, check_same_thread=False)
        self._database.backup(self._beginning)
        self._version: int | None = None

    def close(self) -> None:
        """Give back what is held."""
        self._database.close()
        self._beginning.close()

    def prepare(self, case: Case[Any]) -> None:
        """Have everything back, and lead a request to something of it."""
        if case.meta is not None and case.meta.phase.name == TestPhase.STATEFUL:
            return
        self._restore()
        self._lead(case)

    def _restore(self) -> None:
        (version,) = self._database.execute("PRAGMA data_version").fetchone()
        if version != self._version:  # somebody else wrote
            self._beginning.backup(self._database)
            (self._version,) = self._database.execute("PRAGMA data_version").fetchone()

    def _lead(self, case: Case[Any]) -> None:
        draw = zlib.crc32(repr((case.method, case.path_parameters, case.query, case.body)).encode(errors="replace"))
        collection = case.operation.path.split("/")[2] if case.operation.path.count("/") > 1 else ""
        if collection not in NAMES or (_is_fuzzing(case) and draw % 4 == 0):
            return
        if _is_right(case, ParameterLocation.PATH) and "ident" in case.path_parameters:
            names = NAMES[collection]
            case.path_parameters = {**case.path_parameters, "ident": names[draw // 4 % len(names)]}
            if "bay_ident" in case.path_parameters:
                case.path_parameters["bay_ident"] = BAYS[collection]
        if _is_right(case, ParameterLocation.QUERY) and case.query:
            bay = BAYS.get(collection)
            known = {"marker": self._uuids.get(collection), "bay_ident": bay, "bay_uuid": bay}
            query = {name: known.get(name, value) for name, value in case.query.items()}
            case.query = {name: value for name, value in query.items() if value is not None}


def _is_fuzzing(case: Case[Any]) -> bool:
    return case.meta is not None and case.meta.phase.name == TestPhase.FUZZING


def _is_right(case: Case[Any], location: ParameterLocation) -> bool:
    component = case.meta.components.get(location) if case.meta else None
    return component is not None and component.mode.is_positive


def _fill(services: Services) -> dict[str, str]:
    """Make the things that there are; the uuid of one of each collection."""
    found: dict[str, models.Owned] = {}
    with services.database.writer() as session:
        for name in NAMES["baymodels"]:
            found["baymodels"] = models.BayModel(
                name=name, coe="kubernetes", image_id="debian", flavor_id="m1.small", network_driver="flannel", **_OWNER
            )
            session.add(found["baymodels"])
        session.flush()
        for name, coe in (("fleet", "swarm"), ("web", "kubernetes")):
            bay = models.Bay(
                name=name,
                baymodel_id=found["baymodels"].uuid,
                baymodel={"coe": coe},
                status=BayStatus.CREATE_COMPLETE,
                **_OWNER,
            )
            session.add(bay)
            session.flush()
            services.authority.ensure(session, bay.uuid, name)
            found[name] = bay
        web, fleet = found["web"].uuid, found.pop("fleet").uuid
        found["bays"] = found.pop("web")
        found["nodes"] = models.Node(uuid=NAMES["nodes"][0], **_OWNER)
        found["containers"] = models.Container(name="cache", bay_uuid=fleet, image="redis", status="Running", **_OWNER)
        for plural, model in (
            ("pods", models.Pod),
            ("rcs", models.ReplicationController),
            ("services", models.Service),
        ):
            found[plural] = model(uuid=str(found["nodes"].uuid), name="redis", bay_uuid=web, **_OWNER)
        session.add_all(found.values())
        session.add(models.MagnumService(host="host", binary="magnum-conductor"))
        session.flush()
        return {plural: row.uuid for plural, row in found.items()}
