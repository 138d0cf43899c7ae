"""How rows look to a client."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from magnum.db import models


def timestamp(value: datetime | None) -> str | None:
    """ISO 8601 with offset, to the second."""
    return None if value is None else value.isoformat(timespec="seconds")


def links(host_url: str, collection: str, ident: str) -> list[dict[str, str]]:
    """Where an object is."""
    return [
        {"href": f"{host_url}/v1/{collection}/{ident}", "rel": "self"},
        {"href": f"{host_url}/{collection}/{ident}", "rel": "bookmark"},
    ]


def represent(row: models.Owned, fields: Iterable[str], host_url: str, collection: str) -> dict[str, Any]:
    """The named fields of a row, with its links."""
    view = {name: getattr(row, name) for name in fields}
    for name in ("created_at", "updated_at"):
        if name in view:
            view[name] = timestamp(view[name])
    view["links"] = links(host_url, collection, row.uuid)
    return view
