"""What tenants ask for while everything breaks, and what they were promised."""

import queue
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import requests

from magnum.common import states
from magnum.common.states import BayStatus
from tests.chaos.cloud import ChaosCloud, Tenant
from tests.chaos.plan import Action

_WORKERS = 8
_SECONDS = 45.0
_TRIES = 4
_PAUSE = 1.0
_ALLOWED = {"create": (503,)}
_ALLOWED_OF_A_BAY = (404, 409, 503)
"""What may be answered beside 2xx."""
_FITTING = {
    "update": states.READY,
    "delete": states.CHANGING,  # so that a deletion supersedes something
    "retry": frozenset(status for status in BayStatus if status.endswith("_FAILED")),
    "rollback": states.HALF_CHANGED,
}
"""Bays in which state an aimed request goes to."""
_ROLLBACK = {"OpenStack-API-Version": "container-infra latest"}


@dataclass(frozen=True)
class Promise:
    """A request that was accepted."""

    verb: str
    bay_uuid: str
    request_id: str


@dataclass
class Record:
    """What came of all requests; written by several threads."""

    promises: list[Promise] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    slowest: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Tenants:
    """Sends requests, those about one bay in their order."""

    def __init__(self, cloud: ChaosCloud, tenants: list[Tenant]) -> None:
        self._cloud = cloud
        self._tenants = tenants
        self._bays: dict[str, str] = {}
        self.record = Record()
        self._queues: list[queue.Queue[Action | None]] = [queue.Queue() for _ in range(_WORKERS)]
        self._threads = [threading.Thread(target=self._work, args=(each,), daemon=True) for each in self._queues]
        for thread in self._threads:
            thread.start()

    def ask(self, action: Action) -> None:
        """Have a request sent."""
        self._queues[int(action.target) % _WORKERS].put(action)

    def finish(self) -> None:
        """Wait until all are answered, or given up."""
        for each in self._queues:
            each.put(None)
        for thread in self._threads:
            thread.join()

    def delete_all(self) -> None:
        """Ask for the deletion of every bay there is, of a cloud that is well."""
        for tenant in self._tenants:
            for bay in self._listed(tenant):
                self._send(Action(0, "delete", "", {"api": 0}), tenant, "DELETE", f"/bays/{bay['uuid']}", None)

    def _work(self, actions: "queue.Queue[Action | None]") -> None:
        while (action := actions.get()) is not None:
            try:
                self._ask(action, self._tenants[action.values["tenant"]])
            except Exception as error:  # noqa: BLE001 - a thread that ends would leave all later requests unsent
                self._tell(f"{action} could not be asked: {error!r}")

    def _ask(self, action: Action, tenant: Tenant) -> None:
        if action.kind == "create":
            self._create(action, tenant)
            return
        aimed = self._aimed(action, tenant)
        bay = aimed["uuid"] if aimed else self._bays.get(action.target)
        if bay is None:
            self._count(f"{action.kind} of a bay that is not known")
            return
        answer = self._ask_of(action, tenant, f"/bays/{bay}")
        if aimed and answer is not None and answer.ok:
            self._count(f"{action.kind} accepted of {aimed['status']}")

    def _ask_of(self, action: Action, tenant: Tenant, path: str) -> requests.Response | None:
        if action.kind == "update":
            return self._update(action, tenant, path)
        if action.kind == "delete":
            return self._send(action, tenant, "DELETE", path, None)
        return self._send(action, tenant, "POST", f"{path}/actions/{action.kind}", None)

    def _aimed(self, action: Action, tenant: Tenant) -> dict[str, Any] | None:
        """The bay that an action aims at: any state there is comes first, as most bays are in the same."""
        if "aim" not in action.values:
            return None
        by_status: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for bay in self._listed(tenant):
            if bay["status"] in _FITTING[action.kind]:
                by_status[bay["status"]].append(bay)
        if not by_status:
            return None
        place = action.values["aim"] * len(by_status)
        found = by_status[sorted(by_status)[int(place)]]
        return found[int(place % 1 * len(found))]

    def _create(self, action: Action, tenant: Tenant) -> None:
        name = f"bay-{action.target}"
        body = {
            "name": name,
            "baymodel_id": tenant.baymodel,
            "node_count": action.values["nodes"],
            "master_count": action.values["masters"],
            "bay_create_timeout": action.values["minutes"],
        }
        answer = self._send(action, tenant, "POST", "/bays", body)
        if answer is not None and answer.ok:
            self._bays[action.target] = answer.json()["uuid"]
        elif answer is None:
            # Perhaps it was accepted: then it is there, and has to come to a good end as well.
            for bay in self._listed(tenant):
                if bay["name"] == name:
                    self._bays[action.target] = bay["uuid"]

    def _update(self, action: Action, tenant: Tenant, path: str) -> requests.Response | None:
        nodes = action.values["nodes"]
        body = [{"op": "replace", "path": "/node_count", "value": nodes}]
        if not action.values["rollback"]:
            return self._send(action, tenant, "PATCH", path, body)
        if self._count_of_resting(tenant, path) in (None, nodes):
            self._count("update with rollback of a bay for which it makes no sense")
            return None
        return self._send(action, tenant, "PATCH", f"{path}?rollback=true", body)

    def _count_of_resting(self, tenant: Tenant, path: str) -> int | None:
        """How many nodes a bay has that nothing happens to."""
        answer = self._get(tenant, path)
        if answer is None or not answer["status"].endswith("_COMPLETE"):
            return None
        return int(answer["node_count"])

    def _send(self, action: Action, tenant: Tenant, method: str, path: str, body: Any) -> requests.Response | None:
        """The answer; None where nobody knows whether the request was accepted."""
        for number in range(_TRIES):
            url = f"{self._cloud.apis[(action.values['api'] + number) % 2]}/v1{path}"
            begun = time.monotonic()
            try:
                headers = {"X-Auth-Token": tenant.token, **(_ROLLBACK if "rollback" in path else {})}
                answer = requests.request(method, url, json=body, headers=headers, timeout=_SECONDS)
            except requests.RequestException as error:
                if isinstance(error, requests.ConnectionError) and "refused" in str(error):  # it has not been heard
                    time.sleep(_PAUSE)
                    continue
                self._count(f"{action.kind} unanswered")
                if isinstance(error, requests.ReadTimeout):
                    self._tell(f"{action} was not answered within {_SECONDS:.0f} s")
                return None
            self._note(action, answer, time.monotonic() - begun)
            if answer.status_code != 503:
                return answer
            time.sleep(_PAUSE)
        self._count(f"{action.kind} given up")
        return None

    def _note(self, action: Action, answer: requests.Response, seconds: float) -> None:
        self._count(f"{action.kind} {answer.status_code}")
        with self.record.lock:
            self.record.slowest = max(self.record.slowest, seconds)
            if not answer.ok and answer.status_code not in _ALLOWED.get(action.kind, _ALLOWED_OF_A_BAY):
                self.record.problems.append(f"{action} was answered with {answer.status_code}: {answer.text[:300]}")
            elif answer.ok and _starts(action, answer):
                self.record.promises.append(
                    Promise(action.kind, _bay_of(answer), answer.headers.get("X-Openstack-Request-Id", ""))
                )

    def _listed(self, tenant: Tenant) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (self._get(tenant, "/bays") or {"bays": []})["bays"]
        return found

    def _get(self, tenant: Tenant, path: str) -> dict[str, Any] | None:
        """What a path has; None where it has nothing, or no API answers."""
        for number in range(_TRIES):
            try:
                url = f"{self._cloud.apis[number % 2]}/v1{path}"
                answer = requests.get(url, headers={"X-Auth-Token": tenant.token}, timeout=_SECONDS)
            except requests.RequestException:
                time.sleep(_PAUSE)
                continue
            if answer.ok:
                found: dict[str, Any] = answer.json()
                return found
            if answer.status_code == 404:
                return None
            time.sleep(_PAUSE)
        return None

    def _tell(self, problem: str) -> None:
        with self.record.lock:
            self.record.problems.append(problem)

    def _count(self, what: str) -> None:
        with self.record.lock:
            self.record.outcomes[what] += 1


def _starts(action: Action, answer: requests.Response) -> bool:
    """Whether it says that something begins: a change of a bay to what it is already is none."""
    if action.kind == "update" and answer.status_code == 200:
        return bool(answer.json()["status"] == "UPDATE_IN_PROGRESS")
    return True


def _bay_of(answer: requests.Response) -> str:
    """The bay that a request was about: in the answer, or in the path of the request."""
    if answer.content:
        return str(answer.json()["uuid"])
    return str(answer.request.path_url).split("/bays/")[1].split("/")[0].split("?")[0]
