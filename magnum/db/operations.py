"""Operations on bays: accepted in one transaction, owned by lease, written behind a fence.

**Accepting** a verb writes the bay (its new status), the operation (queued) and the first event together, so that a
2xx answer is a promise that survives any crash. Which verb may start is decided by a compare-and-swap on the bay's
status: of two verbs at once one wins and the other is a `Conflict`.

**Claiming** is one UPDATE that raises the operation's fence. Each later write by that owner names the fence it got;
a conductor that was paused past its lease, or whose operation was superseded by a delete, finds that no row matches
and gets `LeaseLost`: it has written nothing.

**A delete supersedes** what runs. Its own work starts only when the superseded operation's lease has ended or its
owner has let go (`release`), so that nothing is created behind the deletion's back.

**Who locks the bay's row as well locks it first**, before its operations: a delete and what it supersedes write both,
and in different orders each would hold what the other waits for.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, and_, case, delete, exists, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from magnum.common import clock, states
from magnum.common.context import RequestContext
from magnum.common.exception import Conflict
from magnum.common.states import OperationState, Verb
from magnum.common.text import printable
from magnum.db import bay_health, models, resources

TOLD = "told"
"""Among the arguments of a deletion: what the tenant has read in the failures of those before, and may be left."""
CLEANED = "cleaned"
"""Among the same: whether Heat was seen to delete the stack, after which nobody waits for the bay's API any more."""
AGAIN = "again"
"""Among the same, as the version before has it: whether the tenant has read anything."""
_LONGEST_TEXT = 4000
_ROWS_PER_STATEMENT = 500


class LeaseLost(Exception):
    """Another owns the operation now, or it was superseded; nothing was written."""


@dataclass(frozen=True)
class Claim:
    """An operation and the right to write for it."""

    id: int
    uuid: str
    bay_uuid: str
    project_id: str | None
    user_id: str | None
    request_id: str | None
    verb: Verb
    arguments: dict[str, Any]
    step: str | None
    attempts: int
    fence: int
    created_at: datetime
    deadline: datetime | None


@dataclass(frozen=True)
class Share:
    """How many operations of one project an owner may have in hand at once, and how many it has of each."""

    most: int | None = None
    held: Mapping[str | None, int] = field(default_factory=dict)

    @property
    def full(self) -> list[str]:
        """Projects that get no more."""
        return [each for each, count in self.held.items() if each and self.most is not None and count >= self.most]

    def is_full_with(self, project_id: str | None, claims: Sequence[Claim]) -> bool:
        """Whether a project gets no more once these are had too."""
        had = self.held.get(project_id, 0) + sum(claim.project_id == project_id for claim in claims)
        return self.most is not None and had >= self.most


@dataclass(frozen=True)
class Waiting:
    """What the poll of stacks has to know of an operation that waits for its stack, and of its bay."""

    id: int
    project_id: str | None
    stack_id: str
    bay_status: str
    trustee_user_id: str | None
    trustee_secret: str | None
    attempts: int
    due_at: datetime


@dataclass(frozen=True)
class Event:
    """A line for the story of the bay."""

    text: str
    level: str = "info"
    step: str | None = None
    duration: float | None = None


@dataclass(frozen=True)
class Progress:
    """What one write says: parts left out stay as they are."""

    bay: Mapping[str, Any] = field(default_factory=dict)
    events: Sequence[Event] = ()
    operation: Mapping[str, Any] = field(default_factory=dict)


def accept_create(
    session: Session,
    context: RequestContext,
    bay: models.Bay,
    arguments: Mapping[str, Any],
    timeout: timedelta | None,
    notes: Sequence[str] = (),
) -> models.Bay:
    """Store a new bay and queue its creation.

    :param timeout: until the operation has failed whatever else happens; None for no limit
    :param notes: what else its story begins with, a sentence each
    """
    bay.status = states.CREATE.status
    resources.add(session, context, bay)
    _queue(session, context, bay.uuid, Verb.CREATE, arguments, timeout, _said(Verb.CREATE, arguments))
    session.add_all(_accepted(context, bay.uuid, Verb.CREATE, note) for note in notes)
    return bay


def accept(
    session: Session,
    context: RequestContext,
    bay: models.Bay,
    verb: Verb,
    arguments: Mapping[str, Any],
    timeout: timedelta | None,
) -> None:
    """Queue what was asked of a bay and set its status.

    :param arguments: ``node_count`` and ``rollback`` of an update
    :raises Conflict: the bay's state does not allow it, or another request was faster
    """
    start = states.start(bay.status, verb)
    if start is None:
        raise Conflict(_not_allowed(bay, verb))
    if arguments.get("rollback") and bay.status not in states.READY:
        raise Conflict(
            f"Bay {bay.uuid} has nothing whole that a failed update could be rolled back to when its status is "
            f'"{bay.status}". Update it without rollback.'
        )
    complete = _complete(session, bay, verb, start.operation, arguments)
    values: dict[str, Any] = {"status": start.status, "status_reason": None, "faults": [], "stack_changed_at": None}
    if start.operation is Verb.CREATE:
        values |= bay_health.NEVER_LOOKED_AT
    unchanged = (models.Bay.uuid == bay.uuid, models.Bay.status == bay.status)
    statement = update(models.Bay).where(*unchanged).values(**values)
    if not _changed(session, statement):
        raise Conflict(f"Bay {bay.uuid} was changed by another request at the same time. Look at it and try again.")
    broken_off = _supersede(session, bay.uuid)
    _queue(session, context, bay.uuid, start.operation, complete, timeout, _said(verb, complete))
    if broken_off:
        session.add(_accepted(context, bay.uuid, start.operation, f"The {broken_off} under way is broken off."))
    bay.status = start.status


def _complete(
    session: Session, bay: models.Bay, verb: Verb, operation: Verb, arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments of the operation: those given, and those that follow from what was asked before."""
    if operation is Verb.CREATE:
        return {**arguments, "again": True}
    if operation is Verb.DELETE:
        return {**arguments, **_of_earlier_deletion(session, bay)}
    last = _last_update(session, bay.uuid) if bay.status not in states.READY or verb is Verb.RETRY else {}
    whole = last.get("node_count_before", bay.node_count)  # while half changed, what the bay counts is not what it had
    if verb is Verb.RETRY:
        return {"node_count": last.get("node_count", bay.node_count), "node_count_before": whole}
    if verb is Verb.ROLLBACK:
        return {"node_count": whole, "node_count_before": whole}
    return {**arguments, "node_count_before": whole}


def _of_earlier_deletion(session: Session, bay: models.Bay) -> dict[str, Any]:
    """From where a deletion goes on, whether the one before has failed or is still under way."""
    last = _last(session, bay.uuid)
    if last is None or last.verb != Verb.DELETE:
        return {TOLD: [], CLEANED: False, AGAIN: False}
    told = last.arguments.get(TOLD)
    again = bool(told) if told is not None else bay.status == states.BayStatus.DELETE_FAILED and bool(bay.faults)
    return {TOLD: told or [], CLEANED: bool(last.arguments.get(CLEANED)), AGAIN: again}


def _last_update(session: Session, bay_uuid: str) -> Mapping[str, Any]:
    """What was asked of the last operation, if that is an update that did not do it: else the bay has it."""
    last = _last(session, bay_uuid)
    return last.arguments if last is not None and last.verb == Verb.UPDATE and last.state != OperationState.DONE else {}


def _last(session: Session, bay_uuid: str) -> models.Operation | None:
    query = select(models.Operation).where(models.Operation.bay_uuid == bay_uuid)
    return session.scalars(query.order_by(models.Operation.id.desc()).limit(1)).one_or_none()


def _said(verb: Verb, arguments: Mapping[str, Any]) -> str:
    """What the story of the bay says of it."""
    count = arguments.get("node_count")
    nodes = f" to {count} node{'' if count == 1 else 's'}" if count is not None else ""
    return f"{str(verb).capitalize()}{nodes} was accepted."


def claim_due(session: Session, owner: str, lease: timedelta, most: int, share: Share | None = None) -> list[Claim]:
    """Own so many operations that are due, those first that have been longest, of no project more than its share.

    :param owner: who claims; unique among the processes that run
    """
    now = clock.now()
    held = select(models.Operation.bay_uuid).where(models.Operation.lease_until > now)
    due = and_(models.Operation.due_at <= now, models.Operation.bay_uuid.not_in(held))
    return _claim(session, owner, lease, now, due, models.Operation.due_at, most, share or Share())


def claim_overdue(session: Session, owner: str, lease: timedelta, most: int) -> list[Claim]:
    """Own so many operations that are past their deadlines, whether they were due or not.

    Another operation of the bay may still be held: what is left to do here is to write that this one has failed.
    """
    now = clock.now()
    overdue = models.Operation.deadline <= now
    return _claim(session, owner, lease, now, overdue, models.Operation.deadline, most, Share())


def _claim(
    session: Session,
    owner: str,
    lease: timedelta,
    now: datetime,
    wanted: ColumnElement[bool],
    order: InstrumentedAttribute[Any],
    most: int,
    share: Share,
) -> list[Claim]:
    """Own free operations. Those that another is claiming at this moment are passed over, not waited for."""
    known = models.Operation.verb.in_(list(Verb))  # another may come from a newer version, for a conductor of that
    query = select(models.Operation).where(_free(now), known, wanted)
    if share.full:
        project = models.Operation.project_id
        query = query.where(or_(project.is_(None), project.not_in(share.full)))
    query = query.order_by(order, models.Operation.id).limit(most)
    claims: list[Claim] = []
    for row in session.scalars(query.with_for_update(skip_locked=True)):
        if share.is_full_with(row.project_id, claims):
            continue
        fence = row.fence + 1
        statement = (
            update(models.Operation)
            .where(models.Operation.id == row.id, models.Operation.fence == row.fence, _free(now))
            .values(state=OperationState.RUNNING, owner=owner, fence=fence, lease_until=now + lease)
        )
        if _changed(session, statement):
            claims.append(_as_claim(row, fence))
    return claims


def renew(session: Session, claimed: Claim, lease: timedelta) -> None:
    """Own it for another lease from now.

    One that was superseded is held as well while its owner is at work: what a slow step still makes, the deletion has
    to find.

    :raises LeaseLost: it is no longer this owner's
    """
    now = clock.now()
    superseded = (
        update(models.Operation)
        .where(
            models.Operation.id == claimed.id,
            models.Operation.state == OperationState.SUPERSEDED,
            models.Operation.fence == claimed.fence + 1,
            models.Operation.lease_until > now,
        )
        .values(lease_until=now + lease)
    )
    if not _changed(session, superseded):
        record(session, claimed, Progress(operation={"lease_until": now + lease}))


def record(session: Session, claimed: Claim, progress: Progress) -> None:
    """Write what was done, if the claim still holds.

    :raises LeaseLost: it does not; the transaction is to be rolled back
    """
    if progress.bay:
        statement = update(models.Bay).where(models.Bay.uuid == claimed.bay_uuid)
        session.execute(statement.values(**_readable(progress.bay)))
    values = dict(progress.operation) or {"fence": claimed.fence}
    held = and_(
        models.Operation.id == claimed.id,
        models.Operation.fence == claimed.fence,
        models.Operation.state == OperationState.RUNNING,
        models.Operation.owner.is_not(None),  # null once it was put back: a renewal that comes late must not hold it
    )
    if not _changed(session, update(models.Operation).where(held).values(**values)):
        raise LeaseLost(f"operation {claimed.uuid} has another owner")
    for event in progress.events:
        session.add(_event_row(claimed, event))


def put_back(session: Session, claimed: Claim, due_at: datetime, progress: Progress = Progress()) -> None:
    """Let go of an operation that goes on later; no thread waits for it.

    :raises LeaseLost: it is no longer this owner's
    """
    operation = {**progress.operation, "due_at": due_at, "lease_until": None, "owner": None}
    record(session, claimed, Progress(bay=progress.bay, events=progress.events, operation=operation))


def finish(session: Session, claimed: Claim, state: OperationState, progress: Progress) -> None:
    """End an operation, with the bay's last values and events of it.

    :raises LeaseLost: it is no longer this owner's
    """
    operation = {**progress.operation, "state": state, "lease_until": None, "owner": None}
    record(session, claimed, Progress(bay=progress.bay, events=progress.events, operation=operation))


def finish_deleted(session: Session, claimed: Claim, event: Event) -> None:
    """End a deletion: the bay's row, and all rows that only make sense with it, go; its events stay.

    :raises LeaseLost: it is no longer this owner's
    """
    session.execute(delete(models.Bay).where(models.Bay.uuid == claimed.bay_uuid))
    finish(session, claimed, OperationState.DONE, Progress(events=[event]))
    for model in (models.Node, models.Pod, models.Service, models.ReplicationController, models.Container):
        session.execute(delete(model).where(model.bay_uuid == claimed.bay_uuid))
    session.execute(delete(models.Certificate).where(models.Certificate.bay_uuid == claimed.bay_uuid))


def release(session: Session, claimed: Claim) -> None:
    """Say that the owner of a lost claim works on it no more, so that what superseded it need not wait."""
    session.execute(
        update(models.Operation)
        .where(
            models.Operation.id == claimed.id,
            models.Operation.state == OperationState.SUPERSEDED,
            models.Operation.fence == claimed.fence + 1,  # else another owned it since, and may still be at work
        )
        .values(lease_until=None)
    )


def hand_over(session: Session, claimed: Claim) -> None:
    """Let another go on at once with what this owner will not end any more; what it still writes does not count."""
    try:
        put_back(session, claimed, clock.now())
    except LeaseLost:
        release(session, claimed)


def find_open(session: Session, uuid: str, *, to_change: bool = False) -> models.Operation | None:
    """The operation, unless it has ended or was superseded; it stays as it is while this transaction lasts.

    :param to_change: but for what this transaction changes; others that want to wait
    """
    query = select(models.Operation).where(models.Operation.uuid == uuid, models.Operation.state.in_(states.OPEN))
    return session.scalars(query.with_for_update(read=not to_change)).one_or_none()


def tell(session: Session, operation: models.Operation, event: Event) -> None:
    """Add to the bay's story what others than the owner did for this operation."""
    session.add(_event_row(operation, event))


def bays_in(session: Session, statuses: Collection[states.BayStatus]) -> Sequence[models.Bay]:
    """Every tenant's bays in one of these states."""
    return session.scalars(select(models.Bay).where(models.Bay.status.in_(statuses)).order_by(models.Bay.id)).all()


def note(session: Session, bay: models.Bay, values: Mapping[str, Any], event: Event | None) -> bool:
    """Write what was seen of a bay that nobody works on, unless something was asked of it since it was read.

    :param bay: as it was read
    """
    same = (
        models.Bay.status == bay.status,
        models.Bay.stack_id == bay.stack_id,
        models.Bay.stack_changed_at.is_not_distinct_from(bay.stack_changed_at),  # an operation may be over already
    )
    statement = update(models.Bay).where(models.Bay.uuid == bay.uuid, *same).values(**_readable(values))
    if not _changed(session, statement):
        return False
    if event is not None:
        session.add(
            models.BayEvent(
                bay_uuid=bay.uuid, project_id=bay.project_id, level=event.level, text=_shortened(event.text)
            )
        )
    return True


def without_limit(session: Session, begun_before: datetime, quiet_since: datetime) -> Sequence[models.Operation]:
    """Open operations that no deadline ends, begun before this time, of bays of which nothing was told since that."""
    told = exists().where(
        models.BayEvent.bay_uuid == models.Operation.bay_uuid, models.BayEvent.created_at > quiet_since
    )
    query = select(models.Operation).where(
        models.Operation.state.in_(states.OPEN),
        models.Operation.deadline.is_(None),
        models.Operation.created_at < begun_before,
        ~told,
    )
    return session.scalars(query.order_by(models.Operation.id)).all()


def waiting(session: Session, steps: Collection[str]) -> list[Waiting]:
    """Open operations that have just finished one of these steps and that nobody is at work on, with their stacks."""
    operation, bay = models.Operation, models.Bay
    query = (
        select(
            operation.id,
            bay.project_id,
            bay.stack_id,
            bay.status.label("bay_status"),
            bay.trustee_user_id,
            bay.trustee_secret,
            operation.attempts,
            operation.due_at,
        )
        .join(bay, bay.uuid == operation.bay_uuid)
        .where(_free(clock.now()), operation.step.in_(steps), bay.stack_id.is_not(None))
        .order_by(operation.id)
    )
    return [Waiting(**row) for row in session.execute(query).mappings()]


def make_due(session: Session, operation_ids: Sequence[int], steps: Collection[str]) -> None:
    """Make those of these operations due now that have just finished one of these steps and rest."""
    now = clock.now()
    for part in _parts(operation_ids):
        session.execute(update(models.Operation).where(_rests(part, steps, now)).values(due_at=now))


def let_rest(session: Session, operation_ids: Sequence[int], steps: Collection[str], until: datetime) -> None:
    """Let the same go on resting until then, but for those that have become due meanwhile; none past its deadline."""
    now, deadline = clock.now(), models.Operation.deadline
    for part in _parts(operation_ids):
        values = {"due_at": case((deadline < until, deadline), else_=until)}
        session.execute(update(models.Operation).where(_rests(part, steps, now)).values(values))


def _rests(operation_ids: Sequence[int], steps: Collection[str], now: datetime) -> ColumnElement[bool]:
    return and_(
        models.Operation.id.in_(operation_ids),
        models.Operation.step.in_(steps),
        models.Operation.due_at > now,
        _free(now),
    )


def _parts(operation_ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(operation_ids), _ROWS_PER_STATEMENT):
        yield operation_ids[start : start + _ROWS_PER_STATEMENT]


def _free(now: datetime) -> ColumnElement[bool]:
    """What the claiming UPDATE asks again. It need not look for busy others: what is superseded gets no new owner."""
    unowned = or_(models.Operation.lease_until.is_(None), models.Operation.lease_until <= now)
    return and_(models.Operation.state.in_(states.OPEN), unowned)


def _queue(
    session: Session,
    context: RequestContext,
    bay_uuid: str,
    verb: Verb,
    arguments: Mapping[str, Any],
    timeout: timedelta | None,
    text: str,
) -> None:
    now = clock.now()
    session.add(
        models.Operation(
            bay_uuid=bay_uuid,
            project_id=context.project_id,
            user_id=context.user_id,
            request_id=context.request_id,
            verb=verb,
            arguments=dict(arguments),
            state=OperationState.QUEUED,
            due_at=now,
            deadline=now + timeout if timeout else None,
        )
    )
    session.add(_accepted(context, bay_uuid, verb, text))


def _accepted(context: RequestContext, bay_uuid: str, verb: Verb, text: str) -> models.BayEvent:
    return models.BayEvent(
        bay_uuid=bay_uuid,
        project_id=context.project_id,
        verb=verb,
        text=_shortened(text),
        request_id=context.request_id,
    )


def _supersede(session: Session, bay_uuid: str) -> str | None:
    """Take the operation from its owner, if there is one; answers its verb."""
    is_open = (models.Operation.bay_uuid == bay_uuid, models.Operation.state.in_(states.OPEN))
    verb = session.scalars(select(models.Operation.verb).where(*is_open).limit(1)).first()
    values = {"state": OperationState.SUPERSEDED, "fence": models.Operation.fence + 1}
    session.execute(update(models.Operation).where(*is_open).values(**values))
    return verb


def _not_allowed(bay: models.Bay, verb: Verb) -> str:
    status = bay.status
    if status in states.ENDS:
        way_out = "Wait for its end." if status == states.BayStatus.DELETE_IN_PROGRESS else "Wait, or delete the bay."
        return f"Bay {bay.uuid} already has an operation in progress (status {status}). {way_out}"
    possible = ", ".join(states.verbs_in(status))
    problem = f'{str(verb).capitalize()} of bay {bay.uuid} is not possible when its status is "{status}"'
    return f"{problem}; possible are: {possible}."


def _event_row(claimed: Claim | models.Operation, event: Event) -> models.BayEvent:
    return models.BayEvent(
        bay_uuid=claimed.bay_uuid,
        project_id=claimed.project_id,
        verb=claimed.verb,
        level=event.level,
        step=event.step,
        text=_shortened(event.text),
        request_id=claimed.request_id,
        duration=event.duration,
        created_at=clock.now(),
    )


def _readable(bay: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of a bay, of which the reason may have words of others in it."""
    reason = bay.get("status_reason")
    return {**bay, "status_reason": _shortened(reason)} if reason else dict(bay)


def _shortened(text: str) -> str:
    """What people read and every database can store: MariaDB's TEXT ends at 64 KiB."""
    text = printable(text)
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"


def _as_claim(row: models.Operation, fence: int) -> Claim:
    return Claim(
        id=row.id,
        uuid=row.uuid,
        bay_uuid=row.bay_uuid,
        project_id=row.project_id,
        user_id=row.user_id,
        request_id=row.request_id,
        verb=Verb(row.verb),
        arguments=row.arguments,
        step=row.step,
        attempts=row.attempts,
        fence=fence,
        created_at=row.created_at,
        deadline=row.deadline,
    )


def _changed(session: Session, statement: Any) -> bool:
    return cast(CursorResult[Any], session.execute(statement)).rowcount > 0
