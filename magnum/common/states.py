"""States of a bay as data: which verb is allowed where, and where it leads.

One table answers for the API (may this request start?) and for the conductor (what is the bay when the operation
ends?). Every state has a way out, and DELETE is allowed in all of them.
"""

from enum import StrEnum


class Verb(StrEnum):
    """What can be asked of a bay; the name of an operation."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


class BayStatus(StrEnum):
    """Status of a bay, in the words the clients know."""

    CREATE_IN_PROGRESS = "CREATE_IN_PROGRESS"
    CREATE_COMPLETE = "CREATE_COMPLETE"
    CREATE_FAILED = "CREATE_FAILED"
    UPDATE_IN_PROGRESS = "UPDATE_IN_PROGRESS"
    UPDATE_COMPLETE = "UPDATE_COMPLETE"
    UPDATE_FAILED = "UPDATE_FAILED"
    DELETE_IN_PROGRESS = "DELETE_IN_PROGRESS"
    DELETE_FAILED = "DELETE_FAILED"


class OperationState(StrEnum):
    """Life of an operation; the last three are its ends."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SUPERSEDED = "superseded"


OPEN = frozenset({OperationState.QUEUED, OperationState.RUNNING})

IN_PROGRESS = {
    Verb.CREATE: BayStatus.CREATE_IN_PROGRESS,
    Verb.UPDATE: BayStatus.UPDATE_IN_PROGRESS,
    Verb.DELETE: BayStatus.DELETE_IN_PROGRESS,
}

SUCCEEDED = {Verb.CREATE: BayStatus.CREATE_COMPLETE, Verb.UPDATE: BayStatus.UPDATE_COMPLETE}
"""Where a verb ends well; a deleted bay has no row any more."""

FAILED = {
    Verb.CREATE: BayStatus.CREATE_FAILED,
    Verb.UPDATE: BayStatus.UPDATE_FAILED,
    Verb.DELETE: BayStatus.DELETE_FAILED,
}

READY = frozenset({BayStatus.CREATE_COMPLETE, BayStatus.UPDATE_COMPLETE})
"""A bay in one of these is whole: it can be changed."""

USABLE = READY | {BayStatus.UPDATE_IN_PROGRESS, BayStatus.UPDATE_FAILED}
"""A bay in one of these has an API that may be asked."""

ALLOWED = {
    Verb.UPDATE: READY | {BayStatus.UPDATE_FAILED},
    Verb.DELETE: frozenset(BayStatus),
}
"""In which states a verb may start."""
