"""Magnum's API as a command line needs it: plain dicts, and errors in the server's words."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qs, quote, urlsplit

import requests

from magnum.cli.errors import NotReachedError, RefusedError, UsageError
from magnum.cli.text import clean, clean_line

Row = dict[str, Any]
Params = Mapping[str, str | int]

_NO_PARAMS: Params = {}


class Transport(Protocol):
    """What carries requests to the API."""

    def request(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        """Send one and return the answer, whatever its status."""


class Client:
    """The API of one cloud."""

    def __init__(self, cloud: Transport) -> None:
        self._cloud = cloud

    def get(self, *path: str, params: Params = _NO_PARAMS) -> Row:
        """One object, or one page."""
        return self._send("GET", path, params=params)

    def post(self, *path: str, body: Row) -> Row:
        """Create; the representation of what was created."""
        return self._send("POST", path, json=body)

    def patch(self, *path: str, body: list[Row], params: Params = _NO_PARAMS) -> Row:
        """Change; the representation of what it is now."""
        return self._send("PATCH", path, json=body, params=params)

    def delete(self, *path: str, params: Params = _NO_PARAMS) -> None:
        """Delete."""
        self._send("DELETE", path, params=params)

    def list(self, *path: str, key: str, params: Params = _NO_PARAMS, limit: int | None = None) -> Iterator[Row]:
        """Every row of a collection, page after page; `limit` of them where it is given."""
        page_params: dict[str, str | int] = dict(params)
        left = limit
        while left is None or left > 0:
            if left is not None:
                page_params["limit"] = left
            page = self.get(*path, params=page_params)
            rows = page.get(key, [])
            yield from rows if left is None else rows[:left]
            left = None if left is None else left - len(rows)
            marker = _marker(page.get("next"))
            if not rows or marker is None:
                return
            page_params["marker"] = marker

    def _send(self, method: str, path: tuple[str, ...], **kwargs: Any) -> Row:
        response = self._cloud.request(method, "".join(map(_segment, path)), **kwargs)
        if response.status_code >= 300:
            raise _refusal(response)
        if not response.content:
            return {}
        try:
            body = response.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise NotReachedError(f"{response.url} does not answer as Magnum does. Check the endpoint's URL.")
        return body


def _segment(text: str) -> str:
    if text in ("", ".", ".."):
        raise UsageError(f"'{text}' is no name or uuid.")
    return "/" + quote(text, safe="")


def _marker(link: object) -> str | None:
    """Where the next page begins. The link itself is not followed: a token goes to the endpoint, nowhere else."""
    if not isinstance(link, str):
        return None
    return parse_qs(urlsplit(link).query).get("marker", [None])[0]


def _refusal(response: requests.Response) -> RefusedError | NotReachedError:
    if response.status_code < 400:
        target = clean_line(response.headers.get("Location", "elsewhere"))
        return NotReachedError(f"{response.url} redirects to {target}. Correct the endpoint's URL.")
    sentences = _sentences(response) or [f"{response.url} answered {response.reason or 'without a reason'}."]
    text = "\n".join(map(clean, sentences)) + f" (HTTP {response.status_code})"
    if response.status_code >= 500 and (request_id := response.headers.get("X-Openstack-Request-Id")):
        text += f" Tell the operator the request id: {clean_line(request_id)}"
    if response.status_code == 401:
        return NotReachedError(f"Magnum at {response.url} does not accept the token: {text}")
    return RefusedError(text, response.status_code)


def _sentences(response: requests.Response) -> list[str]:
    """What the server says is wrong, in the newer of the two forms it says it in, else in the older."""
    try:
        body = response.json()
    except ValueError:
        return []
    if not isinstance(body, dict):
        return []
    errors = body.get("errors")
    if isinstance(errors, list):
        details = [error.get("detail") or error.get("title") for error in errors if isinstance(error, dict)]
        if found := [str(detail) for detail in details if detail]:
            return found
    return _old_sentence(body.get("error_message"))


def _old_sentence(message: object) -> list[str]:
    if not isinstance(message, str):
        return []
    try:
        inner = json.loads(message)
    except ValueError:
        return [message]
    fault = inner.get("faultstring") if isinstance(inner, dict) else None
    return [str(fault)] if fault else []
