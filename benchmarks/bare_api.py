"""What the API is compared with: the same statements and `json.dumps`, and nothing else.

It runs on the very server of the API, with as many processes and threads, on the same database and with the same
columns, connections and durability. What it leaves out is what Magnum adds: tokens (here the token is the project),
policies, request ids, versions, routes, validation, forms of errors.
"""

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from oslo_config import cfg
from sqlalchemy import Connection, Engine, create_engine, event, insert, select, update

from magnum.api.resources.baymodels import BayModels
from magnum.api.resources.bays import Bays
from magnum.cmd.http import Server, load_configuration
from magnum.common.idents import new_uuid
from magnum.common.states import BayStatus, OperationState, Verb
from magnum.db import models

_BAYS, _BAYMODELS = models.Bay.__table__.c, models.BayModel.__table__.c
_LIST = select(*[_BAYS[name] for name in Bays.short])
_BAY = select(*[_BAYS[name] for name in Bays().full()])
_BAYMODEL = select(*[_BAYMODELS[name] for name in BayModels().full()])
Row = Mapping[Any, Any]
Answer = tuple[str, Any]


class Bare:
    """The application."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._engine = _engine(conf)
        self._most = conf.api.max_limit
        self._handlers: dict[str, Callable[..., Answer]] = {
            "GET bays": self._list,
            "GET bays/": self._get,
            "POST bays": self._create,
            "PATCH baymodels/": self._patch,
        }

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        _, _, collection, *rest = environ["PATH_INFO"].split("/")
        handler = self._handlers[f"{environ['REQUEST_METHOD']} {collection}{'/' if rest else ''}"]
        base = f"{environ['wsgi.url_scheme']}://{environ['HTTP_HOST']}"
        length = int(environ.get("CONTENT_LENGTH") or 0)
        document = json.loads(environ["wsgi.input"].read(length)) if length else None
        status, body = handler(environ["HTTP_X_AUTH_TOKEN"], base, document, *rest)
        content = json.dumps(body).encode()
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(content)))])
        return [content]

    def _list(self, project: str, base: str, _document: Any) -> Answer:
        query = _LIST.where(_BAYS.project_id == project).order_by(_BAYS.id).limit(self._most)
        with self._engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        body: dict[str, Any] = {"bays": [_view(row, base, "bays") for row in rows]}
        if len(rows) == self._most:
            query_string = f"sort_key=id&sort_dir=asc&limit={self._most}&marker={rows[-1]['uuid']}"
            body["next"] = f"{base}/v1/bays?{query_string}"
        return "200 OK", body

    def _get(self, project: str, base: str, _document: Any, uuid: str) -> Answer:
        with self._engine.connect() as connection:
            return "200 OK", _view(_one(connection, _BAY, _BAYS, project, uuid), base, "bays")

    def _create(self, project: str, base: str, document: dict[str, Any]) -> Answer:
        now = datetime.now(UTC)
        with self._engine.connect() as connection:
            baymodel = dict(_one(connection, _BAYMODEL, _BAYMODELS, project, document["baymodel_id"]))
            for name in ("created_at", "updated_at"):
                del baymodel[name]
            uuid = new_uuid()
            owner = {"project_id": project, "user_id": "user"}
            bay = {
                **owner,
                "uuid": uuid,
                "name": document["name"],
                "baymodel_id": baymodel["uuid"],
                "baymodel": {**baymodel, **owner},
                "status": BayStatus.CREATE_IN_PROGRESS,
                "bay_create_timeout": 60,
            }
            about = {"bay_uuid": uuid, "project_id": project, "verb": Verb.CREATE}
            operation = {**about, "user_id": "user", "state": OperationState.QUEUED, "due_at": now, "deadline": now}
            connection.rollback()
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            connection.execute(insert(models.Bay).values(bay))
            connection.execute(insert(models.Operation).values(operation))
            connection.execute(insert(models.BayEvent).values({**about, "text": "Create was accepted."}))
            row = _one(connection, _BAY, _BAYS, project, uuid)
            connection.commit()
        return "201 Created", _view(row, base, "bays")

    def _patch(self, project: str, base: str, document: list[dict[str, Any]], uuid: str) -> Answer:
        values = {item["path"][1:]: item["value"] for item in document}
        with self._engine.connect() as connection:
            _one(connection, _BAYMODEL, _BAYMODELS, project, uuid)
            connection.rollback()
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            mine = (_BAYMODELS.project_id == project, _BAYMODELS.uuid == uuid)
            connection.execute(update(models.BayModel).where(*mine).values(**values))
            row = _one(connection, _BAYMODEL, _BAYMODELS, project, uuid)
            connection.commit()
        return "200 OK", _view(row, base, "baymodels")


def _one(connection: Connection, query: Any, columns: Any, project: str, uuid: str) -> Row:
    return connection.execute(query.where(columns.project_id == project, columns.uuid == uuid)).mappings().one()


def _view(row: Row, base: str, collection: str) -> dict[str, Any]:
    view = dict(row)
    for name, value in view.items():
        if isinstance(value, datetime):
            view[name] = value.isoformat(timespec="seconds")
    view["links"] = [
        {"href": f"{base}/v1/{collection}/{row['uuid']}", "rel": "self"},
        {"href": f"{base}/{collection}/{row['uuid']}", "rel": "bookmark"},
    ]
    return view


def _engine(conf: cfg.ConfigOpts) -> Engine:
    engine = create_engine(conf.database.connection, pool_size=conf.api.threads)

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in ("busy_timeout = 30000", "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def main() -> None:
    """Serve until told to stop."""
    conf = load_configuration(sys.argv[1:])
    Server(conf, lambda: Bare(conf), workers=conf.api.workers).run()


if __name__ == "__main__":
    main()
