"""Watching the stacks of all operations that wait for one.

Such an operation holds no thread, and nobody looks at it one by one: one conductor, whichever has the duty, lists all
stacks that are waited for (`magnum.conductor.stack_lists`). It writes nothing about a bay. An operation whose stack has
settled, is being rolled back or is gone becomes due, and then looks closely itself; it is not woken again at once for
what it has seen. One whose stack is seen to be in progress goes on resting: without the poll it would look for itself
after a while, which is for the time when the poll sees nothing.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from oslo_log import log

from magnum.clients.errors import ServiceError
from magnum.clients.heat import StackState
from magnum.common import clock, metrics
from magnum.common.states import BayStatus
from magnum.conductor.operations import WAITING
from magnum.conductor.operations.common import RECHECK_SECONDS
from magnum.conductor.stack_lists import StackLists
from magnum.conductor.tools import Tools
from magnum.db import duties, operations
from magnum.db.operations import Waiting

LOG = log.getLogger(__name__)

_DUTY = "stack poll"
_LEASE = timedelta(seconds=15)
_PATIENCE = 5.0
_TELL_AGAIN_SECONDS = 10.0

Sight = tuple[str, str, tuple[str, ...]] | None
"""What a stack was seen to be: action, status and tags; None for one that is gone."""


class StackPoll:
    """The look at all stacks in progress; one for each conductor.

    :param wake: called when operations have become due
    :param owner: this conductor, by a name of its own
    """

    def __init__(self, tools: Tools, wake: Callable[[], None], owner: str) -> None:
        self._tools = tools
        self._wake = wake
        self._owner = owner
        self._lists = StackLists(tools)
        self._told: dict[int, tuple[Sight, float]] = {}
        self._silent = False

    def poll(self) -> None:
        """Look once, if that is this conductor's duty."""
        if not duties.take(self._tools.database, _DUTY, self._owner, _LEASE):
            return
        with self._tools.database.reader() as session:
            waiting = operations.waiting(session, WAITING)
        told = list(self._told)  # lists that are late write to it
        for operation_id in set(told) - {each.id for each in waiting}:
            self._told.pop(operation_id, None)
        try:
            with metrics.timed(metrics.POLLS):
                self._lists.look(waiting, self._note, _PATIENCE)
        except ServiceError as error:
            if not self._silent:
                LOG.warning("The stacks of %d bays cannot be watched: %s", len(waiting), error.message)
            self._silent = True
        else:
            self._silent = False

    def stop(self) -> None:
        """Ask no more."""
        self._lists.stop()

    def _note(self, waiting: Sequence[Waiting], seen: Mapping[str, StackState]) -> None:
        """Have those operations go on that have to, and the others rest."""
        news, resting = set(), []
        soon = clock.now() + timedelta(seconds=RECHECK_SECONDS / 2)
        for each in waiting:
            stack = seen.get(each.stack_id)
            if not _is_news(each, stack):
                self._told.pop(each.id, None)
                if each.due_at < soon and not each.attempts:
                    resting.append(each.id)
            elif self._is_untold(each.id, _sight(stack)):
                news.add(each.id)
        if news or resting:
            until = clock.now() + timedelta(seconds=RECHECK_SECONDS)
            with self._tools.database.writer() as session:
                operations.make_due(session, sorted(news), WAITING)
                operations.let_rest(session, resting, WAITING, until)
        if news:
            self._wake()
        tell_again_at = time.monotonic() + _TELL_AGAIN_SECONDS
        self._told |= {each.id: (_sight(seen.get(each.stack_id)), tell_again_at) for each in waiting if each.id in news}

    def _is_untold(self, operation_id: int, sight: Sight) -> bool:
        """Whether an operation has not been woken for this just now: what it makes of it then is its own affair."""
        known, tell_again_at = self._told.get(operation_id, (None, 0.0))
        return known != sight or time.monotonic() >= tell_again_at


def _is_news(waiting: Waiting, stack: StackState | None) -> bool:
    if stack is None or stack.settled:
        return True
    return stack.action == "ROLLBACK" and waiting.bay_status == BayStatus.UPDATE_IN_PROGRESS


def _sight(stack: StackState | None) -> Sight:
    return None if stack is None else (stack.action, stack.status, tuple(stack.tags))
