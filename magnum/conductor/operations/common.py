"""Steps that several verbs have."""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from magnum.clients.errors import Permanent, ServiceError
from magnum.clients.heat import StackState
from magnum.common import clock
from magnum.common.exception import BayUnreachable, RemoteRefusal, Unavailable
from magnum.conductor import copies, faults
from magnum.conductor.job import Job, user_of
from magnum.conductor.steps import Again, Done, Step, StepFailed
from magnum.db.operations import Progress

STACK = "stack"
"""The step after which a stack is waited for, whatever the verb."""
CLEAR_STACK = "clear_stack"
"""The step after which the end of a stack that failed is waited for, so that another can take its place."""

_PASSWORD_BYTES = 32
_CANCELLED_DELETION = "Stack DELETE cancelled"
_CANCELLED_AT = "cancelled_at"
_LONGEST_BEGIN = timedelta(seconds=60)
_OTHER_SINCE = "other_since"
_ASLEEP = "SUSPEND"
_IGNORED_SINCE = "ignored_since"
_UNSEEN_SINCE = "unseen_since"
_LONGEST_UNSEEN = timedelta(seconds=20)
BEGIN_PAUSE = 2.0
_TRIES_TO_EXPLAIN = 4
RECHECK_SECONDS = 30.0
"""The poll of all stacks wakes what waits; this is for when it cannot."""
TRIES_OF_A_QUIET_BAY = 3
"""What can be left out is tried as often at a bay that does not answer."""

Told = TypeVar("Told")


def ensure_user(job: Job) -> Done:
    """The bay's own user exists and may act in the project; whatever others did to it, it is made good."""
    keystone = job.tools.cloud.keystone
    bay = job.bay
    if bay.trustee_user_id and keystone.accepts(user_of(job.tools, bay)):
        return Done("The bay's own user is there.")
    if not bay.trustee_secret:
        # Stored before the user is made, so that whoever goes on after a crash knows the password.
        secret = job.tools.secrets.encrypt(secrets.token_urlsafe(_PASSWORD_BYTES))
        job.write(Progress(bay={"trustee_secret": secret}))
    password = job.tools.secrets.decrypt(bay.trustee_secret or "")
    user_id = keystone.ensure_user(bay.uuid, password, bay.project_id or "")
    return Done("The bay's own user was made.", bay={"trustee_user_id": user_id})


def make_certificates(job: Job) -> Done:
    """The bay has its key pairs."""
    with job.tools.database.writer() as session:
        job.hold(session)
        job.tools.authority.ensure(session, job.bay.uuid, job.bay.name or job.bay.uuid)
    return Done("The bay's certificates were made.")


def wait_gone(job: Job) -> Done | Again:
    """Wait until the stack is no more."""
    if job.bay.stack_id is None:
        return Done("The stack is gone.")
    return look_if_gone(job, job.read_stack())


def look_if_gone(job: Job, stack: StackState | None) -> Done | Again:
    """Whether the stack is no more.

    :raises StepFailed: it could not be deleted
    """
    if may_come_back(job, stack):
        return Again(BEGIN_PAUSE)
    if stack is None or (stack.action, stack.status) == ("DELETE", "COMPLETE"):
        return _look_for_another(job)
    if (stack.action, stack.status) == ("DELETE", "FAILED"):
        if _may_begin_anew(job, stack):
            return Again(BEGIN_PAUSE)
        raise failure(job, stack)
    if stack.action != "DELETE" and not _is_recent(job, _IGNORED_SINCE, _LONGEST_UNSEEN):
        job.remember(_IGNORED_SINCE, None)
        job.stacks_to_change().delete(stack.name, stack.id)  # it was denied when that was asked first
    return Again(RECHECK_SECONDS)


def _may_begin_anew(job: Job, stack: StackState) -> bool:
    """Asked for a deletion twice, Heat breaks off the first before it begins the second."""
    if not stack.reason.startswith(_CANCELLED_DELETION):
        return False
    return _is_recent(job, _CANCELLED_AT, _LONGEST_BEGIN)


def _look_for_another(job: Job) -> Done | Again:
    """Whether that was all: Heat takes two of a name, should it hear of the second while it still checks the first."""
    other = job.stacks.find(job.stack_name)
    if other is None or (other.action, other.status) == ("DELETE", "COMPLETE"):
        return Done("The stack is gone.")
    job.stacks_to_change().delete(job.stack_name, other.id)
    job.write(Progress(bay={"stack_id": other.id}))
    return Again(RECHECK_SECONDS)


def wait_for_stack(job: Job) -> Done | Again:
    """Wait for the stack to become what the operation asked Heat for."""
    return look_at(job, job.read_stack())


def look_at(job: Job, stack: StackState | None) -> Done | Again:
    """Whether this stack is what the operation asked Heat for.

    :raises StepFailed: it never will be
    """
    if may_come_back(job, stack):
        return Again(BEGIN_PAUSE)
    stack = still_there(stack)
    if not stack.settled:
        return Again(RECHECK_SECONDS)
    if stack.status == "FAILED":
        raise failure(job, stack)
    if job.tag not in stack.tags or stack.action == _ASLEEP:
        if _is_recent(job, _OTHER_SINCE, _LONGEST_BEGIN):
            return Again(BEGIN_PAUSE)
        raise StepFailed(f"Somebody else changed the bay's stack in Heat meanwhile ({stack.action.lower()}).")
    return Done("The stack is complete: every new node has reported that it is up.")


def still_there(stack: StackState | None) -> StackState:
    """The stack, if it is there and not about to go.

    :raises StepFailed: it is not
    """
    if stack is None or stack.action == "DELETE":
        raise StepFailed("The bay's stack was deleted by somebody else. Retry builds the bay anew, delete removes it.")
    return stack


def may_come_back(job: Job, stack: StackState | None) -> bool:
    """Whether Heat denies a stack that it may have all the same.

    What was deleted it shows as deleted for long. But one with several databases may not have everywhere yet what it
    has just made, and one that fell back to another may be behind.
    """
    if stack is None:
        return _is_recent(job, _UNSEEN_SINCE, _LONGEST_UNSEEN)
    if job.remembered(_UNSEEN_SINCE):
        job.remember(_UNSEEN_SINCE, None)
    return False


def _is_recent(job: Job, what: str, period: timedelta) -> bool:
    """Whether this is seen now for the first time, or was no longer ago than this."""
    if job.remembered(what) is None:
        job.remember(what, clock.now().isoformat())
    return clock.now() - datetime.fromisoformat(job.remembered(what)) < period


def failure(job: Job, stack: StackState) -> StepFailed:
    """What made a stack fail."""
    found = faults.collect(told_by_heat(job, lambda: job.stacks.resources(stack.name, stack.id), []))
    return StepFailed(faults.one_line(found, stack.reason), found)


def told_by_heat(job: Job, ask: Callable[[], Told], otherwise: Told) -> Told:
    """What Heat says of a failure; something else where it does not say it: that it failed is told all the same."""
    try:
        return ask()
    except Permanent:
        return otherwise
    except ServiceError:
        if job.attempts + 1 < _TRIES_TO_EXPLAIN:
            raise
        return otherwise


def read_outputs(job: Job) -> Done:
    """Copy what the stack says of the bay."""
    found = job.outputs()
    changed_at = (job.stack.changed_at if job.stack else "") or None
    return Done("The bay's addresses are known.", bay={**found.columns(), "stack_changed_at": changed_at})


def register_nodes(job: Job) -> Done:
    """Copy the bay's nodes from its own API. A bay whose API Magnum cannot reach is a bay all the same."""
    listed_at = clock.now()
    try:
        with job.tools.bays.open(job.bay) as running:
            nodes = running.list_nodes()
    except (BayUnreachable, RemoteRefusal) as error:
        raise_if_it_may_pass(job, error)
        return Done(f"The nodes are not listed: {error.message}", warning=True)
    with job.tools.database.writer() as session:
        copies.store(session, job.bay, "node", [copies.node_values(job.bay, node) for node in nodes], listed_at)
        job.hold(session)
    ready = sum(node.ready for node in nodes)
    return Done(f"{ready} of {len(nodes)} nodes are ready.")


def raise_if_it_may_pass(job: Job, error: BayUnreachable | RemoteRefusal) -> None:
    """Raise what came of asking a bay for something that can be left out, if asking again may help."""
    if isinstance(error, BayUnreachable) and job.attempts + 1 < TRIES_OF_A_QUIET_BAY:
        raise error


def workers(job: Job) -> list[str]:
    """Names of the nodes that the stack has, without the masters."""
    return [node.name for node in job.outputs().nodes if node.role == "node"]


def count_nodes(job: Job) -> dict[str, int]:
    """How many nodes the bay really has: as its own API says, else as Heat does."""
    try:
        stack = job.read_stack()
        if stack is None or stack.action == "DELETE":
            return {}  # what goes now was no node too many: the bay had them, and is to have them again
    except ServiceError:
        stack = None
    try:
        with job.tools.bays.open(job.bay) as running:
            return {"node_count": sum(node.role == "node" for node in running.list_nodes())}
    except (Unavailable, RemoteRefusal):
        return {"node_count": len(workers(job))} if stack else {}


ENSURE_USER = Step("trustee", ensure_user)
MAKE_CERTIFICATES = Step("certificates", make_certificates)
WAIT_FOR_STACK = "wait_stack"
READ_OUTPUTS = Step("outputs", read_outputs)
REGISTER_NODES = Step("nodes", register_nodes)
