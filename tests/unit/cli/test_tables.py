"""Tables on a terminal that is too narrow for them, and cells that are shorter than their values."""

from collections.abc import Callable
from typing import Any

from .conftest import Ran, StubCloud

Run = Callable[..., Ran]

UUID = "3f0c1f0e-2d62-4b1e-9a55-5b7f5f0b8a11"
PORTS: list[dict[str, Any]] = [
    {"name": "http", "port": 80, "targetPort": 8080, "nodePort": 30080, "protocol": "TCP"},
    {"name": "dns", "port": 53, "protocol": "UDP"},
    {"port": 1},
]
SERVICE = {"uuid": UUID, "name": "front", "bay_uuid": UUID, "ip": "10.0.0.1", "ports": PORTS, "links": []}


def test_no_word_is_cut_in_two(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("GET /v1/services", 200, {"services": [SERVICE]})
    shown = magnum("coe-service-list", "--max-width", "60").out
    assert UUID in shown
    for word in ("80:30080/TCP", "53/UDP", "10.0.0.1"):
        assert word in shown


def test_sentences_are_broken_between_words(magnum: Run, cloud: StubCloud) -> None:
    reason = "no valid host was found " * 5
    cloud.on("GET /v1/bays/web", 200, {"uuid": UUID, "status_reason": reason})
    shown = magnum("bay-show", "web", "--max-width", "60").out
    assert max(map(len, shown.splitlines())) <= 60
    cells = [line.split("|")[2].split() for line in shown.splitlines() if line.startswith("|")]
    assert [word for cell in cells for word in cell] == ["Value", UUID, *reason.split()]


def test_where_the_fields_are_not_told_the_refusal_still_is(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("PATCH /v1/bays/web", 400, {"errors": [{"detail": "No such attribute."}]})
    cloud.on("GET /v1/bays/web", 500)
    assert magnum("bay-update", "web", "replace", "nodes=2").err == "ERROR: No such attribute. (HTTP 400)\n"


def test_ports_are_short_for_people_and_whole_for_programs(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("GET /v1/services", 200, {"services": [SERVICE]})
    assert "| 80:30080/TCP, 53/UDP, 1/TCP |" in magnum("service-list", "-c", "ports").out
    assert magnum("service-list", "-c", "ports", "-f", "json").json == [{"ports": PORTS}]
    assert '"targetPort": 8080' in magnum("service-list", "-c", "ports", "-f", "value").out


def test_a_field_that_there_is_not_is_answered_with_those_that_are(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("PATCH /v1/bays/web", 400, {"errors": [{"detail": "No such attribute."}]})
    cloud.on("GET /v1/bays/web", 200, {"uuid": UUID, "name": "web", "node_count": 1, "links": []})
    ran = magnum("bay-update", "web", "replace", "nodecount=2")
    assert ran.code == 1
    assert ran.err == (
        "ERROR: No such attribute. (HTTP 400)\n"
        "A bay has no 'nodecount' (nearest is node_count). It has: name, node_count, uuid.\n"
    )


def test_an_object_begins_with_what_a_list_shows_of_it(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("GET /v1/pods/p", 200, {"labels": {}, "status": "Running", "links": [], "name": "p", "uuid": UUID})
    assert list(magnum("pod-show", "p", "-f", "json").json) == ["uuid", "name", "status", "labels"]
