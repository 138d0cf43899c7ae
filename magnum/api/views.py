"""How rows look to a client."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any


def timestamp(value: datetime | None) -> str | None:
    """ISO 8601 with offset, to the second."""
    return None if value is None else value.isoformat(timespec="seconds")


def links(host_url: str, collection: str, ident: str) -> list[dict[str, str]]:
    """Where an object is."""
    return [
        {"href": f"{host_url}/v1/{collection}/{ident}", "rel": "self"},
        {"href": f"{host_url}/{collection}/{ident}", "rel": "bookmark"},
    ]


def represent(fields: Mapping[str, Any], host_url: str, collection: str) -> dict[str, Any]:
    """An object with these fields, its uuid among them, and with its links."""
    view = {**fields, "links": links(host_url, collection, fields["uuid"])}
    for name in ("created_at", "updated_at", "health_checked_at"):
        if name in view:
            view[name] = timestamp(view[name])
    return view
