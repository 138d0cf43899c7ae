"""One turn at an operation: the bay, what was remembered of earlier turns, and writes that count only for the owner."""

import math
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from magnum.certificates.bootstrap import BootstrapIdentity, Role
from magnum.clients.errors import Transient
from magnum.clients.heat import Stacks, StackState
from magnum.clients.keystone import BayUser
from magnum.common import clock, metrics, states
from magnum.common.context import service_context
from magnum.common.states import OperationState, Verb
from magnum.conductor.tools import Tools
from magnum.db import models, operations, resources
from magnum.db.operations import Claim, Event, Progress
from magnum.drivers.base import BayDriver, BayOutputs, BaySpec, NodeAccess, Stack, find_driver

_PROGRESS = "progress"  # key among the operation's arguments
AS_SERVICE = "as_service"
"""Remembered where Magnum acts in Heat by its own rights, not by those of the bay's user."""
_LONGEST_STACK_NAME = 200
_UUID_PART = 12
_NO_LIMIT = timedelta(days=1)
_MARGIN = timedelta(seconds=60)
_SHORTEST_WAIT = 30
_TRIES_TO_SEE = 6
_LONGEST_WAIT = 43200  # Heat refuses a wait condition that is longer


class Job:
    """What a step is given. It lives for one claim of the operation and belongs to one thread."""

    def __init__(self, tools: Tools, claim: Claim, bay: models.Bay) -> None:
        self.tools = tools
        self.claim = claim
        self.bay = bay
        self.attempts = claim.attempts
        self.finished = claim.step  # the last step that is
        self.stack: StackState | None = None  # as last read in this turn
        self._arguments = dict(claim.arguments)

    # What was asked for and what is remembered

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What the request asked for."""
        return self._arguments

    def remembered(self, key: str) -> Any:
        """What a step of this operation remembered; None where it did not."""
        return (self._arguments.get(_PROGRESS) or {}).get(key)

    def remember(self, key: str, value: Any) -> None:
        """Keep a plain value for later turns, whoever has them.

        :raises LeaseLost: the operation is another's; nothing was written
        """
        self.write(Progress(operation=self.remembering({key: value})))

    def remembering(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The change of the operation's row that keeps these values, to be written with others; None forgets."""
        kept = {**(self._arguments.get(_PROGRESS) or {}), **values}
        self._arguments[_PROGRESS] = {key: value for key, value in kept.items() if value is not None}
        return {"arguments": dict(self._arguments)}

    def keeping(self, key: str, value: Any) -> dict[str, Any]:
        """The change of the operation's row that keeps this for the next operation of the same verb as well."""
        self._arguments[key] = value
        return {"arguments": dict(self._arguments)}

    @property
    def is_taken_up(self) -> bool:
        """Whether there were turns at this operation before, which may have done more than was written."""
        return self.claim.fence > 1

    # Writing

    def write(self, progress: Progress) -> None:
        """Write, if the operation is still this owner's.

        :raises LeaseLost: it is not; nothing was written
        """
        with self.tools.database.writer() as session:
            operations.record(session, self.claim, progress)
        for name, value in progress.bay.items():
            setattr(self.bay, name, value)

    def hold(self, session: Session) -> None:
        """Let what else this transaction writes count only if the operation is still this owner's.

        :raises LeaseLost: it is not
        """
        operations.record(session, self.claim, Progress())

    def finish(self, bay: Mapping[str, Any], text: str) -> None:
        """End the operation well.

        :raises LeaseLost: it is another's
        """
        self._finish(OperationState.DONE, {**bay, "faults": []}, Event(text))

    def finish_undone(self, bay: Mapping[str, Any], text: str) -> None:
        """End an operation that has failed and left the bay whole; its faults stay to be read.

        :raises LeaseLost: it is another's
        """
        self._finish(OperationState.FAILED, bay, Event(text, "warning"))

    def _finish(self, state: OperationState, bay: Mapping[str, Any], event: Event) -> None:
        values = {**bay, "status": states.ends(self.bay.status, self.claim.verb).well, "status_reason": event.text}
        with self.tools.database.writer() as session:
            operations.finish(session, self.claim, state, Progress(bay=values, events=[event]))
        self.observe_end(state)

    def finish_deleted(self, text: str) -> None:
        """End a deletion: the bay's rows go.

        :raises LeaseLost: the operation is another's
        """
        with self.tools.database.writer() as session:
            operations.finish_deleted(session, self.claim, Event(text))
        self.observe_end(OperationState.DONE)

    def observe_end(self, state: OperationState) -> None:
        """Keep for the operator how long the operation took."""
        seconds = (clock.now() - self.claim.created_at).total_seconds()
        metrics.observe(metrics.OPERATIONS, seconds, verb=self.claim.verb, outcome=state)

    # Time

    @property
    def past_deadline(self) -> bool:
        return self.claim.deadline is not None and clock.now() >= self.claim.deadline

    @property
    def time_left(self) -> timedelta:
        """Until the deadline; a day where there is none."""
        if self.claim.deadline is None:
            return _NO_LIMIT
        return max(self.claim.deadline - clock.now(), timedelta(0))

    def not_after_deadline(self, due_at: datetime) -> datetime:
        """This time, or the deadline if that comes first."""
        return due_at if self.claim.deadline is None else min(due_at, self.claim.deadline)

    # The bay's user and its stack

    @property
    def stacks(self) -> Stacks:
        """Heat as the bay's user, or as Magnum where the user cannot be had any more."""
        if self.remembered(AS_SERVICE):
            return self.tools.cloud.all_stacks()
        return self.tools.cloud.stacks(user_of(self.tools, self.bay))

    def stacks_to_change(self) -> Stacks:
        """The same, for a change: who was paused and has lost the operation meanwhile asks Heat for none.

        :raises LeaseLost: the operation is another's
        """
        with self.tools.database.writer() as session:
            self.hold(session)
        return self.stacks

    @property
    def stack_name(self) -> str:
        return stack_name_of(self.bay)

    @property
    def tag(self) -> str:
        """Marks the stack as made or changed by this operation."""
        return f"magnum-operation-{self.claim.uuid}"

    @property
    def rollback(self) -> bool:
        """Whether Heat is to go back to what was, should it fail to change the stack."""
        return bool(self.arguments.get("rollback"))

    @property
    def stack_timeout_minutes(self) -> int:
        return max(1, math.ceil(self._time_for_heat / timedelta(minutes=1)))

    def read_stack(self) -> StackState | None:
        """The stack as it is now, with outputs."""
        self.stack = self.stacks.get(self.stack_name, self.bay.stack_id) if self.bay.stack_id else None
        return self.stack

    # The driver

    @cached_property
    def driver(self) -> BayDriver:
        return driver_of(self.tools, self.bay)

    def wanted_stack(self, node_count: int, nodes_to_remove: tuple[str, ...] = ()) -> Stack:
        """The stack that is to exist."""
        spec = BaySpec(
            uuid=self.bay.uuid,
            name=self.bay.name or "",
            node_count=node_count,
            master_count=self.bay.master_count,
            baymodel=self.bay.baymodel,
            timeout=self._node_seconds(),
        )
        return self.driver.stack(spec, self._access(), nodes_to_remove)

    def outputs(self) -> BayOutputs:
        """What the stack says about the bay; of the stack as last read in this turn, if it was.

        :raises Transient: it is not to be seen
        """
        stack = self.stack or self.read_stack()
        if stack is None:
            raise Transient("The orchestration service does not show the bay's stack now.", tries=_TRIES_TO_SEE)
        return self.driver.outputs(stack.outputs)

    @property
    def _time_for_heat(self) -> timedelta:
        """Half of what is left where Heat may have to go back: it takes as long for that as for the change."""
        return self.time_left / 2 if self.rollback else self.time_left

    def _node_seconds(self) -> int:
        """A node that fails to come up is to be named by Heat, so Heat's wait for it ends before the deadline."""
        left = self._time_for_heat
        seconds = int((left - min(_MARGIN, left / 5)).total_seconds())
        return min(max(_SHORTEST_WAIT, seconds), _LONGEST_WAIT)

    def _access(self) -> NodeAccess:
        options = self.tools.conf.bay
        return NodeAccess(
            magnum_url=_root(options.magnum_url or self.tools.cloud.keystone.magnum_url()),
            magnum_ca=_read(options.openstack_ca_file),
            # Masters are made with the bay and never later.
            master_token=self._token(Role.MASTER) if self.claim.verb is Verb.CREATE else "",
            node_token=self._token(Role.NODE),
            ssh_authorized_keys=self.bay.ssh_authorized_keys,
        )

    def _token(self, role: Role) -> str:
        ttl = timedelta(seconds=self.tools.conf.bay.bootstrap_token_ttl)
        return self.tools.tokens.issue(BootstrapIdentity(self.bay.uuid, role, self.claim.uuid), ttl)


def load_bay(tools: Tools, bay_uuid: str) -> models.Bay:
    """The bay of an operation."""
    with tools.database.reader() as session:
        return resources.find(session, service_context(), models.Bay, bay_uuid)


def driver_of(tools: Tools, bay: models.Bay) -> BayDriver:
    """The driver of a bay's kind."""
    model = bay.baymodel
    return find_driver(model["server_type"], model.get("cluster_distro"), model["coe"], tools.drivers)


def stack_name_of(bay: models.Bay) -> str:
    """The name of a bay's stack, the same for all its life."""
    readable = re.sub(r"[^a-zA-Z0-9_.-]", "-", bay.name or "bay")[:_LONGEST_STACK_NAME]
    unique = bay.uuid.replace("-", "")[:_UUID_PART]
    return f"{readable}-{unique}" if readable[:1].isalpha() else f"bay-{unique}"


def user_of(tools: Tools, bay: models.Bay) -> BayUser:
    """The bay's own user."""
    if not (bay.trustee_user_id and bay.trustee_secret and bay.project_id):
        raise RuntimeError(f"bay {bay.uuid} has no user yet")
    return BayUser(bay.trustee_user_id, bay.project_id, tools.secrets.decrypt(bay.trustee_secret))


def _root(url: str) -> str:
    """Of Magnum's endpoint, which a catalog may give with its version."""
    return url.rstrip("/").removesuffix("/v1")


def _read(path: str) -> str:
    return Path(path).read_text(encoding="utf-8") if path else ""
