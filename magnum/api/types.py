"""Kinds of values: what is taken for one, what it becomes, and both as JSON Schema (draft 2020-12)."""

import ast
import ipaddress
import json
import re
from typing import Any
from urllib.parse import urlsplit

from wsme import types as wtypes

from magnum.api.numerals import numerals
from magnum.common.idents import is_uuid
from magnum.common.ssh_keys import TYPES as KEY_TYPES
from magnum.common.ssh_keys import public_key_line

_TRUE = ("true", "t", "yes", "y", "on", "1")
_FALSE = ("false", "f", "no", "n", "off", "0")
_NO_NAMES = ("detail", ".", "..")
_UUID = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
_MOST_DIGITS = 9
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")

Schema = dict[str, Any]


class Kind(wtypes.UserType):
    """A kind of values. `validate` makes one of what a client gives, or raises a ValueError that says why not."""

    def validate(self, value: Any) -> Any:
        raise NotImplementedError

    def schema(self) -> Schema:
        """What a value looks like in an answer."""
        raise NotImplementedError

    def accepted(self) -> Schema:
        """What is taken for a value in a request."""
        return self.schema()

    def patchable(self) -> Schema:
        """What is taken for a value in a JSON Patch, which can carry no object and no list."""
        return self.accepted()


class Text(Kind):
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

    def schema(self) -> Schema:
        schema: Schema = {"type": "string", "minLength": self.shortest, "maxLength": self.longest}
        return schema | ({"pattern": f"^(?:{self.pattern})$"} if self.pattern else {})


class Name(Kind):
    """A name that its object can be found by: in a path, an unfit one would mean something else or nothing."""

    basetype = str
    name = "name"

    def __init__(self) -> None:
        self._text = Text(255)

    def validate(self, value: Any) -> str:
        text = self._text.validate(value)
        if "/" in text or not text.strip() or text in _NO_NAMES:
            raise ValueError(
                f"Nothing can be found by such a name: it should hold a visible character and no '/', "
                f"and not be one of {', '.join(_NO_NAMES)}."
            )
        if is_uuid(text):
            raise ValueError("Nothing can be found by such a name: a UUID stands for the object that has this uuid.")
        return text

    def schema(self) -> Schema:
        return self._text.schema()

    def accepted(self) -> Schema:
        unfit: Schema = {"anyOf": [{"enum": list(_NO_NAMES)}, {"pattern": _UUID}]}
        return {**self.schema(), "pattern": r"^[^/]*[^/\s][^/]*$", "not": unfit}


class Whole(Kind):
    """A whole number within bounds, also written as a string."""

    basetype = int
    name = "integer"

    def __init__(self, lowest: int, highest: int) -> None:
        self.lowest, self.highest = lowest, highest

    def validate(self, value: Any) -> int:
        if isinstance(value, str) and _WHOLE.fullmatch(value):
            value = int(value)
        value = whole(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError("Value should be a whole number.")
        if not self.lowest <= value <= self.highest:
            raise ValueError(f"Value should be from {self.lowest} to {self.highest}.")
        return value

    def schema(self) -> Schema:
        return {"type": "integer", "minimum": self.lowest, "maximum": self.highest}

    def accepted(self) -> Schema:
        return {"anyOf": [self.schema(), {"type": "string", "pattern": f"^({numerals(self.lowest, self.highest)})$"}]}


class Boolean(Kind):
    """True or false, also written as a string."""

    basetype = bool
    name = "boolean"

    def validate(self, value: Any) -> bool:
        if isinstance(value, bool | int | float) and value in (0, 1):
            return bool(value)
        if not isinstance(value, str) or value not in _spellings(_TRUE) + _spellings(_FALSE):
            raise ValueError("Value should be true or false.")
        return value in _spellings(_TRUE)

    def schema(self) -> Schema:
        return {"type": "boolean"}

    def accepted(self) -> Schema:
        return {"enum": [True, False, 1, 0, *_spellings(_TRUE), *_spellings(_FALSE)]}


class Limit(Kind):
    """How many objects a page has at most; as it stands in a query."""

    basetype = int
    name = "limit"

    def validate(self, value: Any) -> int:
        if not isinstance(value, str) or not value.isascii() or not value.isdigit() or not value.strip("0"):
            raise ValueError("Limit must be positive: a whole number from 1 on.")
        return int(value[-_MOST_DIGITS:]) if len(value.lstrip("0")) <= _MOST_DIGITS else 10**_MOST_DIGITS

    def schema(self) -> Schema:
        return {"type": "integer", "minimum": 1}


class Uuid(Kind):
    """A uuid in canonical form."""

    basetype = str
    name = "uuid"

    def validate(self, value: Any) -> str:
        if not isinstance(value, str) or not is_uuid(value):
            raise ValueError("Value should be a UUID in lower case with dashes.")
        return value

    def schema(self) -> Schema:
        return {"type": "string", "format": "uuid", "pattern": _UUID}


class IPv4(Kind):
    """An address."""

    basetype = str
    name = "ipv4"

    def validate(self, value: Any) -> str:
        try:
            return str(ipaddress.IPv4Address(value if isinstance(value, str) else ""))
        except ValueError:
            raise ValueError("Value should be an IPv4 address.") from None

    def schema(self) -> Schema:
        return {"type": "string", "format": "ipv4"}


class PublicKey(Kind):
    """A public key to log in with: one line of a file of authorized keys, without options."""

    basetype = str
    name = "publickey"

    def __init__(self, longest: int) -> None:
        self._text = Text(longest)

    def validate(self, value: Any) -> str:
        return public_key_line(self._text.validate(value))

    def schema(self) -> Schema:
        return self._text.schema()

    def accepted(self) -> Schema:
        return {**self.schema(), "pattern": f"^\\s*({'|'.join(map(re.escape, KEY_TYPES))})[ \\t]+[A-Za-z0-9+/=]+"}


class Choice(Kind):
    """One of some words."""

    basetype = str
    name = "choice"

    def __init__(self, *words: str) -> None:
        self.words = words

    def validate(self, value: Any) -> str:
        if value not in self.words:
            raise ValueError(f"Value should be one of {', '.join(self.words)}.")
        return str(value)

    def schema(self) -> Schema:
        return {"type": "string", "enum": list(self.words)}


class HttpUrl(Kind):
    """An http or https URL, in ASCII."""

    basetype = str
    name = "url"
    _FORM = re.compile("[Hh][Tt][Tt][Pp][Ss]?://[!-~]+")
    _LONGEST = 2048

    def validate(self, value: Any) -> str:
        if not isinstance(value, str) or len(value) > self._LONGEST or not self._FORM.fullmatch(value):
            raise ValueError("Value should be an http or https URL.")
        try:
            host = urlsplit(value).hostname
        except ValueError:
            host = None
        if not host:
            raise ValueError("Value should be a URL that names a host.")
        return value

    def schema(self) -> Schema:
        return {"type": "string", "pattern": f"^{self._FORM.pattern}$", "maxLength": self._LONGEST}


class Labels(Kind):
    """Names and values. A patch cannot carry an object, so clients write one as a string there."""

    basetype = dict
    name = "labels"

    def validate(self, value: Any) -> dict[str, str]:
        given = _literal(value) if isinstance(value, str) else value
        if not isinstance(given, dict):
            raise ValueError("Value should be an object of names and values.")
        members = {key: whole(item) for key, item in given.items()}
        if not all(isinstance(key, str) and isinstance(item, str | int) for key, item in members.items()):
            raise ValueError("Each of its values should be a string.")
        return {key: _as_text(item) for key, item in members.items()}

    def schema(self) -> Schema:
        return {"type": "object", "additionalProperties": {"type": "string"}}

    def accepted(self) -> Schema:
        members = {"type": ["string", "integer", "boolean"]}
        return {"anyOf": [{"type": "object", "additionalProperties": members}, self.patchable()]}

    def patchable(self) -> Schema:
        return {"type": "string", "pattern": r"^[ \t\r\n]*[{]"}


class Environment(Labels):
    """Variables of an environment, and their values."""

    name = "environment"

    def validate(self, value: Any) -> dict[str, str]:
        members = super().validate(value)
        if any(not name or "=" in name for name in members):
            raise ValueError("The name of a variable should not be empty, and hold no '='.")
        return members

    def accepted(self) -> Schema:
        return {**super().accepted(), "propertyNames": {"pattern": "^[^=]+$"}}


def whole(value: Any) -> Any:
    """A value from a JSON document; a number without a fraction is a whole one there, however it is written."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _literal(text: str) -> Any:
    text = text[:65536].strip(" \t\r\n")
    if not text.startswith("{"):
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    return None


def _as_text(value: str | int) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _spellings(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(form for word in words for form in (word, word.upper(), word.capitalize())))


class Shown(Kind):
    """A kind of values that only answers have.

    :param schema: what they look like
    """

    basetype = object
    name = "shown"

    def __init__(self, schema: Schema) -> None:
        self._schema = schema

    def schema(self) -> Schema:
        return self._schema


class Timestamp(Shown):
    """A time, in ISO 8601 with its offset."""

    def __init__(self) -> None:
        super().__init__({"type": "string", "format": "date-time"})


class Links(Shown):
    """Where an object is."""

    def __init__(self) -> None:
        link = {
            "type": "object",
            "required": ["href", "rel"],
            "properties": {"href": {"type": "string"}, "rel": {"type": "string"}},
        }
        super().__init__({"type": "array", "items": link})


class Words(Shown):
    """A list of strings."""

    def __init__(self) -> None:
        super().__init__({"type": "array", "items": {"type": "string"}})


class Objects(Shown):
    """A list of objects of no fixed form."""

    def __init__(self) -> None:
        super().__init__({"type": "array", "items": {"type": "object"}})
