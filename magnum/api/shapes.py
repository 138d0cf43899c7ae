"""What a route takes and gives, as data: its query, its body and its replies.

The dispatcher reads queries by it, and the OpenAPI document is made of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from wsme import types as wtypes

from magnum.api import fields, patch
from magnum.api.fields import Use
from magnum.api.types import Kind, Schema
from magnum.api.versions import Feature
from magnum.common.exception import Invalid


@dataclass(frozen=True)
class Parameter:
    """What may stand behind the question mark.

    :param feature: what a request's version must have for it to be known
    """

    name: str
    kind: Kind
    text: str
    mandatory: bool = False
    feature: Feature | None = None


def read_query(given: Mapping[str, str], parameters: Sequence[Parameter]) -> dict[str, Any]:
    """The parameters that are given, each as its kind has it.

    :raises Invalid: with everything that is wrong with them; what nobody would look at is wrong too
    """
    known = {parameter.name: parameter for parameter in parameters}
    problems = [f'Unknown argument: "{name[:80]}".' for name in given if name not in known]
    values: dict[str, Any] = {}
    for name, parameter in known.items():
        if name not in given:
            if parameter.mandatory:
                problems.append(f'Missing argument: "{name}".')
            continue
        try:
            values[name] = parameter.kind.validate(given[name])
        except ValueError as error:
            problems.append(fields.problem(name, given[name], str(error)))
    if problems:
        raise Invalid(problems)
    return values


class Shape(Protocol):
    """What a body looks like."""

    def schema(self) -> Schema:
        """It as JSON Schema."""
        ...


@dataclass(frozen=True)
class Object:
    """An object with fields of a type, in this order; with all that it shows, unless some are named."""

    datatype: type[wtypes.Base]
    names: tuple[str, ...] | None = None

    def schema(self) -> Schema:
        """All fields are always there; what is not known is null."""
        known = fields.shown_fields(self.datatype)
        names = [*self.names, *({"links"} & set(known))] if self.names else list(known)
        return {
            "type": "object",
            "properties": {name: fields.schema_of(known[name], name) for name in names},
            "required": names,
            "additionalProperties": False,
        }


@dataclass(frozen=True)
class Listing:
    """A list of objects under a name; with the address of the next page, where there may be one."""

    name: str
    item: Shape
    paged: bool = True

    def schema(self) -> Schema:
        """The next page is there where this one is full."""
        more: Schema = {"next": {"type": "string", "format": "uri"}} if self.paged else {}
        return {
            "type": "object",
            "properties": {self.name: {"type": "array", "items": self.item.schema()}, **more},
            "required": [self.name],
            "additionalProperties": False,
        }


@dataclass(frozen=True)
class Plain:
    """Anything else."""

    of: Schema

    def schema(self) -> Schema:
        return self.of


@dataclass(frozen=True)
class Document:
    """The fields of an object that is to be, as a client gives them.

    :param any_of: fields of which one must be given; each is a string
    """

    datatype: type[wtypes.Base]
    any_of: tuple[str, ...] = ()

    def schema(self, *, known_only: bool) -> Schema:
        """It as JSON Schema. Null is as good as nothing.

        :param known_only: keys that are no fields are refused
        """
        known = fields.fields_of(self.datatype)
        schema: Schema = {
            "type": "object",
            "properties": {name: _accepted(field) for name, field in known.items()},
            "required": [name for name, field in known.items() if field.mandatory],
        }
        if known_only:
            schema["additionalProperties"] = False
        if self.any_of:
            schema["anyOf"] = [{"required": [name], "properties": {name: {"type": "string"}}} for name in self.any_of]
        return schema


def _accepted(field: fields.Field) -> Schema:
    told: Schema = {"description": field.text} if field.text else {}
    if field.default_value is not None:
        told["default"] = field.default_value
    if field.example is not None:
        told["examples"] = [field.example]
    return _taken(field) | told


def _taken(field: fields.Field) -> Schema:
    if field.use is Use.IGNORED:
        return {"description": "Not looked at."}
    if field.use is Use.SHOWN:
        return {"type": "null"}
    if field.mandatory:
        return field.kind.accepted()
    return {"anyOf": [field.kind.accepted(), {"type": "null"}]}


@dataclass(frozen=True)
class Changes:
    """A JSON Patch of the fields that a client gives.

    :param kept: fields that cannot be removed, beside those that are mandatory
    """

    datatype: type[wtypes.Base]
    kept: tuple[str, ...] = ()

    def schema(self, *, known_only: bool) -> Schema:  # noqa: ARG002 - a patch never names what does not exist
        """It as JSON Schema."""
        given = fields.given_fields(self.datatype)
        named = {name: field for name, field in given.items() if name not in patch.COMMON_INTERNAL}
        return patch.schema(named, self.kept)


@dataclass(frozen=True)
class Reply:
    """A way to answer when all is well.

    :param located: the header Location says where the new object is
    :param since: only in versions that have this
    :param until: only in versions that do not have this
    """

    status: int
    shape: Shape | None = None
    located: bool = False
    since: Feature | None = None
    until: Feature | None = None
