"""Deleting a bay: its stack, its user, and last its rows."""

from magnum.clients.errors import Permanent
from magnum.common.states import Verb
from magnum.conductor.job import Job
from magnum.conductor.operations import common
from magnum.conductor.steps import Done, Plan, Step

_NOT_LET_IN = (401, 403)


def find_authority(job: Job) -> Done:
    """Somebody can delete the stack: the bay's user, made again if need be, or Magnum itself."""
    if not job.bay.trustee_secret:
        return Done("The bay has no stack and no user yet.")  # the password is stored before either is made
    try:
        return common.ensure_user(job)
    except Permanent as error:
        job.remember("as_service", True)
        return Done(f"Magnum deletes the stack itself, as the bay's user cannot be had: {error.message}", warning=True)


def delete_stack(job: Job) -> Done:
    """Heat has been asked to delete the stack, if there is one."""
    if not job.bay.trustee_secret:
        return Done("There is no stack to delete.")
    stack_id = job.bay.stack_id
    if stack_id is None:
        stack = job.stacks.find(job.stack_name)  # made by a creation that did not live to say so
        if stack is None:
            return Done("There is no stack to delete.")
        stack_id = stack.id
    try:
        job.stacks.delete(job.stack_name, stack_id)
    except Permanent as error:  # the bay's user is there, but was disabled or has lost its role
        if error.code not in _NOT_LET_IN or job.remembered("as_service"):
            raise
        job.remember("as_service", True)
        job.stacks.delete(job.stack_name, stack_id)
    return Done(f"Heat deletes the stack {job.stack_name}.", bay={"stack_id": stack_id})


def delete_user(job: Job) -> Done:
    """The bay's user is no more, and with it all it was allowed to do."""
    if job.bay.trustee_secret:
        job.tools.cloud.keystone.delete_user(job.bay.uuid)
    return Done("The bay's own user was removed.")


def _end(job: Job) -> None:
    job.finish_deleted(f"Bay {job.bay.name or job.bay.uuid} is deleted.")
    job.tools.bays.forget(job.bay.uuid)


PLAN = Plan(
    verb=Verb.DELETE,
    steps=(
        Step("trustee", find_authority),
        Step(common.STACK, delete_stack),
        Step("wait_stack", common.wait_gone),
        Step("user", delete_user),
    ),
    end=_end,
    on_failure=lambda _job, _failed: {},
)
