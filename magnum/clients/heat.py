"""Heat: the stacks of bays, as the user of a bay or as Magnum itself sees them.

A stack is spoken of by name and id together where both are known: by one of them alone Heat answers with a redirect.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from heatclient import exc
from heatclient.v1.client import Client
from keystoneauth1 import exceptions as ka
from keystoneauth1.session import Session
from oslo_config import cfg
from oslo_log import log

from magnum.clients.errors import NotAccepted, Permanent, Transient, from_status, translated, unreadable
from magnum.common import metrics

LOG = log.getLogger(__name__)

_SERVICE = "orchestration"
_IDS_PER_CALL = 150  # an id takes 40 characters of a URL, and servers take about 8,000
_DEPTH = 5
_NEVER = "9999"
_BEGUN = "_IN_PROGRESS"
HARMLESS = frozenset({"CHECK", "SNAPSHOT"})
"""Actions that Heat counts as changes of a stack, and that leave it as it was."""
_EVENT_DELAY = timedelta(seconds=5)
"""So much later than the change of the stack at most is the time of the event that tells of it."""
_TRIES_WITH_NEW_TOKEN = 4


@dataclass(frozen=True)
class StackState:
    """A stack as Heat has it; ``outputs`` only where they were asked for."""

    id: str
    name: str
    action: str
    status: str
    reason: str
    tags: Sequence[str] = ()
    outputs: Mapping[str, Any] = field(default_factory=dict)
    changed_at: str = ""
    """When it was made or last changed; to be compared with what was said before, and nothing else."""

    @property
    def settled(self) -> bool:
        """Whether nothing is being done to it."""
        return self.status != "IN_PROGRESS"


@dataclass(frozen=True)
class StackResource:
    """A resource of a stack or of one nested in it; ``path`` leads to it from the outermost stack."""

    path: tuple[str, ...]
    type: str
    status: str
    reason: str
    physical_id: str
    nested: bool


@dataclass(frozen=True)
class FailedUpdate:
    """How an update failed: what the stack said then, and the resources that failed, in it and in nested ones."""

    reason: str
    resources: Sequence[StackResource]


class Stacks:
    """Stacks as the user of one session sees them."""

    def __init__(self, conf: cfg.ConfigOpts, session: Session) -> None:
        options = conf.heat_client
        self._client = Client(
            session=session,
            service_type=_SERVICE,
            interface=options.endpoint_type,
            region_name=options.region_name,
        )

    def create(self, name: str, arguments: Mapping[str, Any], tag: str, timeout_minutes: int) -> str:
        """Have Heat create a stack, unless it has one of this name; answers the id of the one or the other.

        After `Transient` it may exist or not, and the call can be made again.

        :param arguments: template, files, parameters and environment
        """
        with _translated("create"):
            try:
                answer = self._client.stacks.create(
                    stack_name=name, tags=tag, timeout_mins=timeout_minutes, disable_rollback=True, **arguments
                )
            except exc.HTTPConflict as conflict:
                try:
                    return str(self._client.stacks.get(name, resolve_outputs=False).id)
                except exc.HTTPNotFound:
                    raise conflict from None  # the stack of this name has gone since, or it was about another thing
        return str(answer["stack"]["id"])

    def update(
        self,
        name: str,
        stack_id: str,
        arguments: Mapping[str, Any],
        tag: str,
        timeout_minutes: int,
        *,
        rollback: bool = False,
    ) -> None:
        """Have Heat change a stack.

        :param rollback: where the change fails, Heat goes back to what was; it takes as long for that at most
        """
        with _translated("update"):
            self._client.stacks.update(
                f"{name}/{stack_id}",
                tags=tag,
                timeout_mins=timeout_minutes,
                disable_rollback=not rollback,  # said each time, as Heat would go on with what the last change had
                **arguments,
            )

    def delete(self, name: str, stack_id: str) -> None:
        """Have Heat delete a stack; one that is gone already is fine."""
        with _translated("delete"):
            try:
                self._client.stacks.delete(f"{name}/{stack_id}")
            except exc.HTTPNotFound:
                return

    def find(self, name: str) -> StackState | None:
        """The stack of this name, without outputs; None where there is none."""
        with _translated("find"):
            try:
                return _state(self._client.stacks.get(name, resolve_outputs=False))
            except exc.HTTPNotFound:
                return None

    def named(self, name: str) -> list[StackState]:
        """Every stack of this name: by chance Heat makes two of them."""
        with _translated("list"):
            return [_state(stack) for stack in self._client.stacks.list(filters={"name": name})]

    def get(self, name: str, stack_id: str) -> StackState | None:
        """The stack with its outputs; None where it is gone."""
        with _translated("get"):
            try:
                return _state(self._client.stacks.get(f"{name}/{stack_id}"))
            except exc.HTTPNotFound:
                return None

    def states(self, stack_ids: Iterable[str]) -> dict[str, StackState]:
        """Those of these stacks that this user may see, in as few calls as their number allows."""
        found = {}
        for chunk in _chunks(stack_ids):
            with _translated("states"):
                for stack in self._client.stacks.list(filters={"id": chunk}):
                    found[str(stack.id)] = _state(stack)
        return found

    def resources(self, name: str, stack_id: str) -> list[StackResource]:
        """All resources of a stack and of those nested in it."""
        with _translated("resources"):
            return _resources(self._client.resources.list(f"{name}/{stack_id}", nested_depth=_DEPTH))

    def last_change(self, name: str, stack_id: str, since: str) -> str | None:
        """What was last done to a stack since a change of it, as Heat's events tell: the stack says its last action
        alone, and that may be one of those that change nothing. None where there were only such.

        :param since: that change, as `StackState.changed_at` gave it
        """
        with _translated("last_change"):
            found = self._client.events.list(f"{name}/{stack_id}")
        own = datetime.fromisoformat(since) + _EVENT_DELAY
        begun = [
            (datetime.fromisoformat(item.event_time), item.resource_status.removesuffix(_BEGUN))
            for item in found
            if item.physical_resource_id == stack_id and item.resource_status.endswith(_BEGUN)
        ]
        changes = sorted((time, action) for time, action in begun if time > own and action not in HARMLESS)
        return changes[-1][1] if changes else None

    def failed_update(self, name: str, stack_id: str) -> FailedUpdate:
        """How the last update of a stack failed, as Heat's events tell: a rollback removes what failed."""
        with _translated("failed_update"):
            found = self._client.events.list(f"{name}/{stack_id}", nested_depth=_DEPTH)
        return _failed_update(found, stack_id, self.resources(name, stack_id))


def _chunks(stack_ids: Iterable[str]) -> Iterator[list[str]]:
    remaining = iter(stack_ids)
    while chunk := list(islice(remaining, _IDS_PER_CALL)):
        yield chunk


@contextmanager
def _translated(call: str) -> Iterator[None]:
    """Within it errors become ours, and what came of the call is counted."""
    with metrics.timed(metrics.HEAT_CALLS, call=call, result="ok") as labels:
        try:
            with _errors_of_heat():
                yield
        except Transient:
            labels["result"] = "unavailable"
            raise
        except Permanent:
            labels["result"] = "refused"
            raise


@contextmanager
def _errors_of_heat() -> Iterator[None]:
    with translated(_SERVICE):
        try:
            yield
        except exc.HTTPConflict as error:
            raise Transient(f"The {_SERVICE} service is busy with this stack: {_message(error)}") from error
        except exc.HTTPException as error:
            raise _from_answer(error) from error
        except exc.CommunicationError as error:
            raise Transient(f"The {_SERVICE} service does not answer.") from error
        except ka.Unauthorized as error:
            raise _not_accepted() from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:  # heatclient does not look before it reads
            LOG.warning("An answer of Heat cannot be read.", exc_info=True)
            raise unreadable(_SERVICE) from error


def _from_answer(error: exc.HTTPException) -> Exception:
    code = error.code if isinstance(error.code, int) else 500
    return _not_accepted() if code == 401 else from_status(_SERVICE, code, _message(error))


def _not_accepted() -> NotAccepted:
    """A Keystone of several databases may not know everywhere yet the user that it has just made, and takes tokens for
    revoked that were issued in the second in which the user's password was set."""
    return NotAccepted(f"The {_SERVICE} service does not accept the bay's user.", tries=_TRIES_WITH_NEW_TOKEN)


def _message(error: exc.HTTPException) -> str:
    details = error.error.get("error") if isinstance(error.error, dict) else None
    message = details.get("message") if isinstance(details, dict) else None
    return str(message or error.__class__.__name__)


def _state(stack: Any) -> StackState:
    action, _, status = stack.stack_status.partition("_")
    outputs = getattr(stack, "outputs", None) or []
    return StackState(
        id=str(stack.id),
        name=stack.stack_name,
        action=action,
        status=status,
        reason=stack.stack_status_reason or "",
        tags=tuple(getattr(stack, "tags", None) or ()),
        changed_at=str(getattr(stack, "updated_time", None) or getattr(stack, "creation_time", None) or ""),
        outputs={item["output_key"]: item.get("output_value") for item in outputs},
    )


def _resources(found: Iterable[Any]) -> list[StackResource]:
    every = list(found)
    inside = {item.physical_resource_id: item for item in every if _link(item, "nested")}
    return [
        StackResource(
            path=_path(item, inside),
            type=item.resource_type,
            status=item.resource_status,
            reason=item.resource_status_reason or "",
            physical_id=item.physical_resource_id or "",
            nested=bool(_link(item, "nested")),
        )
        for item in every
    ]


def _failed_update(events: Sequence[Any], stack_id: str, others: Sequence[StackResource]) -> FailedUpdate:
    """Of all events those between the start of the last update and that of its rollback.

    Their times are whole seconds, and what happens in one second has no order.

    :param others: what is in the stack now; events name no types, and members of a group are made of the same
    """
    types = {item.path[-1]: item.type for item in others}
    of_stack = [item for item in events if _is_of_stack(item) and item.physical_resource_id == stack_id]
    started = max((item.event_time for item in of_stack if item.resource_status == "UPDATE_IN_PROGRESS"), default="")
    undone = (item.event_time for item in of_stack if item.resource_status.startswith("ROLLBACK_"))
    over = min((time for time in undone if time >= started), default=_NEVER)
    failed = [
        item for item in events if started <= item.event_time <= over and item.resource_status.endswith("_FAILED")
    ]
    reasons = [item.resource_status_reason for item in failed if item in of_stack]
    owners = {item.physical_resource_id: item for item in events if not _is_of_stack(item)}
    nested = {_link(item, "stack").rpartition("/")[2] for item in events}
    resources = [
        StackResource(
            path=_path(item, owners),
            type=types.get(item.resource_name, ""),
            status=item.resource_status,
            reason=item.resource_status_reason or "",
            physical_id=item.physical_resource_id or "",
            nested=item.physical_resource_id in nested,
        )
        for item in failed
        # What is in a nested stack of which nothing is told any more is told by the resources around it.
        if not _is_of_stack(item) and _link(_outermost(item, owners), "stack").endswith(f"/{stack_id}")
    ]
    return FailedUpdate((reasons[-1] if reasons else None) or "", resources)


def _is_of_stack(event: Any) -> bool:
    """Whether it tells of a stack itself, not of a resource in it."""
    return bool(event.physical_resource_id) and _link(event, "stack").endswith(f"/{event.physical_resource_id}")


def _path(item: Any, inside: Mapping[str, Any]) -> tuple[str, ...]:
    """From the outermost stack: a nested stack is the physical resource of the resource it belongs to."""
    return tuple(owner.resource_name for owner in reversed(_owners(item, inside)))


def _outermost(item: Any, inside: Mapping[str, Any]) -> Any:
    return _owners(item, inside)[-1]


def _owners(item: Any, inside: Mapping[str, Any]) -> list[Any]:
    """The resource, that to which its stack belongs, and so on."""
    found = [item]
    for _ in range(_DEPTH):
        owner = inside.get(_link(found[-1], "stack").rpartition("/")[2])
        if owner is None:
            break
        found.append(owner)
    return found


def _link(item: Any, relation: str) -> str:
    return next((str(link["href"]) for link in item.links or () if link["rel"] == relation), "")
