"""Calls python-magnumclient for another process: a line of JSON asks, a line of JSON answers.

Run by the Python of the client's own environment. Magnum itself is not importable there.
"""

import json
import sys
from typing import Any

from keystoneauth1 import session
from keystoneauth1.identity import v3
from magnumclient import client


def connect(auth: dict[str, str] | None, token: dict[str, str] | None) -> Any:
    if token is not None:
        return client.Client("1", input_auth_token=token["token"], magnum_url=token["url"])
    return client.Client("1", session=session.Session(auth=v3.Password(**(auth or {})), timeout=60))


def managers(connected: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(connected).items() if hasattr(value, "resource_class")}


def verbs(connected: Any) -> list[tuple[str, str]]:
    found = managers(connected).items()
    return [(name, verb) for name, manager in found for verb in dir(manager) if is_verb(manager, verb)]


def is_verb(manager: Any, name: str) -> bool:
    # A resource class and a connection are attributes of every manager, and no verbs.
    return not name.startswith("_") and name not in ("api", "resource_class") and callable(getattr(manager, name))


def plain(value: Any) -> Any:
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, tuple):  # of a container's action: the response, and what it said
        return plain(value[-1])
    return value.to_dict() if hasattr(value, "to_dict") else value


def answer(question: dict[str, Any]) -> dict[str, Any]:
    connected = connect(question["auth"], question["token"])
    if question["manager"] is None:
        return {"gave": verbs(connected)}
    call = getattr(managers(connected)[question["manager"]], question["verb"])
    try:
        return {"gave": plain(call(*question["arguments"], **question["named"]))}
    except Exception as error:  # noqa: BLE001  whatever it raises is what the test is about
        status = getattr(error, "http_status", None)
        return {"raised": {"kind": type(error).__name__, "message": str(error), "http_status": status}}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
