"""Magnum's API as a command line needs it: plain dicts, and errors in the server's words."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qs, quote, urlsplit

import requests

from magnum.cli.errors import NotReachedError, RefusedError, UsageError
from magnum.cli.resources import RESOURCES
from magnum.cli.text import clean, clean_line

Row = dict[str, Any]
Params = Mapping[str, str | int]

NO_PARAMS: Params = {}


_ADVICE = {
    403: "Ask an administrator of the project or of the cloud.",
    406: "Choose another with --magnum-api-version, or none.",
}
"""What to do next, where the server's sentence cannot know."""

_LISTS = {"certificates": "bay"} | {resource.collection: name for name, resource in reversed(RESOURCES.items())}
"""What to list, by the collection in which something was not found."""


class Transport(Protocol):
    """What carries requests to the API."""

    def request(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        """Send one and return the answer, whatever its status."""


class Client:
    """The API of one cloud.

    :param version: version of the API to ask for; without one the server answers as it did in 2015
    """

    def __init__(self, cloud: Transport, version: str | None = None) -> None:
        self._cloud = cloud
        self._version = version

    def get(self, *path: str, params: Params = NO_PARAMS) -> Row:
        """One object, or one page."""
        return self._send("GET", path, params=params)

    def post(self, *path: str, body: Row | None = None) -> Row:
        """Create, or have something done; the representation of what was created."""
        return self._send("POST", path, json=body)

    def put(self, *path: str, params: Params = NO_PARAMS) -> Row:
        """Have something done; what it gave."""
        return self._send("PUT", path, params=params)

    def patch(self, *path: str, body: list[Row], params: Params = NO_PARAMS, feature: str | None = None) -> Row:
        """Change; the representation of what it is now.

        :param feature: version of the API that is asked for where the user chose none, as the change needs it
        :raises UsageError: the user chose an older one
        """
        if feature and self._version and self._version != "latest" and _numbers(self._version) < _numbers(feature):
            raise UsageError(f"That needs version {feature} of the API, and --magnum-api-version says {self._version}.")
        return self._send("PATCH", path, json=body, params=params, version=self._version or feature)

    def delete(self, *path: str, params: Params = NO_PARAMS) -> None:
        """Delete."""
        self._send("DELETE", path, params=params)

    def list(self, *path: str, key: str, params: Params = NO_PARAMS, limit: int | None = None) -> Iterator[Row]:
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

    def _send(self, method: str, path: tuple[str, ...], version: str | None = None, **kwargs: Any) -> Row:
        if chosen := version or self._version:
            kwargs["headers"] = {"OpenStack-API-Version": f"container-infra {chosen}"}
        _check_text(*path, *map(str, kwargs.get("params", NO_PARAMS).values()))
        response = self._cloud.request(method, "".join(map(_segment, path)), **kwargs)
        if response.status_code >= 300:
            raise _refusal(response, _advice(response.status_code, path))
        if not response.content:
            return {}
        try:
            body = response.json()
        except ValueError:
            body = "none"
        if body is None:
            return {}
        if not isinstance(body, dict):
            raise NotReachedError(f"{response.url} does not answer as Magnum does. Check the endpoint's URL.")
        return body


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _check_text(*words: str) -> None:
    for word in words:
        if any("\ud800" <= character <= "\udfff" for character in word):  # what Python makes of bytes that are no text
            raise UsageError(f"'{word}' is not valid UTF-8.")


def _segment(text: str) -> str:
    if text in ("", ".", ".."):
        raise UsageError(f"'{text}' is no name or uuid.")
    return "/" + quote(text, safe="")


def _marker(link: object) -> str | None:
    """Where the next page begins. The link itself is not followed: a token goes to the endpoint, nowhere else."""
    if not isinstance(link, str):
        return None
    return parse_qs(urlsplit(link).query).get("marker", [None])[0]


def _advice(status: int, path: tuple[str, ...]) -> str:
    if status == 404 and len(path) > 1 and path[0] in _LISTS:
        gone = "; the events of a bay that is gone are found by its uuid" if path[-1] == "events" else ""
        return f"See: magnum {_LISTS[path[0]]}-list{gone}"
    return _ADVICE.get(status, "")


def _refusal(response: requests.Response, advice: str) -> RefusedError | NotReachedError:
    if response.status_code < 400:
        target = clean_line(response.headers.get("Location", "elsewhere"))
        return NotReachedError(f"{response.url} redirects to {target}. Correct the endpoint's URL.")
    sentences = _sentences(response) or [f"{response.url} answered {response.reason or 'without a reason'}."]
    text = "\n".join(map(clean, sentences)) + f" (HTTP {response.status_code})"
    text = f"{text} {advice}".rstrip()
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
