"""Types of what comes in.

WSME says what a field is; reading is done here rather than by WSME's own parser, which stops at the first problem,
refuses unknown keys (which the clients of 2015 send) and lets through what no database takes.
"""

import ast
import ipaddress
import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from wsme import types as wtypes

from magnum.common.idents import is_uuid
from magnum.common.ssh_keys import public_key_line

_TRUE = frozenset({"true", "t", "yes", "y", "on", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "off", "0"})
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_SHOWN = 80

Type = TypeVar("Type", bound=wtypes.Base)


class Text(wtypes.UserType):
    """A string of so many characters; with a pattern, one that matches it as a whole."""

    basetype = str
    name = "text"

    def __init__(self, longest: int, shortest: int = 1, pattern: str | None = None, expects: str = "") -> None:
        self.longest, self.shortest, self.pattern, self.expects = longest, shortest, pattern, expects

    def validate(self, value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError("Value should be a string.")
        if not self.shortest <= len(value) <= self.longest:
            raise ValueError(f"Value should have {self.shortest} to {self.longest} characters.")
        if self.pattern is not None and not re.fullmatch(self.pattern, value):
            raise ValueError(f"Value should be {self.expects}.")
        return value


class Whole(wtypes.UserType):
    """A whole number within bounds, also written as a string."""

    basetype = int
    name = "integer"

    def __init__(self, lowest: int, highest: int) -> None:
        self.lowest, self.highest = lowest, highest

    def validate(self, value: Any) -> int:
        if isinstance(value, str) and _WHOLE.fullmatch(value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError("Value should be a whole number.")
        if not self.lowest <= value <= self.highest:
            raise ValueError(f"Value should be from {self.lowest} to {self.highest}.")
        return value


class Boolean(wtypes.UserType):
    """True or false, also written as a string."""

    basetype = bool
    name = "boolean"

    def validate(self, value: Any) -> bool:
        text = str(value).lower() if isinstance(value, str | bool | int) else ""
        if text not in _TRUE | _FALSE:
            raise ValueError("Value should be true or false.")
        return text in _TRUE


class Uuid(wtypes.UserType):
    """A uuid in canonical form."""

    basetype = str
    name = "uuid"

    def validate(self, value: Any) -> str:
        if not isinstance(value, str) or not is_uuid(value):
            raise ValueError("Value should be a UUID in lower case with dashes.")
        return value


class IPv4(wtypes.UserType):
    """An address."""

    basetype = str
    name = "ipv4"

    def validate(self, value: Any) -> str:
        try:
            return str(ipaddress.IPv4Address(value if isinstance(value, str) else ""))
        except ValueError:
            raise ValueError("Value should be an IPv4 address.") from None


class PublicKey(wtypes.UserType):
    """A public key to log in with: one line of a file of authorized keys, without options."""

    basetype = str
    name = "publickey"

    def __init__(self, longest: int) -> None:
        self._text = Text(longest)

    def validate(self, value: Any) -> str:
        return public_key_line(self._text.validate(value))


class Choice(wtypes.UserType):
    """One of some words."""

    basetype = str
    name = "choice"

    def __init__(self, *words: str) -> None:
        self.words = words

    def validate(self, value: Any) -> str:
        if value not in self.words:
            raise ValueError(f"Value should be one of {', '.join(self.words)}.")
        return str(value)


class HttpUrl(wtypes.UserType):
    """An http or https URL."""

    basetype = str
    name = "url"

    def validate(self, value: Any) -> str:
        try:
            parts = urlsplit(value if isinstance(value, str) else "")
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"\s", value)
        except ValueError:
            good = False
        if not good or len(value) > 2048:
            raise ValueError("Value should be an http or https URL.")
        return str(value)


class Labels(wtypes.UserType):
    """Names and values. A patch cannot carry an object, so clients write one as a string there."""

    basetype = dict
    name = "labels"

    def validate(self, value: Any) -> dict[str, str]:
        members = _literal(value) if isinstance(value, str) else value
        if not isinstance(members, dict):
            raise ValueError("Value should be an object of names and values.")
        if not all(isinstance(key, str) and isinstance(item, str | int) for key, item in members.items()):
            raise ValueError("Each label should be a string.")
        return {key: _as_text(item) for key, item in members.items()}


def _literal(text: str) -> Any:
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text[:65536])
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    return None


def _as_text(value: str | int) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def shown(value: Any) -> str:
    """A value as a message quotes it."""
    text = str(value)
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")


def problem(field: str, value: Any, reason: str) -> str:
    """The sentence about a field that is wrong."""
    return f"Invalid input for field/attribute {field}. Value: {shown(value)}. {reason}"


def read(datatype: type[Type], document: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    """The fields that the document gives, each as its type has it. What is null counts as not given.

    :param problems: gets a sentence for each field that is wrong
    """
    values: dict[str, Any] = {}
    for attribute in wtypes.list_attributes(datatype):
        given = document.get(attribute.name)
        if attribute.readonly:
            if given is not None:
                problems.append(problem(attribute.name, given, "Cannot set read only field."))
        elif given is None:
            if attribute.mandatory:
                problems.append(problem(attribute.name, None, "Mandatory field missing."))
        else:
            try:
                values[attribute.name] = wtypes.validate_value(attribute.datatype, given)
            except ValueError as error:
                problems.append(problem(attribute.name, given, str(error)))
    return values
