"""How long a bay takes, how much of that is Magnum's own, and what its nodes need.

Runs on a cloud that is up (``magnum-local up``), as its tenant: makes a baymodel and, one after another, a few bays of
one master and one node, watches Heat itself beside them, and deletes all of it. It stops by itself.

    python benchmarks/bay.py --bays 3
"""

import argparse
import os
import statistics
import subprocess
import time
from dataclasses import dataclass
from typing import Any

from keystoneauth1 import identity, session

POLL = 0.2
LIMIT = 300.0


@dataclass(frozen=True)
class Times:
    """Seconds from the request to the bay's end, and of the stack in Heat alone."""

    bay: float
    stack: float

    @property
    def added(self) -> float:
        """What Magnum added to what the stack took."""
        return self.bay - self.stack


class Tenant:
    """The REST calls needed, as the tenant of the environment (``OS_*``)."""

    def __init__(self) -> None:
        auth = identity.V3Password(
            auth_url=os.environ["OS_AUTH_URL"],
            username=os.environ["OS_USERNAME"],
            password=os.environ["OS_PASSWORD"],
            project_name=os.environ["OS_PROJECT_NAME"],
            user_domain_id="default",
            project_domain_id="default",
        )
        self._session = session.Session(auth=auth, timeout=20)

    def magnum(self, method: str, path: str, body: Any = None) -> Any:
        return self._call("container-infra", method, path, body)

    def heat(self, path: str) -> Any:
        return self._call("orchestration", "GET", path)

    def _call(self, service: str, method: str, path: str, body: Any = None) -> Any:
        answer = self._session.request(path, method, json=body, endpoint_filter={"service_type": service})
        return answer.json() if answer.content else None


def build(tenant: Tenant, baymodel: str, name: str) -> tuple[str, Times]:
    """Make a bay and watch it and its stack until both are complete; give its uuid and the times."""
    began = time.monotonic()
    uuid = tenant.magnum("POST", "/bays", {"name": name, "baymodel_id": baymodel})["uuid"]
    stack_began = stack_ended = None
    while True:
        now = time.monotonic()
        status = tenant.magnum("GET", f"/bays/{uuid}")["status"]
        if stack_ended is None:
            stacks = tenant.heat(f"/stacks?name={name}-{uuid.replace('-', '')[:12]}")["stacks"]
            if stacks and stack_began is None:
                stack_began = now
            if stacks and stacks[0]["stack_status"] == "CREATE_COMPLETE":
                stack_ended = time.monotonic()
        if status == "CREATE_COMPLETE" and stack_began and stack_ended:
            return uuid, Times(time.monotonic() - began, stack_ended - stack_began)
        if status == "CREATE_FAILED" or now - began > LIMIT:
            raise SystemExit(f"bay {name} did not become complete: {tenant.magnum('GET', f'/bays/{uuid}')}")
        time.sleep(POLL)


def memory_of_nodes(tenant: Tenant, uuid: str) -> float:
    """MiB that the containers of a bay's nodes use."""
    names = [node["name"] for node in tenant.magnum("GET", "/nodes/detail")["nodes"] if node["bay_uuid"] == uuid]
    lines = subprocess.run(
        ["docker", "stats", "--no-stream", "--format", "{{.MemUsage}}", *names],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.split("\n")
    return sum(_mebibytes(line.split("/")[0].strip()) for line in lines if line)


def _mebibytes(text: str) -> float:
    units = {"GiB": 1024.0, "MiB": 1.0, "KiB": 1 / 1024}
    unit = next(unit for unit in units if text.endswith(unit))
    return float(text.removesuffix(unit)) * units[unit]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bays", type=int, default=3, choices=range(1, 11), metavar="1-10")
    options = parser.parse_args()
    tenant = Tenant()
    model = {"name": "benchmark", "coe": "kubernetes", "image_id": "debian-kubernetes", "flavor_id": "small"}
    baymodel = tenant.magnum("POST", "/baymodels", {**model, "external_network_id": "public"})["uuid"]
    times, memory = [], []
    for number in range(options.bays):
        uuid, taken = build(tenant, baymodel, f"benchmark-{number}")
        times.append(taken)
        memory.append(memory_of_nodes(tenant, uuid))
        print(f"bay {number}: {taken.bay:.1f} s, of which Heat's stack {taken.stack:.1f} s; nodes {memory[-1]:.0f} MiB")
        tenant.magnum("DELETE", f"/bays/{uuid}")
        while any(bay["uuid"] == uuid for bay in tenant.magnum("GET", "/bays")["bays"]):
            time.sleep(1)
    tenant.magnum("DELETE", f"/baymodels/{baymodel}")
    print(f"request to CREATE_COMPLETE  {statistics.median(item.bay for item in times):6.1f} s   (at most 50, aim 40)")
    print(f"added by Magnum             {statistics.median(item.added for item in times):6.1f} s   (at most 2)")
    print(f"memory of the two nodes     {statistics.median(memory):6.0f} MiB (at most 1229)")


if __name__ == "__main__":
    main()
