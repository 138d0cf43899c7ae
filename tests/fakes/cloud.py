"""Keystone, Heat and the bays that Heat builds, in memory, behind the same methods as the real clients.

Each call is counted. A call can be made to fail, before or after it has had its effect: the latter is an answer that
was lost. Stacks settle when they are told to, or at the next look where ``heat.at_once`` is set.
"""

import builtins
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from magnum.clients.errors import NotAccepted, Permanent
from magnum.clients.heat import FailedUpdate, StackResource, StackState
from magnum.clients.keystone import BayUser
from magnum.coe.leftovers import Leftover
from magnum.coe.nodes import Node
from magnum.coe.workloads import Workload
from magnum.common.exception import BayUnreachable, NotFound
from magnum.common.idents import new_uuid
from magnum.db import models

SERVICE = "service"


class Calls:
    """Counts calls, and lets some of them fail."""

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()
        self._before: dict[str, list[Exception]] = {}
        self._after: dict[str, list[Exception]] = {}
        self.listeners: list[Callable[[str], None]] = []
        self._lock = threading.Lock()

    def fail(self, name: str, error: Exception, times: int = 1, *, after: bool = False) -> None:
        """Let the next calls of this name fail."""
        (self._after if after else self._before).setdefault(name, []).extend([error] * times)

    @contextmanager
    def call(self, name: str) -> Iterator[None]:
        with self._lock:
            self.count[name] += 1
        self._raise(self._before.get(name))
        yield
        for listener in self.listeners:
            listener(name)
        self._raise(self._after.get(name))

    def _raise(self, planned: list[Exception] | None) -> None:
        with self._lock:
            if planned:
                raise planned.pop(0)


class FakeKeystone:
    """Users of bays by bay."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.users: dict[str, tuple[str, str, str]] = {}  # bay -> id, password, project

    def ensure_user(self, bay_uuid: str, password: str, project_id: str) -> str:
        with self.calls.call("keystone.ensure_user"):
            user_id = self.users[bay_uuid][0] if bay_uuid in self.users else new_uuid()
            self.users[bay_uuid] = (user_id, password, project_id)
        return user_id

    def delete_user(self, bay_uuid: str, _user_id: str | None = None) -> None:
        with self.calls.call("keystone.delete_user"):
            self.users.pop(bay_uuid, None)

    def magnum_url(self) -> str:
        return "http://magnum.test/v1"

    def accepts(self, user: BayUser) -> bool:
        with self.calls.call("keystone.accepts"):
            return self.knows(user)

    def knows(self, user: BayUser) -> bool:
        return (user.id, user.password, user.project_id) in self.users.values()


@dataclass
class FakeStack:
    """A stack; ``nodes`` are the names of its workers."""

    id: str
    name: str
    project_id: str
    tag: str
    wanted: dict[str, Any]
    timeout_minutes: int
    action: str = "CREATE"
    status: str = "IN_PROGRESS"
    reason: str = ""
    nodes: list[str] = field(default_factory=list)
    made: int = 0
    rollback: bool = False
    before: dict[str, Any] = field(default_factory=dict)
    failed: FailedUpdate = field(default_factory=lambda: FailedUpdate("", []))
    resources: list[StackResource] = field(default_factory=list)
    changes: int = 0
    updates: list[int] = field(default_factory=list)
    """Which of the changes were updates."""

    def settle(self) -> None:
        """What Heat was asked for is done."""
        removed = self.wanted["nodes_to_remove"]
        self.nodes = [name for name in self.nodes if name not in removed]
        while len(self.nodes) > self.wanted["node_count"]:
            self.nodes.pop()
        while len(self.nodes) < self.wanted["node_count"]:
            self.nodes.append(f"{self.name}-node-{self.made}")
            self.made += 1
        self.status = "COMPLETE"

    def fail(self, reason: str, resources: Iterable[StackResource] = ()) -> None:
        self.status, self.reason, self.resources = "FAILED", reason, list(resources)

    def begin_rollback(self, reason: str, resources: Iterable[StackResource] = ()) -> None:
        """The change has failed, and Heat goes back to what was; what failed is gone at once, but for the events."""
        self.failed = FailedUpdate(reason, list(resources))
        self.action, self.status, self.reason = "ROLLBACK", "IN_PROGRESS", "Stack ROLLBACK started"
        self.wanted, self.resources = self.before, []


class FakeHeat:
    """All stacks of the cloud."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.stacks: dict[str, FakeStack] = {}
        self.at_once = False
        self.sees_all = True
        """Whether Magnum's own user may see every project's stacks."""

    @contextmanager
    def unseen(self) -> Iterator[None]:
        """Within it Heat knows of no stack, as one with a database that is behind."""
        hidden = dict(self.stacks)
        self.stacks.clear()
        yield
        self.stacks.update(hidden)

    def only(self) -> FakeStack:
        """The one stack there is."""
        (stack,) = self.stacks.values()
        return stack


def _wanted(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {**arguments["parameters"], **arguments["environment"]["parameter_defaults"]}


class FakeStacks:
    """Heat as one user sees it; the service sees all, where it may."""

    def __init__(self, heat: FakeHeat, project_id: str) -> None:
        self._heat = heat
        self._project = project_id

    def create(self, name: str, arguments: Mapping[str, Any], tag: str, timeout_minutes: int) -> str:
        with self._heat.calls.call("heat.create"):
            known = self._named(name)
            if known is None:
                known = FakeStack(new_uuid(), name, self._project, tag, _wanted(arguments), timeout_minutes)
                self._heat.stacks[known.id] = known
        return known.id

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
        with self._heat.calls.call("heat.update"):
            stack = self._mine(stack_id)
            if stack is None or stack.name != name:
                raise Permanent("The Stack could not be found.", 404)
            stack.action, stack.status, stack.tag = "UPDATE", "IN_PROGRESS", tag
            stack.before, stack.wanted, stack.rollback = stack.wanted, _wanted(arguments), rollback
            stack.timeout_minutes = timeout_minutes
            stack.changes += 1
            stack.updates.append(stack.changes)

    def delete(self, name: str, stack_id: str) -> None:
        with self._heat.calls.call("heat.delete"):
            stack = self._mine(stack_id)
            if stack is not None and stack.name == name:
                stack.action, stack.status = "DELETE", "IN_PROGRESS"

    def find(self, name: str) -> StackState | None:
        with self._heat.calls.call("heat.find"):
            return self._state(self._named(name))

    def named(self, name: str) -> list[StackState]:
        with self._heat.calls.call("heat.named"):
            found = [
                self._state(item) for item in [*self._heat.stacks.values()] if item.name == name and self._may(item)
            ]
            return [state for state in found if state is not None]

    def get(self, name: str, stack_id: str) -> StackState | None:
        with self._heat.calls.call("heat.get"):
            return self._state(self._mine(stack_id))

    def states(self, stack_ids: Iterable[str]) -> dict[str, StackState]:
        ids = list(stack_ids)
        with self._heat.calls.call("heat.states"):
            if self._project == SERVICE and not self._heat.sees_all:
                return {}
            found = {stack_id: self._state(self._mine(stack_id)) for stack_id in ids}
            return {stack_id: state for stack_id, state in found.items() if state is not None}

    def resources(self, name: str, stack_id: str) -> list[StackResource]:
        with self._heat.calls.call("heat.resources"):
            stack = self._mine(stack_id)
            return list(stack.resources) if stack else []

    def last_change(self, name: str, stack_id: str, since: str) -> str | None:
        with self._heat.calls.call("heat.last_change"):
            stack = self._mine(stack_id)
            own = int(since.removeprefix("change "))
            return "UPDATE" if stack and any(number > own for number in stack.updates) else None

    def failed_update(self, name: str, stack_id: str) -> FailedUpdate:
        with self._heat.calls.call("heat.failed_update"):
            stack = self._mine(stack_id)
            return stack.failed if stack else FailedUpdate("", [])

    def _named(self, name: str) -> FakeStack | None:
        return next((item for item in self._heat.stacks.values() if item.name == name and self._may(item)), None)

    def _mine(self, stack_id: str) -> FakeStack | None:
        stack = self._heat.stacks.get(stack_id)
        return stack if stack is not None and self._may(stack) else None

    def _may(self, stack: FakeStack) -> bool:
        return stack.project_id == self._project or (self._project == SERVICE and self._heat.sees_all)

    def _state(self, stack: FakeStack | None) -> StackState | None:
        if stack is None:
            return None
        if self._heat.at_once and stack.status == "IN_PROGRESS":
            if stack.action == "DELETE":
                del self._heat.stacks[stack.id]
                stack.status = "COMPLETE"
            else:
                stack.settle()
        outputs = {"nodes": list(stack.nodes), "name": stack.name}
        changed_at = f"change {stack.changes}"
        return StackState(
            stack.id, stack.name, stack.action, stack.status, stack.reason, (stack.tag,), outputs, changed_at
        )


@dataclass
class FakeBay:
    """A running bay, as long as it answers. Its nodes are its stack's, and those Kubernetes was not told to forget."""

    stack: FakeStack | None = None
    answers: bool = True
    forgotten: set[str] = field(default_factory=set)
    seen: list[str] = field(default_factory=list)
    pods: dict[str, int] = field(default_factory=dict)
    stubborn: list[str] = field(default_factory=list)
    drained: list[str] = field(default_factory=list)
    closed: set[str] = field(default_factory=set)
    objects: dict[str, dict[str, Workload]] = field(default_factory=dict)
    leftovers: list[Leftover] = field(default_factory=list)
    ready: bool = True
    not_ready: set[str] = field(default_factory=set)

    def healthy(self) -> bool:
        return self.ready

    def remove_leftovers(self) -> builtins.list[Leftover]:
        return [*self.leftovers]

    def list_nodes(self) -> list[Node]:
        names = [f"{self.stack.name}-master-0"] if self.stack else []
        self.seen = sorted({*self.seen, *(self.stack.nodes if self.stack else [])} - self.forgotten)
        return [
            Node(
                f"uid-{name}",
                name,
                "master" if "-master-" in name else "node",
                name not in self.not_ready,
                None,
                ["10.0.0.1"],
                "v1.20.2",
            )
            for name in [*names, *self.seen]
        ]

    def pods_per_node(self) -> dict[str, int]:
        return {node.name: self.pods.get(node.name, 0) for node in self.list_nodes()}

    def drain(self, name: str, timeout: float) -> list[str]:
        self.drained.append(name)
        self.closed.add(name)
        return list(self.stubborn)

    def uncordon(self, name: str) -> bool:
        was_closed = name in self.closed
        self.closed.discard(name)
        return was_closed

    def delete_node(self, name: str) -> None:
        self.forgotten.add(name)

    def list(self, kind: str) -> list[Workload]:
        return list(self.objects.get(kind, {}).values())

    def create(self, kind: str, manifest: Mapping[str, Any]) -> Workload:
        made = _workload(manifest, new_uuid())
        self.objects.setdefault(kind, {})[made.name] = made
        return made

    def replace(self, kind: str, name: str, manifest: Mapping[str, Any]) -> Workload:
        old = self.objects.get(kind, {}).get(name)
        if old is None:
            raise NotFound(f"{name} does not exist in the bay.")
        self.objects[kind][name] = _workload(manifest, old.uid)
        return self.objects[kind][name]

    def delete(self, kind: str, name: str) -> None:
        self.objects.get(kind, {}).pop(name, None)


class FakeBays:
    """The way to running bays."""

    def __init__(self, heat: FakeHeat) -> None:
        self._heat = heat
        self.bays: dict[str, FakeBay] = {}

    def of(self, bay_uuid: str) -> FakeBay:
        return self.bays.setdefault(bay_uuid, FakeBay())

    def forget(self, bay_uuid: str) -> None:
        self.bays.pop(bay_uuid, None)

    @contextmanager
    def open(self, bay: models.Bay) -> Iterator[Any]:
        running = self.of(bay.uuid)
        running.stack = self._heat.stacks.get(bay.stack_id or "")
        if not running.answers:
            raise BayUnreachable("The bay's API does not answer.")
        yield running


class FakeCloud:
    """What `magnum.clients.cloud.Cloud` is, in memory."""

    def __init__(self) -> None:
        self.calls = Calls()
        self.keystone = FakeKeystone(self.calls)
        self.heat = FakeHeat(self.calls)
        self.bays = FakeBays(self.heat)

    def stacks(self, user: BayUser) -> FakeStacks:
        if not self.keystone.knows(user):
            raise NotAccepted("The orchestration service does not accept the bay's user.", tries=4)
        return FakeStacks(self.heat, user.project_id)

    def all_stacks(self) -> FakeStacks:
        return FakeStacks(self.heat, SERVICE)


def _workload(manifest: Mapping[str, Any], uid: str) -> Workload:
    metadata = manifest["metadata"]
    replicas = manifest.get("spec", {}).get("replicas")
    return Workload(uid, metadata["name"], metadata.get("labels", {}), status="Pending", replicas=replicas)
