"""The story of a bay."""

from collections.abc import Callable

from .conftest import Ran, StubCloud

EVENT = {
    "id": 7,
    "created_at": "2015-10-01T00:00:00+00:00",
    "level": "error",
    "verb": "create",
    "step": "wait for the stack",
    "text": "node 2: Quota exceeded for instances",
    "request_id": "req-1",
    "duration": 1.5,
}


def test_events_are_listed_and_detail_shows_the_rest(magnum: Callable[..., Ran], cloud: StubCloud) -> None:
    cloud.on("GET /v1/bays/web/events", 200, {"events": [EVENT]})
    usual = magnum("bay-event-list", "web", "-f", "json").json
    assert usual == [{key: EVENT[key] for key in ("created_at", "level", "step", "text")}]
    assert magnum("bay-event-list", "web", "--detail", "-f", "json").json == [EVENT]
