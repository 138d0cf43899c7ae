"""JSON Patch as the clients send it: a list of {op, path, value}, on the fields of one object."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from magnum.api.fields import Field, problem
from magnum.api.types import Labels, Schema, whole
from magnum.common.exception import Invalid

_SETTING = ("add", "replace")
_OPERATIONS = (*_SETTING, "remove")
_PATH = re.compile(r"(/[\w-]+)+", re.ASCII)
_MOST = 256
COMMON_INTERNAL = frozenset({"created_at", "id", "links", "updated_at", "uuid", "project_id", "user_id"})


def apply(
    document: Any,
    fields: Mapping[str, Any],
    *,
    internal: Collection[str] = (),
    mandatory: Collection[str] = (),
) -> dict[str, Any]:
    """The fields as they are after the patch; their types are for the caller to check.

    :param fields: every field that can be named, as it is now
    :param internal: further fields that a patch must not name
    :param mandatory: fields that must not be removed
    :raises Invalid: with every problem
    """
    if not isinstance(document, list) or not all(isinstance(item, dict) for item in document):
        raise Invalid("The body of a PATCH should be a list of objects with op, path and value (JSON Patch).")
    if not document or len(document) > _MOST:
        raise Invalid(f"The body of a PATCH should hold from 1 to {_MOST} changes.")
    rules = _Rules(frozenset(fields), COMMON_INTERNAL | set(internal), frozenset(mandatory))
    result = {name: dict(value) if isinstance(value, dict) else value for name, value in fields.items()}
    problems: list[str] = []
    for item in document:
        wrong = rules.problem(item) or _change(result, item)
        if wrong:
            problems.append(wrong)
    if problems:
        raise Invalid(problems)
    return result


def schema(fields: Mapping[str, Field], kept: Collection[str] = ()) -> Schema:
    """JSON Schema of a patch of these fields: what each of its changes can be.

    :param kept: fields that cannot be removed, beside those that are mandatory
    """
    by_value: dict[str, list[str]] = {}
    for name, field in fields.items():
        value = field.kind.patchable()
        if isinstance(field.example, str):
            value["examples"] = [field.example]
        by_value.setdefault(json.dumps(value), []).append(f"/{name}")
    changes = [_change_schema(_SETTING, {"enum": paths}, json.loads(value)) for value, paths in by_value.items()]
    removable = [f"/{name}" for name, field in fields.items() if not field.mandatory and name not in kept]
    changes.append(_change_schema(["remove"], {"enum": removable}))
    with_members = [name for name, field in fields.items() if isinstance(field.kind, Labels)]
    if with_members:
        member = {"type": "string", "pattern": f"^/({'|'.join(with_members)})(/[A-Za-z0-9_-]+)+$"}
        changes.append(_change_schema(_SETTING, member, {"type": ["string", "integer", "boolean"]}))
        changes.append(_change_schema(["remove"], member))
    return {"type": "array", "minItems": 1, "maxItems": _MOST, "items": {"anyOf": changes}}


def _change_schema(operations: Sequence[str], path: Schema, value: Schema | None = None) -> Schema:
    properties = {"op": {"enum": list(operations)}, "path": path, **({"value": value} if value else {})}
    return {"type": "object", "properties": properties, "required": list(properties)}


class _Rules:
    def __init__(self, known: frozenset[str], internal: frozenset[str], mandatory: frozenset[str]) -> None:
        self._known, self._internal, self._mandatory = known, internal, mandatory

    def problem(self, item: Mapping[str, Any]) -> str | None:
        operation, path = item.get("op"), item.get("path")
        if operation not in _OPERATIONS:
            return problem("op", operation, f"Value should be one of: {', '.join(_OPERATIONS)}.")
        if not isinstance(path, str) or not _PATH.fullmatch(path):
            return problem("path", path, "Value should be a field's path, such as /name or /labels/key.")
        return self._place(operation, path) or _value(operation, item.get("value"))

    def _place(self, operation: str, path: str) -> str | None:
        root = path.split("/")[1]
        if root in self._internal:
            return f"'{path}' is an internal attribute and can not be updated."
        if operation == "remove" and path.removeprefix("/") in self._mandatory:
            return f"'{path}' is a mandatory attribute and can not be removed."
        if root not in self._known:
            return f"Adding a new attribute ({path}) to the root of the resource is not allowed."
        return None


def _value(operation: str, value: Any) -> str | None:
    if operation == "remove":
        return None
    if value is None:
        return "'add' and 'replace' operations needs value."
    if not isinstance(whole(value), str | int):
        return problem("value", value, f"Wrong type. Expected a string or an integer, got {_kind(value)}.")
    return None


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", float: "a decimal number"}.get(type(value), "something else")


def _change(result: dict[str, Any], item: Mapping[str, Any]) -> str | None:
    operation, path = item["op"], item["path"]
    root, *below = path.split("/")[1:]
    if not below:
        result[root] = None if operation == "remove" else item["value"]
        return None
    members = result[root]
    key = "/".join(below)
    if not isinstance(members, dict):
        return f"Couldn't apply patch: {path} names a part of {root}, which has no parts."
    if operation != "add" and key not in members:
        return f"Couldn't apply patch: there is no {path} to {operation}."
    if operation == "remove":
        del members[key]
    else:
        members[key] = item["value"]
    return None
