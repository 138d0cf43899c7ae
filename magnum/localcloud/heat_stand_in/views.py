"""Stacks, resources and events as Heat's API shows them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from magnum.localcloud.heat_stand_in.shapes import Group
from magnum.localcloud.heat_stand_in.stacks import (
    COMPLETE,
    CREATE,
    DELETE,
    FAILED,
    IN_PROGRESS,
    ROLLBACK,
    UPDATE,
    Leaf,
    Phase,
    Stack,
    physical_id,
    told,
)

_GROUP_TYPE = "OS::Heat::ResourceGroup"


@dataclass(frozen=True)
class Bay:
    """Where the bays of these stacks claim to be reached; nothing answers there."""

    address: str
    port: int


@dataclass(frozen=True)
class Viewer:
    """For whom things are shown: links begin with the URL of the project."""

    base: str
    now: float

    def link(self, project_id: str, name: str, stack_id: str, *rest: str) -> str:
        return "/".join((f"{self.base}/v1/{project_id}/stacks/{name}/{stack_id}", *rest))


@dataclass(frozen=True)
class _Place:
    """A resource: where it is, and the stack that it is in."""

    path: tuple[str, ...]
    type: str
    stack_name: str
    stack_id: str
    id: str
    nested: tuple[str, str] | None
    """Name and id of the stack that it is."""


def summary(viewer: Viewer, stack: Stack, *, with_project: bool = False) -> dict[str, Any]:
    """A stack in a list."""
    phase = stack.now(viewer.now)
    shown = {
        "id": stack.id,
        "links": _links(viewer, stack),
        "stack_name": stack.name,
        "description": stack.shape.description,
        "stack_status": f"{phase.action}_{phase.status}",
        "stack_status_reason": phase.reason,
        "creation_time": _time(stack.created_at),
        "updated_time": _time(stack.updated_at) if stack.updated_at else None,
        "deletion_time": _time(phase.at) if phase.is_gone else None,
        "stack_owner": stack.owner,
        "parent": None,
        "stack_user_project_id": physical_id(stack.id, "project").replace("-", ""),
        "tags": stack.tags or None,
    }
    return {**shown, "project": stack.project_id} if with_project else shown


def whole(viewer: Viewer, stack: Stack, bay: Bay, *, with_outputs: bool) -> dict[str, Any]:
    """A stack by itself."""
    given = {name: value if isinstance(value, str) else str(value) for name, value in _parameters(stack, viewer)}
    shown = {
        **summary(viewer, stack),
        "notification_topics": [],
        "parameters": given,
        "template_description": stack.shape.description,
        "capabilities": [],
        "disable_rollback": stack.disable_rollback,
        "timeout_mins": stack.timeout_minutes,
    }
    return {**shown, "outputs": _outputs(viewer, stack, bay)} if with_outputs else shown


def resources(viewer: Viewer, stack: Stack, depth: int) -> list[dict[str, Any]]:
    """The resources of a stack and of those nested in it, down to a depth."""
    phase = stack.now(viewer.now)
    return [
        _resource(viewer, stack, place, phase)
        for place in _places(stack, phase)
        if len(place.path) <= depth + 1 and not phase.is_gone
    ]


def events(viewer: Viewer, stack: Stack, depth: int) -> list[dict[str, Any]]:
    """What happened to it, newest first."""
    found = []
    for number, phase in enumerate(stack.until(viewer.now)):
        if phase.leaf is not None:
            failed = [place for place in _places(stack, phase) if place.path == phase.leaf.path[: len(place.path)]]
            for place in reversed(failed):
                if len(place.path) <= depth + 1:
                    found.append(_event_of_resource(viewer, stack, place, phase, number))
        found.append(_event_of_stack(viewer, stack, phase, number))
    return found[::-1]


def _parameters(stack: Stack, viewer: Viewer) -> Iterator[tuple[str, Any]]:
    yield "OS::stack_id", stack.id
    yield "OS::project_id", stack.project_id
    yield "OS::stack_name", stack.name
    yield from stack.parameters_now(viewer.now).items()


def _outputs(viewer: Viewer, stack: Stack, bay: Bay) -> list[dict[str, Any]]:
    values = {
        "api_address": bay.address,
        "api_port": bay.port,
        "coe_version": stack.parameters.get("coe_version"),
        "masters": _servers(viewer, stack, "masters"),
        "nodes": _servers(viewer, stack, "nodes"),
    }
    return [
        {"output_key": name, "description": text or "No description given", "output_value": values.get(name)}
        for name, text in stack.shape.outputs.items()
    ]


def _servers(viewer: Viewer, stack: Stack, group: str) -> list[dict[str, str]]:
    phase = stack.now(viewer.now)
    failed = phase.leaf.path[1:2] if phase.leaf and phase.leaf.path[0] == group else ()
    return [
        {
            "name": stack.member_name(group, index),
            "role": group.removesuffix("s"),
            "address": _address(group, index),
            "private_address": _address(group, index),
            "server_id": physical_id(stack.id, group, str(index), "server"),
        }
        for index in phase.members.get(group, [])
        if str(index) not in failed
    ]


def _address(group: str, index: int) -> str:
    """Of the range that is for documents: nobody is there."""
    return f"192.0.2.{(index if group == 'masters' else 10 + index) % 250 + 1}"


def _places(stack: Stack, phase: Phase) -> Iterator[_Place]:
    for name, kind in stack.shape.resources.items():
        yield _Place((name,), kind, stack.name, stack.id, physical_id(stack.id, name), None)
    for group in stack.shape.groups:
        own = _nested(stack.name, stack.id, group.name)
        yield _Place((group.name,), _GROUP_TYPE, stack.name, stack.id, own[1], own)
        for index in phase.members.get(group.name, []):
            yield from _members(stack, group, own, str(index))


def _members(stack: Stack, group: Group, own: tuple[str, str], index: str) -> Iterator[_Place]:
    path = (group.name, index)
    member = _nested(own[0], stack.id, *path) if group.inner else None
    identifier = member[1] if member else physical_id(stack.id, *path)
    yield _Place(path, group.member_type, *own, identifier, member)
    if member:
        for name, kind in group.inner.items():
            yield _Place((*path, name), kind, *member, physical_id(stack.id, *path, name), None)


def _nested(outer: str, stack_id: str, *path: str) -> tuple[str, str]:
    identifier = physical_id(stack_id, *path)
    return f"{outer}-{path[-1]}-{identifier.replace('-', '')[:12]}", identifier


def _resource(viewer: Viewer, stack: Stack, place: _Place, phase: Phase) -> dict[str, Any]:
    status, reason = _state(place, phase)
    links = [
        {"href": viewer.link(stack.project_id, place.stack_name, place.stack_id, "resources", place.path[-1])},
        {"href": viewer.link(stack.project_id, place.stack_name, place.stack_id)},
    ]
    relations = ["self", "stack"]
    if place.nested:
        links.append({"href": viewer.link(stack.project_id, *place.nested)})
        relations.append("nested")
    shown = {
        "updated_time": _time(stack.updated_at or stack.created_at),
        "creation_time": _time(stack.created_at),
        "logical_resource_id": place.path[-1],
        "resource_name": place.path[-1],
        "physical_resource_id": place.id,
        "resource_status": status,
        "resource_status_reason": reason,
        "resource_type": place.type,
        "links": [{**link, "rel": relation} for link, relation in zip(links, relations, strict=True)],
        "required_by": [],
    }
    return {**shown, "parent_resource": place.path[-2]} if len(place.path) > 1 else shown


def _state(place: _Place, phase: Phase) -> tuple[str, str]:
    """Status of a resource, and why."""
    action = UPDATE if phase.action == ROLLBACK else phase.action
    grouped = place.nested is not None or len(place.path) > 1
    if phase.leaf is not None and place.path == phase.leaf.path[: len(place.path)]:
        return f"{action}_{FAILED}", _reason(place, phase.leaf)
    if phase.status == FAILED and phase.leaf is None and grouped:
        return f"{action}_{FAILED}", f"{action} aborted (Task {action.lower()} Timed out)"
    if phase.status == IN_PROGRESS and grouped:
        return f"{action}_{IN_PROGRESS}", "state changed"
    return f"{CREATE if action == DELETE or not grouped else action}_{COMPLETE}", "state changed"


def _reason(place: _Place, leaf: Leaf) -> str:
    depth = len(place.path) - 1
    return told(leaf, depth) if place.path == leaf.path else told(leaf, depth + 1)


def _event_of_resource(viewer: Viewer, stack: Stack, place: _Place, phase: Phase, number: int) -> dict[str, Any]:
    status, reason = _state(place, phase)
    return _event(viewer, stack, (place.stack_name, place.stack_id), place.path, (status, reason), phase, number) | {
        "physical_resource_id": place.id
    }


def _event_of_stack(viewer: Viewer, stack: Stack, phase: Phase, number: int) -> dict[str, Any]:
    state = (f"{phase.action}_{phase.status}", phase.reason)
    return _event(viewer, stack, (stack.name, stack.id), (stack.name,), state, phase, number) | {
        "physical_resource_id": stack.id
    }


def _event(
    viewer: Viewer,
    stack: Stack,
    within: tuple[str, str],
    path: Sequence[str],
    state: tuple[str, str],
    phase: Phase,
    number: int,
) -> dict[str, Any]:
    identifier = physical_id(stack.id, "event", str(number), *path)
    resource = viewer.link(stack.project_id, *within, "resources", path[-1])
    return {
        "id": identifier,
        "links": [
            {"href": f"{resource}/events/{identifier}", "rel": "self"},
            {"href": resource, "rel": "resource"},
            {"href": viewer.link(stack.project_id, *within), "rel": "stack"},
            {"href": viewer.link(stack.project_id, stack.name, stack.id), "rel": "root_stack"},
        ],
        "event_time": _time(phase.at),
        "logical_resource_id": path[-1],
        "resource_name": path[-1],
        "resource_status": state[0],
        "resource_status_reason": state[1],
    }


def _links(viewer: Viewer, stack: Stack) -> list[dict[str, str]]:
    return [{"href": viewer.link(stack.project_id, stack.name, stack.id), "rel": "self"}]


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
