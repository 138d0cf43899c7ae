"""A stack, and what becomes of it when it is made, changed and deleted."""

import uuid
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from magnum.localcloud.heat_stand_in.shapes import Group, Shape

CREATE, UPDATE, DELETE, ROLLBACK = "CREATE", "UPDATE", "DELETE", "ROLLBACK"
IN_PROGRESS, COMPLETE, FAILED = "IN_PROGRESS", "COMPLETE", "FAILED"
_DEFAULT_TIMEOUT_MINUTES = 60
_BEFORE_ROLLBACK_SECONDS = 0.3

Members = dict[str, list[int]]


class ActionRefused(Exception):
    """The stack's state does not allow it; the message is Heat's."""


@dataclass(frozen=True)
class Leaf:
    """A resource that fails: ``path`` leads to it, as ``nodes.0.server`` or ``network``."""

    path: tuple[str, ...]
    message: str


@dataclass(frozen=True)
class Course:
    """How an action is to go."""

    seconds: float
    leaf: Leaf | None = None
    hangs: bool = False
    spread: float = 0.0
    """By which part the seconds may be more or fewer, stack by stack."""

    def seconds_of(self, stack_id: str) -> float:
        place = zlib.crc32(stack_id.encode()) / 0xFFFFFFFF * 2 - 1
        return self.seconds * (1 + self.spread * place)


@dataclass(frozen=True)
class Phase:
    """What a stack is from a moment on."""

    at: float
    action: str
    status: str
    reason: str
    members: Members
    leaf: Leaf | None = None
    hangs: bool = False
    undone: bool = False
    """Whether the parameters are those of before the last change again."""

    @property
    def ends(self) -> bool:
        return self.status != IN_PROGRESS

    @property
    def is_gone(self) -> bool:
        return (self.action, self.status) == (DELETE, COMPLETE)


@dataclass
class Stack:
    """A stack with all that was, and all that is planned."""

    id: str
    name: str
    project_id: str
    owner: str
    tags: list[str]
    shape: Shape
    parameters: dict[str, Any]
    timeout_minutes: int
    disable_rollback: bool
    created_at: float
    updated_at: float | None = None
    parameters_before: dict[str, Any] = field(default_factory=dict)
    removed: Members = field(default_factory=dict)
    """Indices that a group uses no more."""
    phases: list[Phase] = field(default_factory=list)

    def now(self, now: float) -> Phase:
        """The phase it is in."""
        return self.until(now)[-1]

    def until(self, now: float) -> list[Phase]:
        """The phases that have begun, oldest first."""
        return [phase for phase in self.phases if phase.at <= now] or self.phases[:1]

    def parameters_now(self, now: float) -> dict[str, Any]:
        return self.parameters_before if self.now(now).undone else self.parameters

    def create(self, now: float, course: Course) -> None:
        self.phases = self._plan(now, CREATE, course, before={}, after=self._wanted({}))

    def update(
        self,
        now: float,
        course: Course,
        parameters: Mapping[str, Any],
        tags: Sequence[str],
        timeout_minutes: int,
        *,
        disable_rollback: bool,
    ) -> None:
        """Change it. One that is being made or changed already may be: Heat goes on with what is wanted last.

        :raises ActionRefused: it is being deleted
        """
        current = self.now(now)
        if current.action == DELETE:
            raise ActionRefused("Updating a stack when it is deleting is not supported.")
        self.parameters_before = self.parameters_now(now)
        self.parameters = dict(parameters)
        self.tags = list(tags)
        self.timeout_minutes, self.disable_rollback, self.updated_at = timeout_minutes, disable_rollback, now
        before = current.members
        planned = self._plan(now, UPDATE, course, before, after=self._wanted(before))
        self.phases = [*self.until(now), *planned]

    def delete(self, now: float, course: Course) -> None:
        current = self.now(now)
        if (current.action, current.status) == (DELETE, IN_PROGRESS) and not current.hangs:
            return
        self.updated_at = now
        self.phases = [*self.until(now), *self._plan(now, DELETE, course, current.members, after={})]

    def _plan(self, now: float, action: str, course: Course, before: Members, after: Members) -> list[Phase]:
        limit = (self.timeout_minutes or _DEFAULT_TIMEOUT_MINUTES) * 60.0
        seconds = course.seconds_of(self.id)
        word = action.capitalize()
        during = before if action == DELETE else after
        begun = Phase(now, action, IN_PROGRESS, f"Stack {action} started", during, hangs=course.hangs)
        if course.hangs or seconds > limit:
            end = Phase(now + limit, action, FAILED, f"{word} timed out", during)
        elif course.leaf is not None:
            leaf = self._placed(course.leaf, during)
            end = Phase(now + seconds, action, FAILED, f"Resource {action} failed: {_as_told(leaf)}", during, leaf)
        else:
            end = Phase(now + seconds, action, COMPLETE, f"Stack {action} completed successfully", after)
        if action != UPDATE or self.disable_rollback or end.status == COMPLETE:
            return [begun, end]
        back = end.at + _BEFORE_ROLLBACK_SECONDS
        started = f"Stack ROLLBACK started ({end.reason})"
        done = f"Stack ROLLBACK completed ({end.reason})"
        return [
            begun,
            end,
            Phase(back, ROLLBACK, IN_PROGRESS, started, before, undone=True),
            Phase(back + seconds, ROLLBACK, COMPLETE, done, before, undone=True),
        ]

    def _wanted(self, before: Members) -> Members:
        return {group.name: self._wanted_of(group, before.get(group.name, [])) for group in self.shape.groups}

    def _wanted_of(self, group: Group, before: list[int]) -> list[int]:
        """As a resource group does it: who is named goes for ever, else the first numbers are used."""
        names = self.parameters.get(group.removed) or []
        gone = self.removed.setdefault(group.name, [])
        gone.extend(index for index in before if self.member_name(group.name, index) in names and index not in gone)
        count = int(self.parameters.get(group.count) or 0)
        free = (index for index in range(count + len(gone)) if index not in gone)
        return [index for _, index in zip(range(count), free, strict=False)]

    def member_name(self, group: str, index: int) -> str:
        """What a server of the bay is called."""
        return f"{self.parameters.get('name_prefix') or self.name}-{group.removesuffix('s')}-{index}"

    def _placed(self, leaf: Leaf, members: Members) -> Leaf:
        """The same in a member that there is."""
        group, *rest = leaf.path
        if group not in members or not rest:
            return leaf
        there = [str(index) for index in members[group]]
        if not there:
            return Leaf((group,), leaf.message)
        return Leaf((group, rest[0] if rest[0] in there else there[-1], *rest[1:]), leaf.message)

    # Keeping

    def as_data(self) -> dict[str, Any]:
        return {**asdict(self), "shape": self.shape.as_data()}

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> "Stack":
        phases = [Phase(**{**phase, "leaf": _leaf_of(phase["leaf"])}) for phase in data["phases"]]
        return cls(**{**data, "shape": Shape.of_data(data["shape"]), "phases": phases})


def physical_id(stack_id: str, *path: str) -> str:
    """The id of a resource, the same each time; of a group and of its members it is their stack's."""
    return str(uuid.uuid5(uuid.UUID(stack_id), ".".join(path)))


def told(leaf: Leaf, depth: int) -> str:
    """What the resource at this depth of the path says about the failure."""
    inner = leaf.path[depth:]
    if len(inner) == 1:
        return f"ResourceInError: {_place(leaf.path, depth)}: {leaf.message}"
    places = ".".join(_place(leaf.path, position) for position in range(depth, len(leaf.path)))
    return f"ResourceInError: {places}: {leaf.message}"


def _as_told(leaf: Leaf) -> str:
    return told(leaf, 0)


def _place(path: Sequence[str], position: int) -> str:
    name = path[position]
    return f"resources[{name}]" if name.isdigit() else f"resources.{name}"


def _leaf_of(data: Mapping[str, Any] | None) -> Leaf | None:
    return Leaf(tuple(data["path"]), data["message"]) if data else None
