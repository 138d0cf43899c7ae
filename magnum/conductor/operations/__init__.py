"""The verbs, each as a list of steps."""

from magnum.common.states import Verb
from magnum.conductor.operations import common, create, delete, update
from magnum.conductor.steps import Plan

PLANS: dict[Verb, Plan] = {plan.verb: plan for plan in (create.PLAN, update.PLAN, delete.PLAN)}

WAITING = frozenset({common.STACK, common.CLEAR_STACK})
"""With one of these as its last finished step an operation waits for Heat."""
