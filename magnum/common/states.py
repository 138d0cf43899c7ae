"""States of a bay as data: which verb is allowed where, and where it leads.

Two tables answer for the API (may this request start, and what is the bay then?) and for the conductor (what is the
bay when the operation ends?). Every state has a way out, and DELETE is allowed in all of them.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class Verb(StrEnum):
    """What can be asked of a bay. The first three are also what operations do; the others are done by these."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    RETRY = "retry"
    ROLLBACK = "rollback"


class BayStatus(StrEnum):
    """Status of a bay, in the words the clients know."""

    CREATE_IN_PROGRESS = "CREATE_IN_PROGRESS"
    CREATE_COMPLETE = "CREATE_COMPLETE"
    CREATE_FAILED = "CREATE_FAILED"
    UPDATE_IN_PROGRESS = "UPDATE_IN_PROGRESS"
    UPDATE_COMPLETE = "UPDATE_COMPLETE"
    UPDATE_FAILED = "UPDATE_FAILED"
    ROLLBACK_IN_PROGRESS = "ROLLBACK_IN_PROGRESS"
    ROLLBACK_COMPLETE = "ROLLBACK_COMPLETE"
    ROLLBACK_FAILED = "ROLLBACK_FAILED"
    DELETE_IN_PROGRESS = "DELETE_IN_PROGRESS"
    DELETE_FAILED = "DELETE_FAILED"


class Health(StrEnum):
    """How a bay is, as far as anybody knows."""

    HEALTHY = "HEALTHY"
    UNHEALTHY = "UNHEALTHY"
    UNKNOWN = "UNKNOWN"


class OperationState(StrEnum):
    """Life of an operation; the last three are its ends."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SUPERSEDED = "superseded"


OPEN = frozenset({OperationState.QUEUED, OperationState.RUNNING})


class Ends(NamedTuple):
    """Where a state in progress leads."""

    well: BayStatus | None
    badly: BayStatus


ENDS: Mapping[str, Ends] = {
    BayStatus.CREATE_IN_PROGRESS: Ends(BayStatus.CREATE_COMPLETE, BayStatus.CREATE_FAILED),
    BayStatus.UPDATE_IN_PROGRESS: Ends(BayStatus.UPDATE_COMPLETE, BayStatus.UPDATE_FAILED),
    BayStatus.ROLLBACK_IN_PROGRESS: Ends(BayStatus.ROLLBACK_COMPLETE, BayStatus.ROLLBACK_FAILED),
    BayStatus.DELETE_IN_PROGRESS: Ends(None, BayStatus.DELETE_FAILED),
}
"""All states in progress, and where each ends; a deleted bay has no row any more.

An update that Heat undoes goes from UPDATE_IN_PROGRESS to ROLLBACK_IN_PROGRESS before it ends.
"""

READY = frozenset({BayStatus.CREATE_COMPLETE, BayStatus.UPDATE_COMPLETE, BayStatus.ROLLBACK_COMPLETE})
"""A bay in one of these is whole: it can be changed, and a change of it be rolled back."""

CHANGING = frozenset({BayStatus.UPDATE_IN_PROGRESS, BayStatus.ROLLBACK_IN_PROGRESS})
"""A bay in one of these is on its way to another number of nodes, or back."""

HALF_CHANGED = frozenset({BayStatus.UPDATE_FAILED, BayStatus.ROLLBACK_FAILED})
"""A bay in one of these runs, but perhaps not with the nodes it should have; an update is what mends it."""

USABLE = READY | CHANGING | HALF_CHANGED
"""A bay in one of these has an API that may be asked."""

RESTING = READY | HALF_CHANGED
"""A bay in one of these has a stack, and nobody works on it."""


class Sight(StrEnum):
    """What is seen of a stack that others did something to, where that makes its bay another."""

    GONE = "the stack is gone"
    NOT_DELETED = "a deletion of the stack failed"
    NOT_CHANGED = "a change of the stack failed"
    BACK = "a stack that was gone is there"


class Turn(NamedTuple):
    """In which states a sight counts, and what the bay is then."""

    statuses: frozenset[BayStatus]
    becomes: BayStatus


SIGHTS: Mapping[Sight, Turn] = {
    Sight.GONE: Turn(RESTING, BayStatus.CREATE_FAILED),
    Sight.NOT_DELETED: Turn(RESTING, BayStatus.CREATE_FAILED),
    Sight.NOT_CHANGED: Turn(RESTING, BayStatus.UPDATE_FAILED),
    Sight.BACK: Turn(frozenset({BayStatus.CREATE_FAILED}), BayStatus.UPDATE_FAILED),
}
"""What a conductor makes of a bay that nobody asked anything of."""


class Start(NamedTuple):
    """What a verb makes of a bay, and the operation that does it."""

    status: BayStatus
    operation: Verb


CREATE = Start(BayStatus.CREATE_IN_PROGRESS, Verb.CREATE)
_UPDATE = Start(BayStatus.UPDATE_IN_PROGRESS, Verb.UPDATE)
_DELETE = Start(BayStatus.DELETE_IN_PROGRESS, Verb.DELETE)

STARTS: Mapping[tuple[str, Verb], Start] = {
    **{(status, Verb.UPDATE): _UPDATE for status in BayStatus if status in RESTING},
    (BayStatus.CREATE_FAILED, Verb.RETRY): CREATE,
    (BayStatus.UPDATE_FAILED, Verb.RETRY): _UPDATE,
    (BayStatus.ROLLBACK_FAILED, Verb.RETRY): _UPDATE,
    (BayStatus.ROLLBACK_COMPLETE, Verb.RETRY): _UPDATE,
    (BayStatus.DELETE_FAILED, Verb.RETRY): _DELETE,
    (BayStatus.UPDATE_FAILED, Verb.ROLLBACK): _UPDATE,
    (BayStatus.ROLLBACK_FAILED, Verb.ROLLBACK): _UPDATE,
    **{(status, Verb.DELETE): _DELETE for status in BayStatus},
}
"""In which states a verb may start, and what it starts. What is not here is refused.

RETRY does again what failed. ROLLBACK takes a half-changed bay back to the nodes it had when it was last whole.
"""

_IN_PROGRESS = {each.operation: each.status for each in (CREATE, _UPDATE, _DELETE)}


def start(status: str, verb: Verb) -> Start | None:
    """What a verb starts in this state; None where it is refused.

    A state may be one of a newer version that runs beside this one: then nothing but a deletion is sure to make sense.
    """
    return STARTS.get((status, verb), _DELETE if verb is Verb.DELETE else None)


def verbs_in(status: str) -> list[Verb]:
    """What can be asked of a bay in this state."""
    return [verb for verb in Verb if start(status, verb)]


def ends(status: str, verb: Verb) -> Ends:
    """Where an operation leads whose bay is in this state, be it one of a newer version."""
    return ENDS.get(status) or ENDS[_IN_PROGRESS[verb]]
