"""Building a bay, for the first time or again after that has failed.

Again means anew: what is left of the failed stack is deleted first. Nothing ran in it that anybody could miss, and a
server that came up halfway, with tokens of back then, is no better than none.
"""

from dataclasses import replace

from magnum.common.states import Verb
from magnum.conductor.job import Job
from magnum.conductor.operations import common
from magnum.conductor.steps import Again, Done, Plan, Step

_PERHAPS_TWICE = "perhaps_twice"


def clear_stack(job: Job) -> Done:
    """Heat has been asked to delete what an earlier creation left."""
    if not job.arguments.get("again"):
        return Done("")
    stack = job.stacks.find(job.stack_name)
    if stack is None:
        return Done("Nothing is left of the stack that failed.", bay={"stack_id": None})
    job.stacks_to_change().delete(job.stack_name, stack.id)
    return Done("Heat deletes the stack that failed.", bay={"stack_id": stack.id})


def wait_cleared(job: Job) -> Done | Again:
    """Wait until that is gone."""
    if not job.arguments.get("again"):
        return Done("")
    outcome = common.wait_gone(job)
    return replace(outcome, bay={"stack_id": None}) if isinstance(outcome, Done) else outcome


def create_stack(job: Job) -> Done:
    """Heat has the bay's stack: the one an earlier try made, or a new one."""
    wanted = job.wanted_stack(job.bay.node_count)
    if job.attempts or job.is_taken_up:
        job.remember(_PERHAPS_TWICE, True)
    arguments, minutes = wanted.arguments(), job.stack_timeout_minutes
    stack_id = job.stacks_to_change().create(job.stack_name, arguments, job.tag, minutes)
    return Done(f"Heat builds the stack {job.stack_name} ({stack_id}).", bay={"stack_id": stack_id})


def wait_created(job: Job) -> Done | Again:
    """Wait for the stack, and see that it is the only one.

    Heat looks for another of the name before it checks a template and stores the stack after that. If it takes so long
    for this that the creation is asked for again, there are two, each with servers that somebody pays for.
    """
    outcome = common.wait_for_stack(job)
    if isinstance(outcome, Again) or not job.remembered(_PERHAPS_TWICE):
        return outcome
    twins = [stack for stack in job.stacks.named(job.stack_name) if stack.id != job.bay.stack_id]
    for twin in twins:
        job.stacks_to_change().delete(twin.name, twin.id)
    if not twins:
        return outcome
    return Done(f"{outcome.text} Heat had made another of the name, which it deletes.", warning=True)


def _end(job: Job) -> None:
    job.finish({}, f"Bay {job.bay.name or job.bay.uuid} is complete.")


PLAN = Plan(
    verb=Verb.CREATE,
    steps=(
        common.ENSURE_USER,
        common.MAKE_CERTIFICATES,
        Step(common.CLEAR_STACK, clear_stack),
        Step("wait_cleared", wait_cleared),
        Step(common.STACK, create_stack),
        Step(common.WAIT_FOR_STACK, wait_created),
        common.READ_OUTPUTS,
        common.REGISTER_NODES,
    ),
    end=_end,
    on_failure=lambda _job, _failed: {},
)
