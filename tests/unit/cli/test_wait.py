"""Waiting for bays."""

import io
from collections.abc import Callable
from typing import Any

import pytest

from magnum.cli import wait
from magnum.cli.client import Client
from magnum.cli.errors import NotReachedError

from .conftest import Answer, Ran, Seen, StubCloud, refusal

Run = Callable[..., Ran]

ROW = {"uuid": "u1", "name": "web", "links": []}


def _statuses(*answers: Any) -> Callable[[Seen], Answer]:
    """Answers one after the other; the last one for ever."""
    left = list(answers)

    def answer(_: Seen) -> Answer:
        status = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(status, int):
            return status, refusal("not now")
        return 200, ROW | {"status": status, "status_reason": "node 2: Quota exceeded for instances"}

    return answer


def _step(cloud: StubCloud, text: str) -> None:
    event = {"id": 1, "text": text}
    cloud.handlers["GET /v1/bays/u1/events"] = lambda seen: (200, {"events": [] if seen.params else [event]})


def test_create_waits_for_the_end(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("POST /v1/bays", 201, ROW | {"status": "CREATE_IN_PROGRESS"})
    cloud.handlers["GET /v1/bays/u1"] = _statuses("CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE")
    _step(cloud, "Heat builds the stack")
    ran = magnum("bay-create", "--name", "web", "--baymodel", "m", "--wait", "-f", "json")
    assert ran.code == 0
    assert ran.json["status"] == "CREATE_COMPLETE"
    assert ran.err.splitlines() == [
        "0:00  web CREATE_IN_PROGRESS",
        "0:00  Heat builds the stack",
        "0:00  web CREATE_COMPLETE",
    ]


def test_each_event_is_told_once_and_the_past_not_at_all(magnum: Run, cloud: StubCloud) -> None:
    story = [("a", "made long ago"), ("b", "asked to grow"), ("b", "node 2 is asked for"), ("b", "node 2 is ready")]

    def events(seen: Seen) -> Answer:
        marker = int(seen.params.get("marker", "0"))
        known = 2 if not marker else 4
        rows = [{"id": i + 1, "request_id": story[i][0], "text": story[i][1]} for i in range(marker, known)]
        return 200, {"events": rows}

    cloud.on("PATCH /v1/bays/web", 200, ROW)
    cloud.handlers["GET /v1/bays/u1"] = _statuses("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE")
    cloud.handlers["GET /v1/bays/u1/events"] = events
    ran = magnum("bay-update", "web", "replace", "node_count=2", "--wait")
    assert [line.partition("  ")[2] for line in ran.err.splitlines()] == [
        "web UPDATE_IN_PROGRESS",
        "asked to grow",
        "node 2 is asked for",
        "node 2 is ready",
        "web UPDATE_COMPLETE",
    ]


def test_a_change_that_changes_nothing_tells_no_old_story(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("PATCH /v1/bays/web", 200, ROW)
    cloud.handlers["GET /v1/bays/u1"] = _statuses("CREATE_COMPLETE")
    _step(cloud, "made long ago")
    ran = magnum("bay-update", "web", "replace", "node_count=1", "--wait")
    assert ran.err == "0:00  web CREATE_COMPLETE\n"


def test_what_is_not_mere_information_says_so(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("POST /v1/bays", 202, {"uuid": "u1"})
    cloud.handlers["GET /v1/bays/u1"] = _statuses("CREATE_IN_PROGRESS", "CREATE_COMPLETE")
    warning = {"id": 1, "level": "warning", "text": "the image was not looked up"}
    cloud.handlers["GET /v1/bays/u1/events"] = lambda seen: (200, {"events": [] if seen.params else [warning]})
    ran = magnum(
        "--magnum-api-version", "1.2", "bay-create", "--baymodel", "m", "--wait", "-f", "value", "-c", "status"
    )
    assert ran.err.splitlines()[1] == "0:00  warning: the image was not looked up"
    assert ran.out == "CREATE_COMPLETE\n"


def test_a_failure_has_its_reason_the_next_command_and_code_4(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("PATCH /v1/bays/web", 200, ROW | {"status": "UPDATE_IN_PROGRESS"})
    cloud.handlers["GET /v1/bays/u1"] = _statuses("UPDATE_FAILED")
    ran = magnum("bay-update", "web", "replace", "node_count=2", "--wait")
    assert ran.code == 4
    assert "UPDATE_FAILED: node 2: Quota exceeded for instances" in ran.err
    assert "magnum bay-event-list web" in ran.err


def test_a_change_that_was_taken_back_has_failed(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("PATCH /v1/bays/web", 202, {"uuid": "u1"})
    cloud.handlers["GET /v1/bays/u1"] = _statuses("UPDATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE")
    ran = magnum("bay-update", "web", "replace", "node_count=2", "--rollback", "--wait")
    assert ran.code == 4
    assert [line.split()[-1] for line in ran.err.splitlines()[:3]] == [
        "UPDATE_IN_PROGRESS",
        "ROLLBACK_IN_PROGRESS",
        "ROLLBACK_COMPLETE",
    ]
    assert "ROLLBACK_COMPLETE: node 2: Quota exceeded for instances" in ran.err


def test_delete_waits_until_it_is_gone(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("GET /v1/bays/web", 200, ROW)
    cloud.on("DELETE /v1/bays/web", 204)
    cloud.handlers["GET /v1/bays/u1"] = _statuses("DELETE_IN_PROGRESS", 404)
    ran = magnum("bay-delete", "web", "--wait")
    assert ran.code == 0
    assert ran.out == "Deleted bay web.\n"


def test_a_delete_that_fails(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("GET /v1/bays/web", 200, ROW)
    cloud.on("DELETE /v1/bays/web", 204)
    cloud.handlers["GET /v1/bays/u1"] = _statuses("DELETE_FAILED")
    ran = magnum("bay-delete", "web", "--wait")
    assert ran.code == 4
    assert "Delete for bay web failed: Bay web: DELETE_FAILED" in ran.err


def test_an_api_that_is_restarted_does_not_end_the_waiting(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("POST /v1/bays", 201, ROW)
    cloud.handlers["GET /v1/bays/u1"] = _statuses("CREATE_IN_PROGRESS", 503, 500, "CREATE_COMPLETE")
    ran = magnum("bay-create", "--baymodel", "m", "--wait")
    assert ran.code == 0
    assert "asking again: not now (HTTP 503)" in ran.err


def test_an_api_that_stays_away_does(cloud: StubCloud) -> None:
    times = iter(range(0, 10_000, 60))
    waiter = wait.BayWait(_Away(), io.StringIO(), clock=lambda: next(times), sleep=lambda _: None)
    with pytest.raises(NotReachedError):
        waiter.for_change(dict(ROW))


def test_a_bay_deleted_meanwhile(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("POST /v1/bays", 201, ROW)
    cloud.handlers["GET /v1/bays/u1"] = _statuses(404)
    ran = magnum("bay-create", "--baymodel", "m", "--wait")
    assert ran.code == 4
    assert "deleted meanwhile" in ran.err


def test_quiet_shows_no_progress(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("POST /v1/bays", 201, ROW)
    cloud.handlers["GET /v1/bays/u1"] = _statuses("CREATE_COMPLETE")
    assert magnum("-q", "bay-create", "--baymodel", "m", "--wait").err == ""


def test_a_terminal_gets_one_line_that_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "25")
    stream = _Terminal()
    answers = iter(["CREATE_IN_PROGRESS", "CREATE_COMPLETE"])
    waiter = wait.BayWait(_Answers(answers), stream, clock=lambda: 75.0, sleep=lambda _: None)
    waiter.for_change(dict(ROW))
    assert stream.getvalue().split("\r")[1:] == [
        "0:00  web CREATE_IN_PROG\x1b[K",
        "\x1b[K0:00  a step whose text stays\n",
        "0:00  web CREATE_COMPLET\x1b[K\n",
    ]


def test_a_log_gets_a_sign_of_life_while_nothing_happens() -> None:
    stream, times = io.StringIO(), iter(range(0, 100, 5))
    answers = iter(["CREATE_IN_PROGRESS"] * 7 + ["CREATE_COMPLETE"])
    wait.BayWait(_Answers(answers), stream, clock=lambda: next(times) * 0.5, sleep=lambda _: None).for_change(dict(ROW))
    begins = [line.split()[0] for line in stream.getvalue().splitlines()]
    assert begins == ["0:05", "0:05", "0:20", "0:35", "0:40"]


def test_interrupting_says_how_to_go_on() -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    stream = io.StringIO()
    waiter = wait.BayWait(_Answers(iter(["CREATE_IN_PROGRESS"])), stream, sleep=interrupt)
    with pytest.raises(KeyboardInterrupt):
        waiter.for_change(dict(ROW))
    assert "the work goes on. See: magnum bay-show web" in stream.getvalue()


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class _Answers(Client):
    """A bay with one status after the other."""

    def __init__(self, statuses: Any) -> None:
        self._statuses = statuses

    def get(self, *path: str, **more: Any) -> dict[str, Any]:
        if path[-1] == "events":
            return {"events": [] if "marker" in more["params"] else [{"id": 1, "text": "a step whose\ntext stays"}]}
        return ROW | {"status": next(self._statuses)}


class _Away(Client):
    def __init__(self) -> None:
        """Needs no cloud: there is none."""

    def get(self, *path: str, **_: Any) -> dict[str, Any]:
        raise NotReachedError("away")
