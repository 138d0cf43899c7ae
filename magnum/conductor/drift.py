"""What others do in Heat to the stacks of bays that nobody works on: deleted, failed or changed behind our back.

One conductor looks for all, at many stacks in one call. What it sees is written only while the bay is still what it was
when it was read: an operation that was accepted meanwhile finds out for itself.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from oslo_log import log

from magnum.clients.errors import ServiceError
from magnum.clients.heat import Stacks, StackState
from magnum.common import clock, states
from magnum.common.states import BayStatus
from magnum.conductor import copies, faults
from magnum.conductor.job import stack_name_of, user_of
from magnum.conductor.stack_lists import StackLists
from magnum.conductor.tools import Tools
from magnum.db import models, operations
from magnum.db.operations import Event

LOG = log.getLogger(__name__)

_PATIENCE = 300.0
_GONE = (
    "The bay's stack is gone: somebody deleted it in Heat. Retry builds the bay anew, with empty nodes; "
    "delete removes it."
)
_LOST: Mapping[str, Any] = {
    "status": BayStatus.CREATE_FAILED,
    "status_reason": _GONE,
    "api_address": None,  # others may have these by now
    "master_addresses": [],
    "node_addresses": [],
}
_CHECK = "CHECK"
"""Heat has looked whether the resources are there, and changed none."""
_FAILURES = {
    "DELETE": ("began to delete the bay's stack", BayStatus.CREATE_FAILED),
    _CHECK: ("had the bay's stack checked", BayStatus.UPDATE_FAILED),
}
"""What somebody did there, and what the bay is then."""


class DriftWatch:
    """Compares bays at rest with their stacks."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._lists = StackLists(tools)

    def look(self) -> None:
        """Look at all of them once."""
        with self._tools.database.reader() as session:
            bays = [bay for bay in operations.bays_in(session, states.READY | states.HALF_CHANGED) if bay.stack_id]
        try:
            self._lists.look(bays, self._compare_all, _PATIENCE)
        except ServiceError as error:
            LOG.warning("Of the stacks of %d bays at rest some cannot be looked at: %s", len(bays), error.message)

    def _compare_all(self, bays: Sequence[models.Bay], seen: Mapping[str, StackState]) -> None:
        for bay in bays:
            try:
                self._compare(bay, seen.get(bay.stack_id or ""))
            except ServiceError as error:
                LOG.warning("The stack of bay %s cannot be looked at: %s", bay.uuid, error.message)

    def _compare(self, bay: models.Bay, stack: StackState | None) -> None:
        if stack is None or stack.action == "DELETE":
            self._look_closely(bay)
        elif not stack.settled:
            return  # somebody changes it: what comes of it is told at its end
        elif stack.status == "FAILED":
            if bay.status in states.READY:
                self._tell_failure(bay, stack)
        elif bay.status in states.READY and stack.changed_at != bay.stack_changed_at:
            self._tell_change(bay, stack)

    def _look_closely(self, bay: models.Bay) -> None:
        """Not to be seen in a list is not to be gone."""
        if not bay.trustee_user_id:
            return
        stack = self._stacks(bay).get(stack_name_of(bay), bay.stack_id or "")
        if stack is None or (stack.action, stack.status) == ("DELETE", "COMPLETE"):
            self._write(bay, _LOST, Event(_GONE, "error"), without_nodes=True)
        elif (stack.action, stack.status) == ("DELETE", "FAILED"):
            self._tell_failure(bay, stack)

    def _tell_failure(self, bay: models.Bay, stack: StackState) -> None:
        """What is left of a stack whose deletion failed cannot be changed any more: it has to be built anew."""
        found = faults.collect(self._stacks(bay).resources(stack.name, stack.id))
        reason = faults.one_line(found, stack.reason)
        done, status = _FAILURES.get(stack.action, ("changed the bay's stack", BayStatus.UPDATE_FAILED))
        text = f"Somebody {done} in Heat ({stack.action.lower()}), and that failed: {reason}"
        self._write(bay, {"status": status, "status_reason": text, "faults": found}, Event(text, "error"))

    def _tell_change(self, bay: models.Bay, stack: StackState) -> None:
        """The first look at a stack only learns how it is."""
        values: dict[str, Any] = {"stack_changed_at": stack.changed_at}
        if bay.stack_changed_at is None or (stack.action == _CHECK and not self._was_updated(bay, stack)):
            self._write(bay, values, None)
            return
        action = "update" if stack.action == _CHECK else stack.action.lower()
        text = f"Somebody changed the bay's stack in Heat ({action}, {stack.changed_at})."
        self._write(bay, values | {"status_reason": text}, Event(text, "warning"))

    def _was_updated(self, bay: models.Bay, stack: StackState) -> bool:
        """Whether it was changed before it was checked, with no look at it between the two."""
        return self._stacks(bay).was_updated(stack.name, stack.id, bay.stack_changed_at or "")

    def _stacks(self, bay: models.Bay) -> Stacks:
        return self._tools.cloud.stacks(user_of(self._tools, bay))

    def _write(
        self, bay: models.Bay, values: Mapping[str, Any], event: Event | None, *, without_nodes: bool = False
    ) -> None:
        with self._tools.database.writer() as session:
            if operations.note(session, bay, values, event):
                if without_nodes:
                    copies.store(session, bay, "node", [], clock.now())
                elif values.get("status", bay.status) not in states.USABLE:
                    copies.mark_unknown(session, bay.uuid, "node")  # nobody looks at them any more
                LOG.info("Bay %s: %s", bay.uuid, event.text if event else "its stack is known now")
