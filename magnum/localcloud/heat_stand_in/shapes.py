"""What a template will make, as far as it shows in lists of resources: names and types, and groups with their members.

Conditions are not evaluated: a resource that has one is left out.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

import yaml

_GROUP = "OS::Heat::ResourceGroup"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class BadTemplate(Exception):
    """Heat would refuse it; the message says why, in its words."""


@dataclass(frozen=True)
class Group:
    """A resource group. ``count`` and ``removed`` are names of the parameters that decide about its members."""

    name: str
    count: str
    removed: str
    member_type: str
    inner: Mapping[str, str] = field(default_factory=dict)
    """Resources of each member, type by name; none where a member is a plain resource."""


@dataclass(frozen=True)
class Shape:
    """A template, read."""

    description: str
    parameters: frozenset[str]
    required: frozenset[str]
    resources: Mapping[str, str]
    groups: tuple[Group, ...]
    outputs: Mapping[str, str]

    def as_data(self) -> dict[str, Any]:
        data = asdict(self)
        return {**data, "parameters": sorted(self.parameters), "required": sorted(self.required)}

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> "Shape":
        return cls(
            description=data["description"],
            parameters=frozenset(data["parameters"]),
            required=frozenset(data["required"]),
            resources=data["resources"],
            groups=tuple(Group(**group) for group in data["groups"]),
            outputs=data["outputs"],
        )


def read(template: Any, files: Mapping[str, str], parameters: Mapping[str, Any]) -> Shape:
    """The shape of a template that may be used with these parameters.

    :raises BadTemplate: it may not
    """
    if isinstance(template, str):
        included = tuple(sorted((name, text) for name, text in files.items() if name.endswith((".yaml", ".yml"))))
        shape = _of_text(template, included)
    else:
        shape = _shape(_checked(template), files)
    for name in parameters:
        if name not in shape.parameters:
            raise BadTemplate(f"The Parameter ({name}) was not defined in template.")
    for name in sorted(shape.required):
        if name not in parameters:
            raise BadTemplate(f"The Parameter ({name}) was not provided.")
    return shape


@lru_cache(maxsize=32)
def _of_text(template: str, included: tuple[tuple[str, str], ...]) -> Shape:
    return _shape(_parsed(template), dict(included))


def _parsed(text: str) -> dict[str, Any]:
    try:
        return _checked(yaml.load(text, Loader=_LOADER))  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise BadTemplate(f"Error parsing template: {error}") from error


def _checked(template: Any) -> dict[str, Any]:
    if not isinstance(template, dict) or "heat_template_version" not in template:
        raise BadTemplate("The template version is invalid: Template version was not provided")
    return template


def _shape(template: dict[str, Any], files: Mapping[str, str]) -> Shape:
    parameters = template.get("parameters") or {}
    resources, groups = {}, []
    for name, resource in (template.get("resources") or {}).items():
        if resource.get("type") == _GROUP:
            groups.append(_group(name, resource.get("properties") or {}, files))
        elif "condition" not in resource:
            resources[name] = str(resource.get("type"))
    outputs = template.get("outputs") or {}
    return Shape(
        description=str(template.get("description") or ""),
        parameters=frozenset(parameters),
        required=frozenset(name for name, definition in parameters.items() if "default" not in (definition or {})),
        resources=resources,
        groups=tuple(groups),
        outputs={name: str((output or {}).get("description") or "") for name, output in outputs.items()},
    )


def _group(name: str, properties: Mapping[str, Any], files: Mapping[str, str]) -> Group:
    policies = properties.get("removal_policies") or [{}]
    member = str((properties.get("resource_def") or {}).get("type"))
    inner: dict[str, str] = {}
    if member in files:
        found = _parsed(files[member]).get("resources") or {}
        inner = {key: str(each.get("type")) for key, each in found.items() if "condition" not in each}
    return Group(name, _parameter(properties.get("count")), _parameter(policies[0].get("resource_list")), member, inner)


def _parameter(value: Any) -> str:
    return str(value.get("get_param") or "") if isinstance(value, dict) else ""
