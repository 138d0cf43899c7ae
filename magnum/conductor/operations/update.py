"""Changing the number of a bay's nodes. Those that go are chosen and emptied before Heat hears of it.

A change that was rolled back takes the same steps to its end: what the stack then has is read and registered all the
same. `magnum.conductor.operations.rollback` has what is different.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from magnum.coe.nodes import Node
from magnum.common import clock
from magnum.common.exception import BayUnreachable, RemoteRefusal
from magnum.common.states import Verb
from magnum.conductor.job import Job
from magnum.conductor.operations import common, rollback
from magnum.conductor.operations.common import raise_if_it_may_pass, workers
from magnum.conductor.steps import Again, Done, Plan, Step, StepFailed

_REMOVED = "nodes_to_remove"
_DRAIN_UNTIL = "drain_until"
_DRAIN_PAUSE = 1.0


def choose_nodes(job: Job) -> Done:
    """Name the nodes that go: those that never joined, as Heat would not build them anew, and then the emptiest."""
    if job.remembered(_REMOVED) is None:
        job.remember(_REMOVED, _to_remove(workers(job), _wanted(job), _pods_per_node(job)))
    chosen = _chosen(job)
    return Done(f"To be removed: {', '.join(chosen)}." if chosen else "No node has to go.")


def prepare_rollback(job: Job) -> Done | Again:
    """Heat could build anew the nodes that go."""
    return rollback.prepare(job) if job.rollback and _chosen(job) else Done("")


def drain_nodes(job: Job) -> Done | Again:
    """Move the pods of those nodes away, for as long as the operator gives them."""
    chosen = _chosen(job)
    if not chosen:
        return Done("No node has to be drained.")
    try:
        left = _drain_once(job, chosen)
    except (BayUnreachable, RemoteRefusal) as error:
        raise_if_it_may_pass(job, error)
        return Done(f"The nodes could not be drained: {error.message}", warning=True)
    if not left:
        return Done(f"Drained: {', '.join(chosen)}.")
    if clock.now() < _drain_until(job):
        return Again(_DRAIN_PAUSE)
    return Done(f"These pods go with their nodes: {'; '.join(left)}.", warning=True)


def change_stack(job: Job) -> Done | Again:
    """Heat has been asked to change the stack, by this try or an earlier one."""
    bay = job.bay
    stack = job.stacks.find(job.stack_name)
    if common.may_come_back(job, stack):
        return Again(common.BEGIN_PAUSE)
    stack = common.still_there(stack)
    if job.tag in stack.tags:
        return Done("Heat changes the stack.", bay={"stack_id": stack.id})
    wanted = job.wanted_stack(_wanted(job), tuple(_chosen(job)))
    job.stacks_to_change().update(
        job.stack_name,
        bay.stack_id or "",
        wanted.arguments(),
        job.tag,
        job.stack_timeout_minutes,
        rollback=job.rollback,
    )
    return Done("Heat changes the stack.")


def reopen_nodes(job: Job) -> Done:
    """After a rollback the nodes that were to go take pods again."""
    return rollback.reopen(job, _chosen(job)) if rollback.is_under_way(job) else Done("")


def forget_nodes(job: Job) -> Done:
    """Kubernetes forgets the nodes whose servers are gone, those of earlier changes too, as Heat does not tell it."""
    known = set(workers(job))
    try:
        with job.tools.bays.open(job.bay) as running:
            gone = sorted(node.name for node in running.list_nodes() if _is_gone(node, known))
            for name in gone:
                running.delete_node(name)
    except (BayUnreachable, RemoteRefusal) as error:
        raise_if_it_may_pass(job, error)
        names = ", ".join(_chosen(job)) or "nodes that are gone"
        return Done(f"Kubernetes may still know {names}: {error.message} The next change looks again.", warning=True)
    return Done(f"Removed: {', '.join(gone)}." if gone else "No node is gone.")


def _end(job: Job) -> None:
    if rollback.is_under_way(job):
        rollback.end(job)
        return
    count = _wanted(job)
    job.finish({"node_count": count}, f"The bay has {count} node{'' if count == 1 else 's'}.")


def _on_failure(job: Job, failed: StepFailed) -> Mapping[str, Any]:
    if job.rollback or rollback.is_under_way(job):
        rollback.try_to_reopen(job, _chosen(job))
    return {**common.count_nodes(job), **rollback.explained(job, failed)}


def _wanted(job: Job) -> int:
    return int(job.arguments.get("node_count", job.bay.node_count))


def _chosen(job: Job) -> list[str]:
    return list(job.remembered(_REMOVED) or ())


def _is_gone(node: Node, known: set[str]) -> bool:
    """Whether this is a server that the stack once had; a node somebody joined by hand has no such name."""
    series = {name.rpartition("-")[0] for name in known}
    return node.role == "node" and node.name not in known and node.name.rpartition("-")[0] in series


def _to_remove(names: list[str], wanted: int, pods: dict[str, int] | None) -> list[str]:
    absent = [name for name in names if pods is not None and name not in pods]
    joined = [name for name in names if name not in absent]
    surplus = max(0, len(joined) - wanted)
    youngest_first = joined[::-1]
    return absent + sorted(youngest_first, key=lambda name: (pods or {}).get(name, 0))[:surplus]


def _pods_per_node(job: Job) -> dict[str, int] | None:
    """How many pods each node of the cluster has; None where the bay does not answer."""
    try:
        with job.tools.bays.open(job.bay) as running:
            return running.pods_per_node()
    except (BayUnreachable, RemoteRefusal) as error:
        raise_if_it_may_pass(job, error)
        return None


def _drain_once(job: Job, names: list[str]) -> list[str]:
    with job.tools.bays.open(job.bay) as running:
        return [reason for name in names for reason in running.drain(name, 0)]


def _drain_until(job: Job) -> datetime:
    known = job.remembered(_DRAIN_UNTIL)
    if known is None:
        until = clock.now() + timedelta(seconds=job.tools.conf.bay.drain_timeout)
        job.remember(_DRAIN_UNTIL, until.isoformat())
        return until
    return datetime.fromisoformat(known)


PLAN = Plan(
    verb=Verb.UPDATE,
    steps=(
        common.ENSURE_USER,
        Step("choose_nodes", choose_nodes),
        Step("prepare_rollback", prepare_rollback),
        Step("drain", drain_nodes),
        Step(common.STACK, change_stack),
        Step(common.WAIT_FOR_STACK, rollback.wait_for_change),
        common.READ_OUTPUTS,
        Step("reopen_nodes", reopen_nodes),
        Step("forget_nodes", forget_nodes),
        common.REGISTER_NODES,
    ),
    end=_end,
    on_failure=_on_failure,
)
