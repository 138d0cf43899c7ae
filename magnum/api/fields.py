"""The fields of an object: what they are, who sets them, and how they are read from a request.

A resource's WSME type says all of this once; requests are read by it, answers and documentation are derived from it.
Reading is done here rather than by WSME's own parser, which stops at the first problem, refuses unknown keys (which the
clients of 2015 send) and lets through what no database takes.
"""

import difflib
from collections.abc import Mapping
from enum import Enum
from typing import Any

from wsme import types as wtypes

from magnum.api.types import Kind, Links, Schema, Timestamp

_SHOWN = 80
_KNOWN: dict[type[Any], Mapping[str, "Field"]] = {}


class Use(Enum):
    """Where a field stands, and what becomes of what a client gives for it."""

    BOTH = "may be given, and is shown"
    GIVEN = "may be given, and is not shown"
    SHOWN = "is shown; to give it is an error"
    IGNORED = "is shown; what is given for it counts for nothing, as it always was"


class Field(wtypes.wsattr):
    """A field.

    :param default: what it is where nothing is given
    :param text: what it is for, for readers of the documentation
    :param example: a value that is right, for them too
    """

    def __init__(
        self,
        datatype: Kind,
        *,
        use: Use = Use.BOTH,
        mandatory: bool = False,
        default: Any = None,
        text: str = "",
        example: Any = None,
    ) -> None:
        super().__init__(datatype, mandatory=mandatory, readonly=use is Use.SHOWN)
        self.use = use
        self.default_value = default
        self.text = text
        self.example = example

    @property
    def kind(self) -> Kind:
        """Its type."""
        kind: Kind = self.datatype
        return kind


class Dated(wtypes.Base):
    """What every object shows."""

    created_at = Field(Timestamp(), use=Use.SHOWN)
    updated_at = Field(Timestamp(), use=Use.SHOWN)
    links = Field(Links(), use=Use.SHOWN)


def fields_of(datatype: type[wtypes.Base]) -> Mapping[str, Field]:
    """The fields of a type by their names; those of the type itself before those it inherits."""
    if datatype not in _KNOWN:
        _KNOWN[datatype] = _collect(datatype)
    return _KNOWN[datatype]


def _collect(datatype: type[wtypes.Base]) -> Mapping[str, Field]:
    found: dict[str, Field] = {}
    for owner in datatype.__mro__:
        for name, attribute in vars(owner).items():
            if isinstance(attribute, Field):
                found.setdefault(name, attribute)
    return found


def given_fields(datatype: type[wtypes.Base]) -> Mapping[str, Field]:
    """Those whose values a client sets."""
    return {name: field for name, field in fields_of(datatype).items() if field.use in (Use.BOTH, Use.GIVEN)}


def shown_fields(datatype: type[wtypes.Base]) -> Mapping[str, Field]:
    """Those that answers have."""
    return {name: field for name, field in fields_of(datatype).items() if field.use is not Use.GIVEN}


def defaults(datatype: type[wtypes.Base]) -> dict[str, Any]:
    """Values of the fields that need not be given and are never null."""
    return {
        name: field.default_value for name, field in given_fields(datatype).items() if field.default_value is not None
    }


def schema_of(field: Field, name: str) -> Schema:
    """JSON Schema of a field as answers have it."""
    schema = field.kind.schema()
    return schema if name in ("uuid", "links") else {"anyOf": [schema, {"type": "null"}]}


def shown(value: Any) -> str:
    """A value as a message quotes it."""
    text = str(value)
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")


def problem(field: str, value: Any, reason: str) -> str:
    """The sentence about a field that is wrong."""
    return f"Invalid input for field/attribute {field}. Value: {shown(value)}. {reason}"


def read(
    datatype: type[wtypes.Base], document: Mapping[str, Any], problems: list[str], *, known_only: bool = False
) -> dict[str, Any]:
    """The fields that the document gives, each as its type has it. What is null counts as not given.

    :param problems: gets a sentence for each field that is wrong
    :param known_only: a key that is no field is wrong too, rather than passed over
    """
    known = fields_of(datatype)
    if known_only:
        problems.extend(_unknown(name, known) for name in document if name not in known)
    values: dict[str, Any] = {}
    for name, field in known.items():
        given = document.get(name)
        if field.use is Use.SHOWN:
            if given is not None:
                problems.append(problem(name, given, "Cannot set read only field."))
        elif field.use is Use.IGNORED:
            continue
        elif given is None:
            if field.mandatory:
                problems.append(problem(name, None, "Mandatory field missing."))
        else:
            try:
                values[name] = field.kind.validate(given)
            except ValueError as error:
                problems.append(problem(name, given, str(error)))
    return values


def _unknown(name: str, known: Mapping[str, Field]) -> str:
    settable = [name for name, field in known.items() if field.use is not Use.SHOWN]
    return f"Unknown attribute: {shown(name)}. {nearest(name, settable)}"


def nearest(name: str, known: list[str]) -> str:
    """The sentence that leads from a wrong name to the right ones."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {close[0]}?" if close else f"Known are: {', '.join(sorted(known))}."
