"""What others do in Heat to the stacks of bays that nobody works on: deleted, failed or changed behind our back.

One conductor looks for all, at many stacks in one call. What it sees is written only while the bay is still what it was
when it was read: an operation that was accepted meanwhile finds out for itself.

Not to be seen is not to be gone. What was deleted Heat shows as deleted, and it is believed at once; what it does not
show at all may be there, with a cluster that runs, and only Heat may have come back from a backup. So that is waited
for, and a bay that was given up is looked for further, since the way on from there is to build it anew.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from oslo_log import log

from magnum.certificates.storage import KeyProblem
from magnum.clients.errors import NotAccepted, Permanent, ServiceError
from magnum.clients.heat import HARMLESS, StackResource, Stacks, StackState
from magnum.common import clock, states
from magnum.common.states import Sight
from magnum.conductor import copies, faults
from magnum.conductor.job import driver_of, stack_name_of, user_of
from magnum.conductor.stack_lists import StackLists
from magnum.conductor.threads import tell_of_failure
from magnum.conductor.tools import Tools
from magnum.db import bay_health, models, operations
from magnum.db.operations import Event

LOG = log.getLogger(__name__)

Answer = TypeVar("Answer")

_PATIENCE = 300.0
_LONGEST_UNSEEN = timedelta(minutes=10)
_TRIES_TO_EXPLAIN = 4
_GONE = (
    "The bay's stack is gone: somebody deleted it in Heat. Retry builds the bay anew, with empty nodes; "
    "delete removes it."
)
_LOST: Mapping[str, Any] = {
    "status": states.SIGHTS[Sight.GONE].becomes,
    "status_reason": _GONE,
    "faults": [],
    "api_address": None,  # others may have these by now
    "master_addresses": [],
    "node_addresses": [],
    **bay_health.NEVER_LOOKED_AT,
}
_FOUND = "Heat shows the bay's stack again, which it did not for a while. Retry sees to it that the bay is whole."
_UNSEEN = "Magnum cannot look at the bay's stack any more: "
_SEEN = "Magnum can look at the bay's stack again."
_BEFORE = " Before: "
_DELETING = "Somebody deletes the bay's stack in Heat."
_FAILURES = {
    "DELETE": ("began to delete the bay's stack", Sight.NOT_DELETED),
    "CHECK": ("had the bay's stack checked", Sight.NOT_CHANGED),
}
"""What somebody did there, and what that is to the bay."""


class DriftWatch:
    """Compares bays at rest with their stacks."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._lists = StackLists(tools)
        self._unseen_since: dict[str, datetime] = {}
        self._untold: Counter[str] = Counter()

    def look(self) -> None:
        """Look at all of them once."""
        with self._tools.database.reader() as session:
            found = operations.bays_in(session, states.RESTING | states.SIGHTS[Sight.BACK].statuses)
        bays = [bay for bay in found if bay.stack_id and (bay.status in states.RESTING or _is_lost(bay))]
        self._unseen_since = {bay.uuid: time for bay in bays if (time := self._unseen_since.get(bay.uuid))}
        self._untold = Counter({bay.uuid: count for bay in bays if (count := self._untold[bay.uuid])})
        try:
            self._lists.look(bays, self._compare_all, _PATIENCE, lambda unseen: self._compare_all(unseen, {}))
        except ServiceError as error:
            LOG.warning("Of the stacks of %d bays at rest some cannot be looked at: %s", len(bays), error.message)

    def _compare_all(self, bays: Sequence[models.Bay], seen: Mapping[str, StackState]) -> None:
        for bay in bays:
            try:
                self._compare(bay, seen.get(bay.stack_id or ""))
            except ServiceError as error:
                LOG.warning("The stack of bay %s cannot be looked at: %s", bay.uuid, error.message)
            except Exception:  # noqa: BLE001 - one bay, however odd, hides no other
                tell_of_failure(LOG, "The stack of bay %s cannot be looked at.", bay.uuid)

    def _compare(self, bay: models.Bay, stack: StackState | None) -> None:
        if stack is not None:
            self._unseen_since.pop(bay.uuid, None)
        if _is_lost(bay):
            if stack is not None and stack.settled and stack.action != "DELETE":
                self._tell_found(bay)
        elif stack is None or stack.action == "DELETE":
            self._look_closely(bay, stack)
        elif (bay.status_reason or "").startswith(_UNSEEN):
            self._write(bay, {"status_reason": _cause(bay)}, Event(_SEEN))
        elif not stack.settled:
            return  # somebody changes it: what comes of it is told at its end
        elif stack.status == "FAILED":
            if bay.status in states.READY or stack.changed_at != bay.stack_changed_at:
                self._tell_failure(bay, stack)
        elif stack.changed_at != bay.stack_changed_at:
            self._tell_change(bay, stack)

    def _look_closely(self, bay: models.Bay, listed: StackState | None) -> None:
        """Not to be seen in a list is not to be gone."""
        if not bay.trustee_user_id:
            return
        try:
            stack = self._read(bay)
        except (Permanent, NotAccepted) as error:  # a service may also refuse everybody for a while
            if not self._may_come_back(bay):
                self._tell(bay, {}, f"{_UNSEEN}{error.message}")
            return
        except ServiceError:
            if listed is None or self._may_tell_yet(bay):
                raise
            stack = listed
        if stack is None and self._may_come_back(bay):
            return
        if stack is None or (stack.action, stack.status) == ("DELETE", "COMPLETE"):
            self._write(bay, _LOST, Event(_GONE, "error"), without_nodes=True)
        elif stack.action == "DELETE" and not stack.settled:
            self._tell(bay, {}, _DELETING)
        elif stack.action == "DELETE":
            self._tell_failure(bay, stack)

    def _read(self, bay: models.Bay) -> StackState | None:
        return self._ask(bay, lambda stacks: stacks.get(stack_name_of(bay), bay.stack_id or ""))

    def _ask(self, bay: models.Bay, question: Callable[[Stacks], Answer | None]) -> Answer | None:
        """What Heat answers the bay's user, or, where it does not, Magnum, to whom nothing to be seen says nothing.

        :raises ServiceError: it answers neither
        """
        try:
            return question(self._tools.cloud.stacks(user_of(self._tools, bay)))
        except KeyProblem as error:
            LOG.error("The password of the user of bay %s cannot be read: %s", bay.uuid, error)
            refusal: ServiceError = Permanent("the password of the bay's user cannot be read.")
        except (Permanent, NotAccepted) as error:
            refusal = error
        try:
            answer = question(self._tools.cloud.all_stacks())
        except Permanent:
            answer = None
        if answer is None:
            raise refusal
        return answer

    def _may_come_back(self, bay: models.Bay) -> bool:
        return clock.now() - self._unseen_since.setdefault(bay.uuid, clock.now()) < _LONGEST_UNSEEN

    def _tell_failure(self, bay: models.Bay, stack: StackState) -> None:
        """What is left of a stack whose deletion failed cannot be changed any more: it has to be built anew."""
        values: dict[str, Any] = {"stack_changed_at": stack.changed_at}
        if bay.stack_changed_at is None and bay.status in states.HALF_CHANGED:
            self._write(bay, values, None)  # it is the change of ours that failed
            return
        nothing: Sequence[StackResource] = []
        found = faults.collect(self._told(bay, lambda stacks: stacks.resources(stack.name, stack.id), nothing))
        reason = faults.one_line(found, stack.reason)
        done, sight = _FAILURES.get(stack.action, ("changed the bay's stack", Sight.NOT_CHANGED))
        text = f"Somebody {done} in Heat ({stack.action.lower()}), and that failed: {reason}"
        values |= {"status": states.SIGHTS[sight].becomes, "status_reason": text, "faults": found}
        self._write(bay, values, Event(text, "error"))

    def _last_change(self, bay: models.Bay, stack: StackState, since: str) -> str | None:
        """What was last done to the stack that changed it; where Heat does not tell, what was last done at all."""
        last: tuple[str | None] = (stack.action,)  # a tuple, as None is an answer
        (action,) = self._told(bay, lambda stacks: (stacks.last_change(stack.name, stack.id, since),), last)
        return action

    def _told(self, bay: models.Bay, question: Callable[[Stacks], Answer], otherwise: Answer) -> Answer:
        """What Heat says more of what is to be told; something else where it does not, now or at several looks.

        :raises Transient: it does not now, and may at the next look
        """
        try:
            answer = self._ask(bay, question)
        except (Permanent, NotAccepted):
            answer = None
        except ServiceError:
            if self._may_tell_yet(bay):
                raise
            answer = None
        return otherwise if answer is None else answer

    def _may_tell_yet(self, bay: models.Bay) -> bool:
        """Whether Heat, which has just had an error, is asked about this bay again at the next look."""
        self._untold[bay.uuid] += 1
        return self._untold[bay.uuid] < _TRIES_TO_EXPLAIN

    def _tell_change(self, bay: models.Bay, stack: StackState) -> None:
        """The first look at a stack only learns how it is."""
        values = {"stack_changed_at": stack.changed_at}
        action: str | None = stack.action
        if bay.stack_changed_at is None:
            action = None
        elif action in HARMLESS:
            action = self._last_change(bay, stack, bay.stack_changed_at)
        if action is None:
            self._write(bay, values, None)
        else:
            self._tell(bay, values, f"Somebody changed the bay's stack in Heat ({action.lower()}, {stack.changed_at}).")

    def _tell_found(self, bay: models.Bay) -> None:
        stack = self._read(bay)
        if stack is not None:
            outputs = driver_of(self._tools, bay).outputs(stack.outputs)
            status = states.SIGHTS[Sight.BACK].becomes
            values = {"status": status, "status_reason": _FOUND, "stack_changed_at": stack.changed_at}
            self._write(bay, {**values, **outputs.columns()}, Event(_FOUND, "warning"))

    def _tell(self, bay: models.Bay, values: Mapping[str, Any], text: str) -> None:
        """Tell once of what leaves the bay in its state; why that is what it is stays to be read."""
        if text in (bay.status_reason or ""):
            return
        cause = _cause(bay)
        shown = f"{text}{_BEFORE}{cause}" if cause else text
        self._write(bay, {**values, "status_reason": shown}, Event(text, "warning"))

    def _write(
        self, bay: models.Bay, values: Mapping[str, Any], event: Event | None, *, without_nodes: bool = False
    ) -> None:
        self._untold.pop(bay.uuid, None)
        with self._tools.database.writer() as session:
            if operations.note(session, bay, values, event):
                if without_nodes:
                    copies.store(session, bay, "node", [], clock.now())
                elif values.get("status", bay.status) not in states.USABLE:
                    copies.mark_unknown(session, bay.uuid, "node")  # nobody looks at them any more
                LOG.info("Bay %s: %s", bay.uuid, event.text if event else "its stack is known now")


def _cause(bay: models.Bay) -> str | None:
    """Why a bay that was half changed is so, without what was told here since."""
    if bay.status not in states.HALF_CHANGED:
        return None
    return (bay.status_reason or "").rpartition(_BEFORE)[2] or None


def _is_lost(bay: models.Bay) -> bool:
    """Whether it was given up here."""
    return bay.status in states.SIGHTS[Sight.BACK].statuses and bay.status_reason == _GONE
