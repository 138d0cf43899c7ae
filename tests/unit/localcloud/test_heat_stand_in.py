"""The Heat that only plays, as Magnum's own client meets it."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token
from oslo_config import cfg

from magnum.clients.errors import Permanent, Transient
from magnum.clients.heat import Stacks
from magnum.conductor import faults
from magnum.drivers import base
from magnum.drivers.kubernetes.driver import KubernetesDriver
from magnum.localcloud.heat_stand_in import api, store
from magnum.localcloud.heat_stand_in.api import Api, Request
from magnum.localcloud.heat_stand_in.control import Control
from magnum.localcloud.heat_stand_in.server import Respond, troubled
from magnum.localcloud.heat_stand_in.store import Store
from magnum.localcloud.heat_stand_in.tokens import Caller, NotAccepted
from magnum.localcloud.heat_stand_in.trouble import Trouble

MODEL: dict[str, Any] = {"image_id": "debian", "flavor_id": "m1.small", "labels": {}}
ACCESS = base.NodeAccess("https://magnum:9511", "", "MASTERTOKEN", "NODETOKEN", [])
BAY = "0123abcd-1111-2222-3333-444444444444"
BASE = "http://heat"


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def time(self) -> float:
        return self.now


class Keystone:
    """Tokens are `project` or `project:role`."""

    def caller(self, token: str) -> Caller:
        if token == "revoked":
            raise NotAccepted
        project, _, role = token.partition(":")
        return Caller(f"bay-{project}", project, frozenset({role or "member"}))


class Wire(requests.adapters.BaseAdapter):
    """Where a connection would be."""

    def __init__(self, respond: Respond) -> None:
        super().__init__()
        self.respond = respond

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        parts = urlsplit(request.url or "")
        body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
        token = request.headers.get("X-Auth-Token") or ""
        answer = self.respond(
            Request(str(request.method), str(parts.path), parse_qs(str(parts.query)), token, body, BASE)
        )
        if answer is None:
            raise requests.exceptions.ConnectionError("Connection aborted.")
        response = requests.Response()
        response.status_code, response._content, response.url = answer.status, answer.body, str(request.url)
        response.request = request
        response.headers.update(answer.headers)
        response.headers["Content-Type"] = "application/json"
        return response

    def close(self) -> None:
        """Nothing is open."""


class Heat:
    """A stand-in without its process."""

    def __init__(self, conf: cfg.ConfigOpts, path: Path) -> None:
        self.conf = conf
        self.path = path
        self.start()

    def start(self) -> None:
        self.store = Store(self.path)
        self.trouble = Trouble(self.store.keep_orders, self.store.orders())
        self.control = Control(self.store, self.trouble)
        self.respond = troubled(Api(self.store, self.trouble, Keystone()).answer, self.trouble)  # type: ignore[arg-type]

    def of(self, token: str) -> Stacks:
        project = token.partition(":")[0]
        http = requests.Session()
        http.mount(BASE, Wire(self.respond))
        return Stacks(self.conf, Session(Token(f"{BASE}/v1/{project}", token), session=http))

    def order(self, method: str, path: str, /, **data: Any) -> Any:
        body = json.dumps(data).encode()
        answer = self.control.answer(Request(method, path, {}, "", body, ""))
        assert answer.status == 200, answer.data
        return answer.data


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    for module in (api, store):
        monkeypatch.setattr(module, "time", SimpleNamespace(time=found.time))
    return found


@pytest.fixture
def heat(conf: cfg.ConfigOpts, tmp_path: Path, clock: Clock) -> Heat:
    found = Heat(conf, tmp_path / "state.sqlite")
    found.order("PUT", "/settings", create_seconds=10, update_seconds=10, delete_seconds=10, spread=0)
    return found


def wanted(nodes: int, gone: tuple[str, ...] = (), masters: int = 1) -> dict[str, Any]:
    return KubernetesDriver().stack(base.BaySpec(BAY, "shop", nodes, masters, MODEL), ACCESS, gone).arguments()


def state(stacks: Stacks, stack_id: str) -> str:
    stack = stacks.get("shop", stack_id)
    assert stack is not None
    return f"{stack.action}_{stack.status}"


def servers(stacks: Stacks, stack_id: str) -> list[str]:
    stack = stacks.get("shop", stack_id)
    assert stack is not None
    return [node.name for node in KubernetesDriver().outputs(stack.outputs).nodes]


def test_a_bay_lives(heat: Heat, clock: Clock) -> None:
    stacks = heat.of("p")
    stack_id = stacks.create("shop", wanted(2), "made", 60)
    assert stacks.create("shop", wanted(2), "again", 60) == stack_id
    assert state(stacks, stack_id) == "CREATE_IN_PROGRESS"
    clock.now += 10
    assert state(stacks, stack_id) == "CREATE_COMPLETE"
    outputs = KubernetesDriver().outputs(stacks.get("shop", stack_id).outputs)  # type: ignore[union-attr]
    assert outputs.api_address == "https://127.0.0.1:1"
    assert len(outputs.node_addresses) == 2
    names = servers(stacks, stack_id)
    assert [name.rsplit("-", 2)[1:] for name in names] == [["master", "0"], ["node", "0"], ["node", "1"]]

    stacks.update("shop", stack_id, wanted(2, (names[1],)), "changed", 60)
    found = stacks.find("shop")
    assert found is not None
    assert (found.action, found.status, found.tags) == ("UPDATE", "IN_PROGRESS", ("changed",))
    clock.now += 10
    assert servers(stacks, stack_id) == [names[0], names[2], names[2].removesuffix("1") + "2"]

    stacks.delete("shop", stack_id)
    assert state(stacks, stack_id) == "DELETE_IN_PROGRESS"
    clock.now += 10
    assert stacks.find("shop") is None
    assert stacks.states([stack_id]) == {}
    stacks.delete("shop", stack_id)
    assert heat.order("GET", "/stacks") == []
    assert stacks.create("shop", wanted(1), "made", 60) != stack_id


def test_a_leaf_that_fails_is_explained(heat: Heat, clock: Clock) -> None:
    heat.order("POST", "/stack-faults", action="create", path="nodes.1.server")
    stacks = heat.of("p")
    stack_id = stacks.create("shop", wanted(2), "made", 60)
    clock.now += 10
    assert state(stacks, stack_id) == "CREATE_FAILED"
    (fault,) = faults.collect(stacks.resources("shop", stack_id))
    assert fault == {
        "service": "nova",
        "resource": "nodes.1.server",
        "name": "node 1",
        "type": "OS::Nova::Server",
        "message": "No valid host was found.",
        "code": "500",
    }
    assert len(servers(stacks, stack_id)) == 2


def test_a_failed_change_is_rolled_back(heat: Heat, clock: Clock) -> None:
    stacks = heat.of("p")
    stack_id = stacks.create("shop", wanted(1), "made", 60)
    clock.now += 10
    heat.order("POST", "/stack-faults", action="update", path="nodes.2.server")
    stacks.update("shop", stack_id, wanted(3), "changed", 60, rollback=True)
    clock.now += 10
    assert state(stacks, stack_id) == "UPDATE_FAILED"
    clock.now += 1
    assert state(stacks, stack_id) == "ROLLBACK_IN_PROGRESS"
    failed = stacks.failed_update("shop", stack_id)
    assert [fault["resource"] for fault in faults.collect(failed.resources)] == ["nodes.2.server"]
    clock.now += 10
    assert state(stacks, stack_id) == "ROLLBACK_COMPLETE"
    assert len(servers(stacks, stack_id)) == 2


@pytest.mark.parametrize("action", ["create", "update", "delete"])
def test_what_hangs_ends_when_its_time_is_over(heat: Heat, clock: Clock, action: str) -> None:
    stacks = heat.of("p")
    heat.order("POST", "/stack-faults", action=action, hangs=True)
    stack_id = stacks.create("shop", wanted(1), "made", 5)
    clock.now += 10
    if action == "update":
        stacks.update("shop", stack_id, wanted(2), "changed", 5)
    elif action == "delete":
        stacks.delete("shop", stack_id)
    clock.now += 100
    assert state(stacks, stack_id) == f"{action.upper()}_IN_PROGRESS"
    clock.now += 200
    assert state(stacks, stack_id) == f"{action.upper()}_FAILED"
    stacks.delete("shop", stack_id)
    clock.now += 10
    assert stacks.find("shop") is None


def test_only_ones_own_stacks_are_seen(heat: Heat) -> None:
    stack_id = heat.of("p").create("shop", wanted(1), "made", 60)
    assert heat.of("q").find("shop") is None
    assert heat.of("q").get("shop", stack_id) is None
    assert heat.of("q").states([stack_id]) == {}
    assert list(heat.of("service:admin").states([stack_id])) == [stack_id]
    heat.order("PUT", "/settings", admin_sees_all=False)
    assert heat.of("service:admin").states([stack_id]) == {}
    with pytest.raises(Transient, match="does not accept"):
        heat.of("revoked").find("shop")


def test_what_heat_refuses(heat: Heat, clock: Clock) -> None:
    stacks = heat.of("p")
    with pytest.raises(Permanent, match=r"Parameter \(bay_uuid\) was not provided"):
        stacks.create("shop", {**wanted(1), "parameters": {}}, "made", 60)
    with pytest.raises(Permanent, match=r"Parameter \(colour\) was not defined"):
        stacks.create("shop", {**wanted(1), "parameters": {"colour": "red"}}, "made", 60)
    with pytest.raises(Permanent, match="Invalid stack name"):
        stacks.create("1", wanted(1), "made", 60)
    stack_id = stacks.create("shop", wanted(1), "made", 60)
    stacks.delete("shop", stack_id)
    with pytest.raises(Permanent, match="is deleting"):
        stacks.update("shop", stack_id, wanted(2), "changed", 60)


@pytest.mark.parametrize("status", [401, 409, 500, 503])
def test_calls_fail_as_often_as_was_ordered(heat: Heat, status: int) -> None:
    stacks = heat.of("p")
    heat.order("POST", "/call-faults", kind="status", status=status, calls=["create"], count=4)
    assert stacks.find("shop") is None
    for _ in range(10):
        try:
            stacks.create("shop", wanted(1), "made", 60)
            break
        except (Transient, Permanent):
            continue
    assert stacks.find("shop") is not None
    counts = heat.order("GET", "/calls")
    assert counts["create status"] == 4
    assert counts["create 201"] == 1


@pytest.mark.parametrize(("kind", "made"), [("cut", False), ("lost_answer", True), ("silence", False)])
def test_answers_that_never_come(heat: Heat, kind: str, made: bool) -> None:
    stacks = heat.of("p")
    heat.order("POST", "/call-faults", kind=kind, seconds=0, calls=["create"], for_seconds=60)
    with pytest.raises(Transient):
        stacks.create("shop", wanted(1), "made", 60)
    assert (stacks.find("shop") is not None) is made
    heat.order("DELETE", "/call-faults")
    stacks.create("shop", wanted(1), "made", 60)


def test_all_of_it_outlives_the_process(heat: Heat, clock: Clock) -> None:
    stack_id = heat.of("p").create("shop", wanted(2), "made", 60)
    heat.order("POST", "/stack-faults", action="update", count=2)
    orders = heat.order("GET", "/")
    heat.start()
    assert heat.order("GET", "/") == orders
    assert state(heat.of("p"), stack_id) == "CREATE_IN_PROGRESS"
    clock.now += 10
    assert len(servers(heat.of("p"), stack_id)) == 3


def test_an_order_that_makes_no_sense_is_refused(heat: Heat) -> None:
    for path, body in (("/call-faults", b'{"kind": "x"}'), ("/settings", b'{"x": 1}'), ("/stack-faults", b"[]")):
        method = "PUT" if path == "/settings" else "POST"
        assert heat.control.answer(Request(method, path, {}, "", body, "")).status == 400
    assert heat.control.answer(Request("GET", "/x", {}, "", b"", "")).status == 404


def test_stacks_that_are_gone_are_forgotten(heat: Heat, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_LOOK_EVERY", 3)
    stacks = heat.of("p")
    stacks.delete("shop", stacks.create("shop", wanted(1), "made", 60))
    clock.now += 1000
    stacks.create("other", wanted(0), "made", 60)
    assert "shop" not in {stack.name for stack in heat.store.all()}
