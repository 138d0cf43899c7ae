"""Asking Heat for many stacks at once.

An operation that waits for its stack holds no thread and is due again only now and then. What wakes it is this: all
stacks that are waited for, asked for in one call where Heat lets Magnum see them all, else in one call per project with
the user of one of its bays. It writes nothing about a bay: it only makes those operations due whose stack has settled,
is being rolled back or is gone, and the operation itself then looks closely.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence

from oslo_log import log

from magnum.clients.errors import ServiceError
from magnum.clients.heat import StackState
from magnum.common import metrics
from magnum.common.states import BayStatus
from magnum.conductor.job import user_of
from magnum.conductor.operations import WAITING
from magnum.conductor.tools import Tools
from magnum.db import models, operations

LOG = log.getLogger(__name__)


class StackPoll:
    """The look at all stacks in progress."""

    def __init__(self, tools: Tools, wake: Callable[[], None]) -> None:
        self._tools = tools
        self._wake = wake
        self._silent = False

    def poll(self) -> None:
        """Look once."""
        with self._tools.database.reader() as session:
            bays = [bay for bay in operations.waiting_bays(session, WAITING) if bay.stack_id]
        if not bays:
            return
        try:
            with metrics.timed(metrics.POLLS):
                settled = self._settled(bays)
        except ServiceError as error:
            if not self._silent:
                LOG.warning("The stacks of %d bays cannot be watched: %s", len(bays), error.message)
            self._silent = True
            return
        self._silent = False
        if settled:
            with self._tools.database.writer() as session:
                operations.make_due(session, settled, WAITING)
            self._wake()

    def _settled(self, bays: Sequence[models.Bay]) -> list[str]:
        seen = stack_states(self._tools, bays)
        return [bay.uuid for bay in bays if _is_news(bay, seen.get(bay.stack_id or ""))]


def stack_states(tools: Tools, bays: Sequence[models.Bay]) -> dict[str, StackState]:
    """The stacks of these bays by their ids, as far as they can be seen; one that is missing may be there all the same.

    :raises ServiceError: Heat does not answer
    """
    seen = tools.cloud.all_stacks().states([bay.stack_id or "" for bay in bays])
    hidden = defaultdict(list)
    for bay in bays:
        if bay.stack_id not in seen:
            hidden[bay.project_id].append(bay)
    for of_project in hidden.values():
        seen |= _of_project(tools, of_project)
    return seen


def _of_project(tools: Tools, bays: Sequence[models.Bay]) -> dict[str, StackState]:
    user = next((user_of(tools, bay) for bay in bays if bay.trustee_user_id), None)
    if user is None:
        return {}
    try:
        return tools.cloud.stacks(user).states([bay.stack_id or "" for bay in bays])
    except ServiceError as error:
        LOG.debug("Stacks of project %s: %s", user.project_id, error.message)
        return {}


def _is_news(bay: models.Bay, stack: StackState | None) -> bool:
    if stack is None or stack.settled:
        return True
    return stack.action == "ROLLBACK" and bay.status == BayStatus.UPDATE_IN_PROGRESS
