"""Text from the server, made fit for a terminal.

A tenant names things, a manifest names things, Heat quotes them in its reasons; a terminal obeys what it is shown. So
control characters and those that change the direction of writing are shown as escapes, never sent.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from cliff.columns import FormattableColumn

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls but tab and line feed
    "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"  # direction and line separators
    "\ud800-\udfff]"  # halves of pairs: no encoding takes them
)


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def clean(text: str) -> str:
    """The text with what a terminal would obey shown as an escape; line feeds and tabs stay."""
    return _UNSAFE.sub(_escape, text.replace("\r\n", "\n"))


def clean_line(text: str) -> str:
    """The text cleaned and on one line."""
    return " ".join(clean(text).split())


def as_cell(value: Any) -> Any:
    """A value as a table shows it: numbers stay numbers (so that they align), nothing is a dash."""
    if isinstance(value, FormattableColumn):
        value = value.human_readable()
    if value is None or value in ("", [], {}):
        return "-"
    if isinstance(value, Mapping):
        return _pairs(value)
    if isinstance(value, list):
        if any(isinstance(item, Mapping) for item in value):
            return "\n".join(_pairs(item) if isinstance(item, Mapping) else _inner(item) for item in value)
        return ", ".join(map(_inner, value))
    return clean(value) if isinstance(value, str) else value


def as_plain(value: Any) -> Any:
    """A value as a script reads it: text cleaned, structures as JSON, nothing as nothing."""
    if isinstance(value, FormattableColumn):
        value = value.machine_readable()
    if value is None:
        return ""
    if isinstance(value, Mapping | list):
        return json.dumps(value)
    return clean(value) if isinstance(value, str) else value


def _pairs(value: Mapping[str, Any]) -> str:
    """What is set in a mapping."""
    return ", ".join(f"{clean(str(key))}={_inner(item)}" for key, item in value.items() if item is not None)


def _inner(value: Any) -> str:
    if isinstance(value, str):
        return clean(value)
    return json.dumps(value)
