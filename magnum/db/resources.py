"""Queries on tenants' objects, the same for every table.

Each statement made for a request carries the tenant's predicate, writes included; what belongs to another tenant is
`NotFound`, exactly as what does not exist. A context with ``all_projects`` (the service's own) sees every row.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from oslo_db import exception as db_exception
from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    CursorResult,
    Select,
    Table,
    and_,
    case,
    delete,
    false,
    func,
    inspect,
    literal,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.orm import Session

from magnum.common.context import RequestContext
from magnum.common.exception import Conflict, Invalid, NotFound
from magnum.common.idents import is_uuid
from magnum.db import models
from magnum.db.session import Database

Row = TypeVar("Row", bound=models.Owned)

NAMES: dict[type[models.Owned], str] = {
    models.BayModel: "BayModel",
    models.Bay: "Bay",
    models.Node: "Node",
    models.Pod: "Pod",
    models.Service: "Service",
    models.ReplicationController: "ReplicationController",
    models.Container: "Container",
}
"""What a user calls an object of this table."""


@dataclass(frozen=True)
class Page:
    """Which part of a list: ``marker`` is the uuid of the last object of the page before."""

    limit: int
    marker: str | None = None
    sort_key: str = "id"
    sort_dir: str = "asc"


def find(
    session: Session,
    context: RequestContext,
    model: type[Row],
    ident: str,
    *,
    bay_uuid: str | None = None,
    to_change: bool = False,
) -> Row:
    """The one object with this uuid or name. A name means the tenant's own before what others share under it.

    :param bay_uuid: only look in this bay
    :param to_change: as it is now, and so it stays while this transaction lasts, but for what that changes
    :raises NotFound: there is none that this tenant may see
    :raises Conflict: several have this name
    """
    query = select(model).where(_visible(context, model), _named(model, ident))
    if bay_uuid is not None:
        query = query.where(_column(model, "bay_uuid") == bay_uuid)
    if to_change:
        query = query.with_for_update()
    rows = session.scalars(query.order_by(*_own_first(context, model), model.id).limit(2)).all()
    if not rows:
        raise NotFound(f"{NAMES[model]} {ident} could not be found.")
    if len(rows) > 1 and [row.project_id == context.project_id for row in rows] != [True, False]:
        noun = NAMES[model].lower()
        raise Conflict(f"Multiple {noun}s exist with same name {ident}. Please use the {noun} uuid instead.")
    return rows[0]


def page(
    session: Session,
    context: RequestContext,
    model: type[Row],
    names: Sequence[str],
    wanted: Page,
    filters: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """A page of the objects this tenant may see, in a total order (the sort key, then the id).

    They are plain values rather than objects: of a long list these take most of the time, and most of it for columns
    that nobody looks at.

    :param names: the columns that are wanted of each
    :raises NotFound: the marker is no object of the list
    :raises Invalid: no such sort key
    """
    query = select(*[_shown(model, name) for name in names]).where(_visible(context, model), *_equal(model, filters))
    sort = _column(model, wanted.sort_key)
    if wanted.marker is not None:
        query = query.where(_after(session, context, model, wanted, sort))
    rows = session.execute(query.order_by(*_order(session, model, wanted, sort)).limit(wanted.limit))
    return [dict(zip(names, row, strict=True)) for row in rows.all()]


def every(
    session: Session, context: RequestContext, model: type[Row], filters: Mapping[str, Any] | None = None
) -> Sequence[Row]:
    """All the objects this tenant may see that match."""
    return session.scalars(
        select(model).where(_visible(context, model), *_equal(model, filters)).order_by(model.id)
    ).all()


def add(session: Session, context: RequestContext, row: Row) -> Row:
    """Store a new object as the tenant's own."""
    row.project_id = context.project_id
    row.user_id = context.user_id
    session.add(row)
    session.flush()
    return row


def create(
    database: Database,
    context: RequestContext,
    model: type[Row],
    values: Mapping[str, Any],
    check: Callable[[Session], None] = lambda _session: None,
) -> Row:
    """Store a new object as the tenant's own, in a transaction of its own.

    One that asks for the uuid of another tenant's gets a new uuid, so that nobody learns what others have.

    :param check: what else has to hold in that transaction; raises where it does not
    :raises Conflict: the tenant has such an object
    """
    try:
        with database.writer() as session:
            check(session)
            return add(session, context, model(**values))
    except db_exception.DBDuplicateEntry as error:
        if "uuid" in values and not _is_known(database, context, model, values["uuid"]):
            anew = {name: value for name, value in values.items() if name != "uuid"}
            return create(database, context, model, anew, check)
        raise _taken(model, error) from error


def hold(session: Session, context: RequestContext, model: type[Row], uuid: str, before: Mapping[str, Any]) -> None:
    """Make sure that the tenant's own object is still as it was, and that it stays so in this transaction.

    :param before: columns, and what was read in them when a change was thought out
    :raises NotFound: it is gone, or not this tenant's
    :raises Conflict: it is different now
    """
    query = select(*[_shown(model, name) for name in before]).where(_own(context, model), _table(model).c.uuid == uuid)
    current = session.execute(query.with_for_update()).one_or_none()
    if current is None:
        raise NotFound(f"{NAMES[model]} {uuid} could not be found.")
    if tuple(current) != tuple(before.values()):
        raise Conflict(f"{NAMES[model]} {uuid} was changed by another request. Look at it anew.")


def change(session: Session, context: RequestContext, model: type[Row], uuid: str, values: Mapping[str, Any]) -> None:
    """Change columns of the tenant's own object.

    :raises NotFound: it is gone, or not this tenant's
    :raises Conflict: the tenant has another with what must be unique
    """
    statement = update(model).where(_own(context, model), model.uuid == uuid).values(**values)
    try:
        found = cast(CursorResult[Any], session.execute(statement)).rowcount
    except db_exception.DBDuplicateEntry as error:
        raise _taken(model, error) from error
    if found == 0:
        raise NotFound(f"{NAMES[model]} {uuid} could not be found.")


def remove(session: Session, context: RequestContext, model: type[Row], uuid: str) -> None:
    """Delete the tenant's own object.

    :raises NotFound: it is gone, or not this tenant's
    """
    statement = delete(model).where(_own(context, model), model.uuid == uuid)
    if cast(CursorResult[Any], session.execute(statement)).rowcount == 0:
        raise NotFound(f"{NAMES[model]} {uuid} could not be found.")


def count(session: Session, context: RequestContext, model: type[Row], filters: Mapping[str, Any] | None = None) -> int:
    """How many of the objects this tenant may see match."""
    query = select(func.count()).select_from(model).where(_visible(context, model), *_equal(model, filters))
    return session.scalar(query) or 0


def baymodel_in_use(session: Session, baymodel_uuid: str) -> bool:
    """Whether any bay, of whatever tenant, was made of this baymodel."""
    return session.scalar(select(models.Bay.id).where(models.Bay.baymodel_id == baymodel_uuid).limit(1)) is not None


def sort_keys(model: type[models.Owned]) -> list[str]:
    """Columns a list of these can be sorted by."""
    return [column.key for column in inspect(model).columns if not isinstance(column.type, JSON)]


def _taken(model: type[Row], error: db_exception.DBDuplicateEntry) -> Conflict:
    fields = [column for column in error.columns or ["uuid"] if column != "project_id"]
    return Conflict(f"A {NAMES[model].lower()} with the same {' and '.join(fields)} already exists.")


def _is_known(database: Database, context: RequestContext, model: type[Row], uuid: str) -> bool:
    with database.reader() as session:
        return count(session, context, model, {"uuid": uuid}) > 0


def _table(model: type[Row]) -> Table:
    """Statements that name only its columns are not for SQLAlchemy's ORM, and the faster for it."""
    return cast(Table, inspect(model).local_table)


def _shown(model: type[Row], name: str) -> Column[Any]:
    synonym = inspect(model).synonyms.get(name)
    return _table(model).c[synonym.name if synonym else name]


def _own(context: RequestContext, model: type[Row]) -> ColumnElement[bool]:
    if context.all_projects:
        return true()
    project_id: str | None = context.project_id
    user_id: str | None = context.user_id
    if project_id:
        return _table(model).c.project_id == project_id
    if user_id:
        return _table(model).c.user_id == user_id
    return false()


def _visible(context: RequestContext, model: type[Row]) -> ColumnElement[bool]:
    own = _own(context, model)
    if issubclass(model, models.BayModel):
        return or_(own, _table(model).c.public.is_(True))
    return own


def _own_first(context: RequestContext, model: type[Row]) -> list[ColumnElement[Any]]:
    shared = issubclass(model, models.BayModel) and not context.all_projects
    return [case((_own(context, model), 0), else_=1)] if shared else []


def _named(model: type[Row], ident: str) -> ColumnElement[bool]:
    if is_uuid(ident):
        return _table(model).c.uuid == ident
    return _column(model, "name") == ident


def _column(model: type[Row], name: str) -> Column[Any]:
    if name not in sort_keys(model):
        known = ", ".join(sort_keys(model))
        raise Invalid(f"{NAMES[model]}s have no sortable field {name!r}. Use one of: {known}.")
    return _table(model).c[name]


def _equal(model: type[Row], filters: Mapping[str, Any] | None) -> list[ColumnElement[bool]]:
    conditions = []
    for name, value in (filters or {}).items():
        column = _table(model).c[name]
        conditions.append(column.in_(value) if isinstance(value, list | set | tuple) else column == value)
    return conditions


def _order(session: Session, model: type[Row], wanted: Page, sort: Column[Any]) -> list[ColumnElement[Any]]:
    """By the sort key, then by the id; null is less than any value, which PostgreSQL has to be told."""
    down = wanted.sort_dir == "desc"
    last = _table(model).c.id.desc() if down else _table(model).c.id.asc()
    if wanted.sort_key == "id":
        return [last]
    first = sort.desc() if down else sort.asc()
    if session.get_bind().dialect.name == "postgresql":
        first = first.nulls_last() if down else first.nulls_first()
    return [first, last]


def _after(
    session: Session, context: RequestContext, model: type[Row], wanted: Page, sort: Column[Any]
) -> ColumnElement[bool]:
    columns = _table(model).c
    marker: Select[Any] = select(sort, columns.id).where(_visible(context, model), columns.uuid == wanted.marker)
    found = session.execute(marker).one_or_none()
    if found is None:
        raise NotFound(f"{NAMES[model]} {wanted.marker}, given as the marker, could not be found.")
    value, row_id = found
    down = wanted.sort_dir == "desc"
    beyond_id: ColumnElement[bool] = columns.id < row_id if down else columns.id > row_id
    if wanted.sort_key == "id":
        return beyond_id
    if value is None:
        same = and_(sort.is_(None), beyond_id)
        return same if down else or_(same, sort.is_not(None))
    bound = literal(value, sort.type)  # True and False as such are no operands of < to SQLAlchemy
    same = and_(sort == bound, beyond_id)
    return or_(sort < bound, same, sort.is_(None)) if down else or_(sort > bound, same)
