"""What is made of Heat's answers."""

import json
from typing import Any

import pytest
import requests
from keystoneauth1 import exceptions as ka
from oslo_config import cfg

from magnum.clients.errors import NotAccepted, Permanent, Transient
from magnum.clients.heat import Stacks

STACK = {
    "id": "s-1",
    "stack_name": "bay-1",
    "stack_status": "CREATE_COMPLETE",
    "stack_status_reason": "",
    "tags": ["t"],
}


class FakeSession:
    """A keystoneauth session whose requests are answered in turn."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Any] | Exception] = []
        self.asked: list[tuple[str, str]] = []
        self.sent: list[Any] = []

    def request(self, url: str, method: str, **kwargs: Any) -> requests.Response:
        self.asked.append((method, url))
        self.sent.append(kwargs.get("data"))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        response = requests.Response()
        response.status_code, body = answer
        response._content = json.dumps(body).encode()
        response.headers["Content-Type"] = "application/json"
        return response


@pytest.fixture
def session() -> FakeSession:
    return FakeSession()


@pytest.fixture
def stacks(conf: cfg.ConfigOpts, session: FakeSession) -> Stacks:
    return Stacks(conf, session)


def refusal(code: int, message: str = "Because.") -> tuple[int, Any]:
    return code, {"code": code, "error": {"message": message, "type": "X"}, "title": "T", "explanation": "E"}


def test_a_stack_is_read_with_its_outputs(stacks: Stacks, session: FakeSession) -> None:
    session.answers = [(200, {"stack": {**STACK, "outputs": [{"output_key": "a", "output_value": [1]}]}})]
    stack = stacks.get("bay-1", "s-1")
    assert stack is not None
    assert (stack.action, stack.status, stack.tags, stack.outputs) == ("CREATE", "COMPLETE", ("t",), {"a": [1]})
    assert session.asked == [("GET", "/stacks/bay-1/s-1")]


def test_a_stack_that_is_gone_is_none(stacks: Stacks, session: FakeSession) -> None:
    session.answers = [refusal(404), refusal(404), refusal(404)]
    assert stacks.get("bay-1", "s-1") is None
    assert stacks.find("bay-1") is None
    stacks.delete("bay-1", "s-1")


def test_creating_what_is_there_gives_what_is_there(stacks: Stacks, session: FakeSession) -> None:
    session.answers = [refusal(409), (200, {"stack": STACK})]
    assert stacks.create("bay-1", {"template": "t", "files": {}, "parameters": {}}, "tag", 5) == "s-1"


@pytest.mark.parametrize(
    "answer",
    [
        *(refusal(code) for code in (401, 429, 500, 502, 503, 504)),
        ka.ConnectFailure(),
        ka.ConnectTimeout(),
        ka.DiscoveryFailure(),
    ],
)
def test_what_may_pass(stacks: Stacks, session: FakeSession, answer: tuple[int, Any] | Exception) -> None:
    session.answers = [answer]
    with pytest.raises(Transient):
        stacks.create("bay-1", {}, "tag", 5)
    assert len(session.asked) == 1, "a call that makes something is not repeated behind the caller's back"


@pytest.mark.parametrize("code", [500, 401])
def test_a_service_that_does_answer_is_not_asked_for_ever(stacks: Stacks, session: FakeSession, code: int) -> None:
    session.answers = [refusal(code, "Traceback: secrets")]
    with pytest.raises(Transient) as raised:
        stacks.find("bay-1")
    assert raised.value.tries is not None
    assert "secrets" not in raised.value.message


def test_a_busy_stack_may_become_free(stacks: Stacks, session: FakeSession) -> None:
    session.answers = [refusal(409, "Stack bay-1 already has an action (CREATE) in progress.")]
    with pytest.raises(Transient, match="already has an action"):
        stacks.update("bay-1", "s-1", {}, "tag", 5)


def test_a_refusal_is_told_in_heats_words(stacks: Stacks, session: FakeSession) -> None:
    session.answers = [refusal(400, "Parameter image was not provided.")]
    with pytest.raises(Permanent) as raised:
        stacks.create("bay-1", {}, "tag", 5)
    assert (raised.value.message, raised.value.code) == ("Parameter image was not provided.", 400)


def test_no_orchestration_in_the_catalog_is_said_so(stacks: Stacks, session: FakeSession) -> None:
    session.answers = [ka.EndpointNotFound()]
    with pytest.raises(Permanent, match="no orchestration service"):
        stacks.find("bay-1")


def test_many_stacks_take_few_calls(stacks: Stacks, session: FakeSession) -> None:
    ids = [f"00000000-0000-0000-0000-{number:012}" for number in range(320)]
    session.answers = [
        (200, {"stacks": [{**STACK, "id": one} for one in ids[start : start + 150]]}) for start in (0, 150, 300)
    ]
    assert set(stacks.states(ids)) == set(ids)
    assert len(session.asked) == 3
    assert max(len(url) for _, url in session.asked) < 8000
    assert stacks.states([]) == {}


def test_all_stacks_of_a_name(stacks: Stacks, session: FakeSession) -> None:
    session.answers = [(200, {"stacks": [STACK, {**STACK, "id": "s-2"}]})]
    assert [stack.id for stack in stacks.named("bay-1")] == [STACK["id"], "s-2"]
    assert session.asked[0][1].endswith("name=bay-1")


@pytest.mark.parametrize(
    ("seconds", "status", "physical", "action"),
    [
        (60, "UPDATE_IN_PROGRESS", "s-1", "UPDATE"),
        (60, "RESTORE_IN_PROGRESS", "s-1", "RESTORE"),
        (1, "UPDATE_IN_PROGRESS", "s-1", None),
        (60, "UPDATE_COMPLETE", "s-1", None),
        (60, "CHECK_IN_PROGRESS", "s-1", None),
        (60, "SNAPSHOT_IN_PROGRESS", "s-1", None),
        (60, "UPDATE_IN_PROGRESS", "server-1", None),
    ],
)
def test_a_later_change_is_known_by_its_event(
    stacks: Stacks, session: FakeSession, seconds: int, status: str, physical: str, action: str | None
) -> None:
    event = {
        "id": "e-1",
        "resource_name": "bay-1",
        "resource_status": status,
        "physical_resource_id": physical,
        "event_time": f"2026-01-01T10:{seconds // 60:02}:{seconds % 60:02}Z",
        "links": [],
    }
    session.answers = [(200, {"events": [event]})]
    assert stacks.last_change("bay-1", "s-1", "2026-01-01T10:00:00Z") == action


@pytest.mark.parametrize("answer", [ka.InvalidResponse(None), (200, "<html>a proxy</html>"), (200, {"stack": None})])
def test_an_answer_that_is_none_of_heat_may_be_a_proxys(stacks: Stacks, session: FakeSession, answer: Any) -> None:
    session.answers = [answer]
    with pytest.raises(Transient, match="cannot be read") as raised:
        stacks.find("bay-1")
    assert raised.value.tries is not None


def test_a_user_that_keystone_does_not_know_yet(stacks: Stacks, session: FakeSession) -> None:
    session.answers = [ka.Unauthorized("The request you have made requires authentication.")]
    with pytest.raises(NotAccepted) as raised:
        stacks.find("bay-1")
    assert raised.value.tries is not None


def resource(name: str, stack: str, physical: str, *, nested: bool = False) -> dict[str, Any]:
    links = [{"rel": "stack", "href": f"http://heat/v1/p/stacks/name/{stack}"}]
    if nested:
        links.append({"rel": "nested", "href": f"http://heat/v1/p/stacks/name/{physical}"})
    return {
        "resource_name": name,
        "resource_type": "X",
        "resource_status": "CREATE_FAILED",
        "resource_status_reason": "r",
        "physical_resource_id": physical,
        "links": links,
    }


def test_resources_know_their_place_through_nested_stacks(stacks: Stacks, session: FakeSession) -> None:
    found = [
        resource("server", "inner", ""),
        resource("0", "group", "inner", nested=True),
        resource("nodes", "s-1", "group", nested=True),
        resource("network", "s-1", "n"),
    ]
    session.answers = [(200, {"resources": found})]
    every = {item.path: item.nested for item in stacks.resources("bay-1", "s-1")}
    assert every == {("nodes", "0", "server"): False, ("nodes", "0"): True, ("nodes",): True, ("network",): False}


def event(name: str, stack: str, status: str, second: int, physical: str | None = None, reason: str = "") -> Any:
    return {
        "resource_name": name,
        "resource_status": status,
        "resource_status_reason": reason,
        "physical_resource_id": physical,
        "event_time": f"2026-01-01T00:00:{second:02}Z",
        "links": [{"rel": "stack", "href": f"http://heat/v1/p/stacks/name/{stack}"}],
    }


GONE = "Conflict: resources.nodes.resources[2].resources.server: no"
EVENTS = [
    event("bay-1", "s-1", "UPDATE_IN_PROGRESS", 1, "s-1"),
    event("nodes", "s-1", "UPDATE_FAILED", 2, "group", "of the update before"),
    event("bay-1", "s-1", "UPDATE_FAILED", 2, "s-1", "of the update before"),
    event("bay-1", "s-1", "UPDATE_IN_PROGRESS", 10, "s-1"),
    event("bay-1-nodes", "group", "UPDATE_FAILED", 14, "group", "a nested stack itself"),
    event("server", "inner", "CREATE_FAILED", 14, "", "Quota exceeded"),
    event("server", "gone", "CREATE_FAILED", 14, "", "no"),
    event("bay-1", "s-1", "UPDATE_FAILED", 15, "s-1", "Resource UPDATE failed"),
    event("bay-1", "s-1", "ROLLBACK_IN_PROGRESS", 15, "s-1"),
    event("1", "group", "CREATE_FAILED", 15, "inner", "Quota exceeded"),
    event("nodes", "s-1", "UPDATE_FAILED", 15, "group", GONE),
    event("port", "s-1", "DELETE_FAILED", 20, "p", "of the rollback"),
    event("bay-1", "s-1", "ROLLBACK_FAILED", 21, "s-1"),
]


@pytest.mark.parametrize("last", [11, 13])
def test_how_an_update_failed_is_known_from_events(stacks: Stacks, session: FakeSession, last: int) -> None:
    there = [resource("nodes", "s-1", "group", nested=True), resource("0", "group", "first", nested=True)]
    there.append({**resource("server", "first", "x"), "resource_type": "OS::Nova::Server"})
    session.answers = [(200, {"events": EVENTS[:last]}), (200, {"resources": there})]
    failed = stacks.failed_update("bay-1", "s-1")
    assert failed.reason == "Resource UPDATE failed"
    assert failed.resources[0].type == "OS::Nova::Server"
    assert {item.path: (item.reason, item.nested) for item in failed.resources} == {
        ("nodes", "1", "server"): ("Quota exceeded", False),
        ("nodes", "1"): ("Quota exceeded", True),
        ("nodes",): (GONE, True),
    }


@pytest.mark.parametrize("rollback", [False, True])
def test_each_update_says_whether_it_is_to_be_undone(stacks: Stacks, session: FakeSession, rollback: bool) -> None:
    session.answers = [(202, {})]
    stacks.update("bay-1", "s-1", {}, "tag", 5, rollback=rollback)
    assert json.loads(session.sent[-1])["disable_rollback"] is not rollback


def test_a_conflict_about_a_stack_that_is_not_there_passes(stacks: Stacks, session: FakeSession) -> None:
    session.answers = [refusal(409, "Busy."), refusal(404)]
    with pytest.raises(Transient, match=r"Busy\."):
        stacks.create("bay-1", {}, "t", 60)
