"""Reading the body of a request: nothing is parsed that is too large, and nothing goes on that cannot be stored."""

import json
from typing import Any

from oslo_log import log
from webob import Request

from magnum.api.errors import TooLarge
from magnum.common.exception import Invalid

LOG = log.getLogger(__name__)

_DEEPEST = 32
_BAD_JSON = "Request is not in valid JSON format."


def read_json(request: Request, max_size: int) -> Any:
    """The JSON in the body; None where there is no body."""
    raw = _read(request, max_size)
    if not raw.strip():
        return None
    try:
        document = json.loads(raw, parse_constant=_no_number)
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:  # not JSON, not UTF-8, or a number of thousands of digits
        raise Invalid(_BAD_JSON) from error
    _check(document)
    return document


def _read(request: Request, max_size: int) -> bytes:
    length = request.content_length
    if length is not None and length > max_size:
        raise _too_large(max_size)
    try:
        raw: bytes = request.body_file.read(max_size + 1)
    except OSError as error:  # of the connection: nobody may be there any more to read the answer
        LOG.info("The body of %s %s did not come to its end: %s", request.method, request.path, error)
        raise Invalid("The body of the request did not come to its end.") from error
    if len(raw) > max_size:
        raise _too_large(max_size)
    return raw


def _too_large(max_size: int) -> TooLarge:
    return TooLarge(f"The body of the request has more than the {max_size} bytes that are read. Send less.")


def _too_deep() -> Invalid:
    return Invalid(f"The body of the request is nested deeper than {_DEEPEST} levels. Make it flatter.")


def _no_number(word: str) -> None:
    raise ValueError(word)


def _check(document: Any) -> None:
    layer = [document]
    for _ in range(_DEEPEST):
        members: list[Any] = []
        for value in layer:
            if isinstance(value, str):
                check_text(value)
            elif isinstance(value, dict):
                members.extend(value)
                members.extend(value.values())
            elif isinstance(value, list):
                members.extend(value)
        if not members:
            return
        layer = members
    raise _too_deep()


def check_text(text: str) -> None:
    """Refuse what is no text to a database or to UTF-8.

    :raises Invalid: the text holds a NUL or half of a surrogate pair
    """
    if "\0" in text or (not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)):
        raise Invalid("The request holds a character that cannot be stored (NUL, or half of a surrogate pair).")
