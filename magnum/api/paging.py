"""Pages of a list: which one is asked for, and where the next one is."""

from collections.abc import Collection, Mapping
from urllib.parse import urlencode

from magnum.api import types
from magnum.common.exception import Invalid
from magnum.common.idents import is_uuid
from magnum.db.resources import Page

PARAMETERS = ("limit", "marker", "sort_key", "sort_dir")
_DIRECTIONS = ("asc", "desc")


def read_page(query: Mapping[str, str], max_limit: int, sort_keys: Collection[str]) -> Page:
    """The page that the query asks for.

    :raises Invalid: with everything that is wrong with it
    """
    problems: list[str] = []
    limit = read_limit(query, max_limit, problems)
    marker = query.get("marker")
    if marker is not None and not is_uuid(marker):
        problems.append(f"Expected a uuid as the marker but received {types.shown(marker)}.")
    sort_key = query.get("sort_key", "id")
    if sort_key not in sort_keys:
        known = ", ".join(sorted(sort_keys))
        problems.append(f"The list cannot be sorted by sort_key {types.shown(sort_key)}. Use one of: {known}.")
    sort_dir = query.get("sort_dir", "asc")
    if sort_dir not in _DIRECTIONS:
        problems.append(f"Invalid sort direction: {types.shown(sort_dir)}. Acceptable values are 'asc' or 'desc'.")
    if problems:
        raise Invalid(problems)
    return Page(limit=limit, marker=marker, sort_key=sort_key, sort_dir=sort_dir)


def read_limit(query: Mapping[str, str], max_limit: int, problems: list[str]) -> int:
    """How many are asked for at most."""
    text = query.get("limit")
    if text is None:
        return max_limit
    if not text.isascii() or not text.isdigit() or not text.strip("0"):
        problems.append(f"Limit must be positive: a whole number from 1 on, not {types.shown(text)}.")
        return max_limit
    return max_limit if len(text) > 9 else min(int(text), max_limit)


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
