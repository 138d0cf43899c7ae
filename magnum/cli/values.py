"""What is typed, and what becomes of it in a request."""

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from magnum.cli.errors import UsageError

# What the API reads of a manifest unless its operator says otherwise; nothing else that is sent comes near.
_MOST_BYTES = 524288


def decode(text: str) -> Any:
    """The value of an attribute: JSON where it is that, else the text it is.

    A number with a point stays a text: it is a version, not a number. So do lists and objects, as a patch carries none.
    """
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(value, float | list | dict) else value


def labels(typed: Sequence[str]) -> dict[str, str]:
    """The labels of all occurrences of an option, each key=value or several of these, by commas or semicolons.

    A value may have a comma in it where the option is repeated, as there what follows is known to begin with a key.

    :raises UsageError: a label has no value
    """
    separator = r"[,;]" if len(typed) == 1 else r"[,;](?=[^,;=]+=)"
    pairs = [pair for text in typed for pair in re.split(separator, text)]
    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key.strip() or not equals:
            raise UsageError(f"--labels: '{pair}' is not of the form key=value.")
        found[key.strip()] = value.strip()
    return found


def read_text(name: str) -> str:
    """The text of a file, or of the standard input where the name is a dash.

    :raises UsageError: it cannot be read, or is larger than what a manifest may be
    """
    try:
        if name == "-":
            content = sys.stdin.buffer.read(_MOST_BYTES + 1)
        else:
            with Path(name).open("rb") as stream:
                content = stream.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise UsageError(f"{name} has more than the {_MOST_BYTES} bytes that are sent. Split it up.")
        return content.decode("utf-8")
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{name} is not a text in UTF-8.") from None


def read_object(name: str) -> dict[str, Any]:
    """The JSON object in a file.

    :raises UsageError: it cannot be read, or is none
    """
    try:
        value = json.loads(read_text(name))
    except ValueError as error:
        raise UsageError(f"{name} is not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise UsageError(f'{name} is not a JSON object, such as {{"name": "web"}}.')
    return value
