"""Tenants who come at once: for bays of which there are too few, and for pods while a bay hangs."""

import getpass
import http.client
import json
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle

from fake_bay import SilentBay
from load import Result, drive
from many_bays import Place, Waiting, put_running, wait_for
from stage import HOST, free_ports

from magnum.common.idents import new_uuid
from magnum.db import models

_APIS = 2
_ANSWER_SECONDS = 60
_OTHERS = 4
_TURN_SECONDS = 8.0
_MOST = 100_000
_HANGING = "project-that-hangs"


def quota(on: Place, had: int, asked: int) -> Counter[int]:
    """Ask for so many bays at the same moment in a project that has some; answers the codes and how often each came."""
    project = "project-with-quota"
    put_running(on, [Waiting(project, 0) for _ in range(had)], "https://192.0.2.1:6443")
    baymodel = _baymodel(on, project)
    ports = free_ports(_APIS)
    for port in ports:
        on.start("magnum-api", {"api": {"port": str(port), "workers": "1"}})
    for port in ports:
        wait_for(port, on.folder / "magnum.conf")
    begin = threading.Barrier(asked)
    headers = {"X-Auth-Token": project, "Content-Type": "application/json"}

    def send(port: int, method: str, path: str, body: str | None, *, together: bool = False) -> int:
        connection = http.client.HTTPConnection(HOST, port, timeout=_ANSWER_SECONDS)
        connection.connect()
        if together:
            begin.wait(_ANSWER_SECONDS)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status

    def ask(number: int) -> int:
        body = json.dumps({"name": f"bay-{number}", "baymodel_id": baymodel})
        return send(ports[number % _APIS], "POST", "/v1/bays", body, together=True)

    for port in ports:
        send(port, "GET", "/v1/baymodels", None)  # what is measured is the quota, not how an API first knows a token
    with ThreadPoolExecutor(asked) as pool:
        return Counter(pool.map(ask, range(asked)))


@dataclass(frozen=True)
class Hanging:
    """A tenant whose bays say nothing, and whose clients list their pods again and again."""

    bays: int
    clients: int


def hang(on: Place, turns: int, tenants: Sequence[Hanging]) -> list[list[Result]]:
    """Other tenants list their pods, in turn without and with each of these; answers what they saw: first without."""
    memcached, port = free_ports(2)
    on.run(["memcached", "-u", getpass.getuser(), "-l", HOST, "-p", str(memcached), "-U", "0"], "memcached")
    silent = on.stack.enter_context(SilentBay())
    others = [Waiting(f"project-{number}", 0) for number in range(_OTHERS)]
    put_running(on, others, f"https://{HOST}:{on.bay.port}")
    hanging = [Waiting(_HANGING, 0) for _ in range(max(tenant.bays for tenant in tenants))]
    put_running(on, hanging, f"https://{HOST}:{silent.port}")
    cache = {"memcached_servers": f"{HOST}:{memcached}"}
    on.start("magnum-embedded", {"api": {"port": str(port)}, "keystone_authtoken": cache})
    wait_for(port, on.folder / "magnum.conf")
    wanted = cycle([_list_pods(port, other) for other in others])
    drive((HOST, port), wanted, _OTHERS, _MOST, _TURN_SECONDS / 2)  # first connections, byte code, tokens
    seen: list[list[Result]] = [[] for _ in (None, *tenants)]
    for _ in range(turns):
        seen[0].append(drive((HOST, port), wanted, _OTHERS, _MOST, _TURN_SECONDS))
        for results, tenant in zip(seen[1:], tenants, strict=True):
            disturbing = _Disturbance(port, hanging[: tenant.bays], tenant.clients)
            results.append(drive((HOST, port), wanted, _OTHERS, _MOST, _TURN_SECONDS))
            disturbing.end()
    return seen


class _Disturbance:
    """A tenant's clients that list pods of bays that hang, again and again."""

    def __init__(self, port: int, bays: Sequence[Waiting], clients: int) -> None:
        requests = cycle([_list_pods(port, bay) for bay in bays])
        arguments = ((HOST, port), requests, clients, _MOST, _TURN_SECONDS)
        self._thread = threading.Thread(target=drive, args=arguments, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._thread.join(_ANSWER_SECONDS)


def _list_pods(port: int, bay: Waiting) -> bytes:
    head = f"GET /v1/pods?bay_ident={bay.uuid} HTTP/1.1\r\nHost: {HOST}:{port}\r\nAccept: application/json\r\n"
    return f"{head}X-Auth-Token: {bay.project}\r\n\r\n".encode()


def _baymodel(on: Place, project: str) -> str:
    database = on.database
    row = models.BayModel(
        uuid=new_uuid(), project_id=project, user_id="user", name="small", coe="kubernetes", image_id="debian",
        flavor_id="small", cluster_distro="debian", network_driver="bridge",
    )  # fmt: skip
    with database.writer() as session:
        session.add(row)
    database.dispose()
    return row.uuid
