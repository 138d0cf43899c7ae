"""What an update does where Heat undoes it.

Heat undoes a change that failed by itself, so that it happens whoever else is away: it goes back to the template and
the parameters of the change before. A bay that is whole is one that fits those; so only such a bay can be changed with
rollback.

Four things of a rollback are not Heat's to know:

- **Nodes that have to be built anew** get the user_data of back then, and in it the bootstrap token of an operation
  that is long over. Before nodes are removed, the stack is therefore changed once without changing anything, but with
  tokens of this operation: it is then this that Heat goes back to.
- **Nodes that were drained** and stay after all are closed to pods until somebody opens them.
- **Why the change failed**: the resources that failed are removed. Heat's events still tell it, and it is read as soon
  as the failure is seen.
- **What the rollback itself breaks off**: a node that was still being built when another failed, and that is wanted all
  the same, counts as failed then. So a rollback that fails is asked for once more, as a change to what was.

Between a failed change and its rollback a stack is UPDATE_FAILED for a moment, which is not its end, unless Heat's
engine died just then.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from oslo_log import log

from magnum.clients.heat import FailedUpdate, StackState
from magnum.common import clock
from magnum.common.exception import BayUnreachable, MagnumError, RemoteRefusal
from magnum.common.states import BayStatus
from magnum.conductor import faults
from magnum.conductor.job import Job
from magnum.conductor.operations import common
from magnum.conductor.steps import Again, Done, StepFailed
from magnum.db.operations import Event, Progress

LOG = log.getLogger(__name__)

_CAUSE = "failed_update"
_CANCELLED = "Heat was asked to cancel it."
_UNTOLD = "Heat does not say why."
_PREPARE_PAUSE = 2.0
_BEGIN_PAUSE = 2.0
_LONGEST_BEGIN = timedelta(seconds=60)


def is_under_way(job: Job) -> bool:
    """Whether Heat undoes, or has undone, what this operation asked for."""
    return job.bay.status == BayStatus.ROLLBACK_IN_PROGRESS


def prepare(job: Job) -> Done | Again:
    """What Heat would go back to holds tokens with which nodes could join."""
    tag = f"{job.tag}-before"
    stack = job.stacks.find(job.stack_name)
    if common.may_come_back(job, stack):
        return Again(_PREPARE_PAUSE)
    stack = common.still_there(stack)
    if not {tag, job.tag} & set(stack.tags):
        wanted = job.wanted_stack(job.bay.node_count)
        arguments, minutes = wanted.arguments(), job.stack_timeout_minutes
        job.stacks_to_change().update(job.stack_name, job.bay.stack_id or "", arguments, tag, minutes)
        return Again(_PREPARE_PAUSE)
    if not stack.settled:
        return Again(_PREPARE_PAUSE)
    if stack.status == "FAILED":
        raise common.failure(job, stack)
    return Done("Heat could build the nodes anew that are to go.")


def wait_for_change(job: Job) -> Done | Again:
    """Wait until Heat has changed the stack, or has undone the change."""
    stack = job.read_stack()
    if stack is not None and _second_tag(job) in stack.tags:
        return _look_at_end(job, stack)
    if stack is not None and job.tag in stack.tags:
        if stack.action == "ROLLBACK":
            return _look_at_rollback(job, stack)
        if job.rollback and (stack.action, stack.status) == ("UPDATE", "FAILED"):
            return _wait_for_begin(job, stack)
    return common.look_at(job, stack)


def reopen(job: Job, names: Sequence[str]) -> Done:
    """Those of the nodes that are still there take pods again."""
    staying = [name for name in common.workers(job) if name in names]
    if not staying:
        return Done("")
    try:
        opened = _uncordon(job, staying)
    except (BayUnreachable, RemoteRefusal) as error:
        common.raise_if_it_may_pass(job, error)
        listed = ", ".join(staying)
        return Done(f"These nodes may still be closed to pods: {listed}. {error.message}", warning=True)
    return Done(f"Open to pods again: {', '.join(opened)}." if opened else "No node was closed to pods.")


def try_to_reopen(job: Job, names: Sequence[str]) -> None:
    """The same after a failure, as far as it can be done now."""
    if not names:
        return
    try:
        _uncordon(job, names)
    except MagnumError as error:
        LOG.warning("Nodes of bay %s may still be closed to pods: %s", job.bay.uuid, error.message)


def end(job: Job) -> None:
    """Write that the bay is what it was."""
    count = len(common.workers(job))
    nodes = f"{count} node{'' if count == 1 else 's'}"
    job.finish_undone({"node_count": count}, f"Update failed and was rolled back to {nodes}: {_reason(job)}")


def explained(job: Job, failed: StepFailed) -> dict[str, Any]:
    """Of a rollback that failed: that, and why there was one."""
    if not is_under_way(job):
        return {}
    known = _cause(job)["faults"]
    return {
        "status_reason": f"Rollback failed: {failed.reason} It had begun because the update failed: {_reason(job)}",
        "faults": [*failed.faults, *(fault for fault in known if fault not in failed.faults)],
    }


def _look_at_rollback(job: Job, stack: StackState) -> Done | Again:
    if not is_under_way(job):
        _begin(job, stack)
    if stack.status == "FAILED":
        return _ask_again(job, stack)
    return _look_at_end(job, stack)


def _ask_again(job: Job, stack: StackState) -> Again:
    """Heat has been asked to make the stack what it was."""
    failed = common.failure(job, stack)
    wanted = job.wanted_stack(job.bay.node_count)
    arguments, minutes = wanted.arguments(), job.stack_timeout_minutes
    job.stacks_to_change().update(stack.name, stack.id, arguments, _second_tag(job), minutes)
    text = f"Rollback failed, and Heat is asked for it again: {failed.reason}"
    job.write(Progress(events=[Event(text, "warning", common.WAIT_FOR_STACK)]))
    return Again(common.RECHECK_SECONDS)


def _look_at_end(job: Job, stack: StackState) -> Done | Again:
    if not stack.settled:
        return Again(common.RECHECK_SECONDS)
    if stack.status == "FAILED":
        raise common.failure(job, stack)
    return Done("Heat has undone the change.", warning=True)


def _second_tag(job: Job) -> str:
    return f"{job.tag}-back"


def _begin(job: Job, stack: StackState) -> None:
    """Say that it failed, why, and that it is being undone."""
    cause = job.remembered(_CAUSE) or _find_cause(job, stack)
    text = f"Update failed and is rolled back: {cause['reason']}"
    job.write(
        Progress(
            bay={"status": BayStatus.ROLLBACK_IN_PROGRESS, "status_reason": text, "faults": cause["faults"]},
            events=[Event(text, "error", common.WAIT_FOR_STACK)],
            operation=job.remembering({_CAUSE: cause}),
        )
    )


def _wait_for_begin(job: Job, stack: StackState) -> Again:
    if job.remembered(_CAUSE) is None:
        job.remember(_CAUSE, _find_cause(job, stack))
    cause = _cause(job)
    if clock.now() - datetime.fromisoformat(cause["seen_at"]) < _LONGEST_BEGIN:
        return Again(_BEGIN_PAUSE)
    raise StepFailed(f"{cause['reason']} Heat did not roll it back.", cause["faults"])


def _find_cause(job: Job, stack: StackState) -> dict[str, Any]:
    unknown = FailedUpdate(stack.reason if stack.action == "UPDATE" else _UNTOLD, [])
    failed = common.told_by_heat(job, lambda: job.stacks.failed_update(stack.name, stack.id), unknown)
    found = faults.collect(failed.resources)
    said = stack.reason if stack.action == "UPDATE" else _CANCELLED
    reason = faults.one_line(found, failed.reason or said)
    return {"reason": reason, "faults": found, "seen_at": clock.now().isoformat()}


def _cause(job: Job) -> dict[str, Any]:
    return job.remembered(_CAUSE) or {"reason": "no reason is given", "faults": []}


def _reason(job: Job) -> str:
    return str(_cause(job)["reason"])


def _uncordon(job: Job, names: Iterable[str]) -> list[str]:
    with job.tools.bays.open(job.bay) as running:
        return [name for name in names if running.uncordon(name)]
