"""Building a bay."""

from magnum.common.states import Verb
from magnum.conductor.job import Job
from magnum.conductor.operations import common
from magnum.conductor.steps import Done, Plan, Step


def create_stack(job: Job) -> Done:
    """Heat has the bay's stack: the one an earlier try made, or a new one."""
    wanted = job.wanted_stack(job.bay.node_count)
    stack_id = job.stacks.create(job.stack_name, wanted.arguments(), job.tag, job.stack_timeout_minutes)
    return Done(f"Heat builds the stack {job.stack_name} ({stack_id}).", bay={"stack_id": stack_id})


def _end(job: Job) -> None:
    job.finish({}, f"Bay {job.bay.name or job.bay.uuid} is complete.")


PLAN = Plan(
    verb=Verb.CREATE,
    steps=(
        common.ENSURE_USER,
        common.MAKE_CERTIFICATES,
        Step(common.STACK, create_stack),
        common.WAIT_FOR_STACK,
        common.READ_OUTPUTS,
        common.REGISTER_NODES,
    ),
    end=_end,
    on_failure=lambda _job, _failed: {},
)
