"""Pages of a list: which one is asked for, and where the next one is."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from magnum.api.shapes import Parameter
from magnum.api.types import Choice, Limit, Uuid
from magnum.db.resources import Page

LIMIT = Parameter("limit", Limit(), "Most objects on the page; the operator's limit where this is greater or absent.")


def parameters(sort_keys: Iterable[str]) -> tuple[Parameter, ...]:
    """What a query says of a page.

    :param sort_keys: fields that the list can be sorted by, beside the order of creation
    """
    return (
        LIMIT,
        Parameter("marker", Uuid(), "Uuid of the last object of the page before."),
        Parameter("sort_key", Choice("id", *sort_keys), "Field to sort by; id is the order of creation."),
        Parameter("sort_dir", Choice("asc", "desc"), "Direction to sort in."),
    )


def read_page(query: Mapping[str, Any], max_limit: int) -> Page:
    """The page that a query asks for."""
    return Page(
        limit=read_limit(query, max_limit),
        marker=query.get("marker"),
        sort_key=query.get("sort_key", "id"),
        sort_dir=query.get("sort_dir", "asc"),
    )


def read_limit(query: Mapping[str, Any], max_limit: int) -> int:
    """How many are asked for at most."""
    limit: int = query.get("limit", max_limit)
    return min(limit, max_limit)


def next_link(host_url: str, path: str, page: Page, last_uuid: str, filters: Mapping[str, str]) -> str:
    """Where the list goes on after its last object so far."""
    query = {
        **filters,
        "sort_key": page.sort_key,
        "sort_dir": page.sort_dir,
        "limit": str(page.limit),
        "marker": last_uuid,
    }
    return f"{host_url}/v1/{path}?{urlencode(query)}"
