"""kill -9 of the API and of conductors, whatever they do: bays are built, changed and deleted all the same."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from magnum.conductor.operations import PLANS
from tests.integration.cloud import Cloud, eventually, local, write_baymodel
from tests.integration.killer import KILLED

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 300
POINTS = [
    *(f"{verb}-{step.name}-before" for verb, plan in PLANS.items() for step in plan.steps),
    *("create-stack-after", "update-stack-after", "update-nodes-after", "delete-stack-after", "delete-user-after"),
]
"""Before a step is written as finished all of it is done; of some that others see the rest of the way counts, too."""


@pytest.fixture(scope="module")
def baymodel(cloud: Cloud) -> str:
    write_baymodel(cloud, "kill")
    return "kill"


@pytest.fixture(scope="module")
def rabbit(cloud: Cloud) -> Iterator[None]:
    local("up", "--bus", "rabbit")
    yield
    local("up", "--bus", "memory")


def send(cloud: Cloud, service: str, number: signal.Signals) -> None:
    pid = json.loads((cloud.state / "run" / f"{service}.pid").read_text())["pid"]
    os.kill(pid, number)


def has_stack(cloud: Cloud, name: str) -> bool:
    return any("stack" in (event["step"] or "") for event in cloud.json("bay-event-list", name))


def finish(cloud: Cloud, name: str) -> None:
    """Wait for the end of the creation, look at the bay, delete it."""
    eventually(lambda: cloud.bay(name)["status"] != "CREATE_IN_PROGRESS", "the creation has ended", SECONDS)
    bay = cloud.bay(name)
    assert bay["status"] == "CREATE_COMPLETE", bay["status_reason"]
    assert sorted(node["status"] for node in cloud.nodes(bay["uuid"])) == ["Ready", "Ready"]
    assert len(cloud.stacks(name)) == 1
    cloud.text("bay-delete", name, "--wait", seconds=SECONDS)


@dataclass
class Mortals:
    """Conductors that die at given points, and others that take their places."""

    cloud: Cloud
    folder: Path

    @property
    def points(self) -> Path:
        """Has a file for each point at which nobody has died yet."""
        return self.folder / "points"

    @property
    def log(self) -> Path:
        """What they all said."""
        return self.folder / "log"

    @property
    def deaths(self) -> int:
        return self.log.read_text().count(KILLED)

    def start(self) -> "subprocess.Popen[bytes]":
        self.points.mkdir()
        for point in POINTS:
            (self.points / point).touch()
        configuration = self.cloud.state / "magnum" / "magnum.conf"
        argv = [sys.executable, "-m", "tests.integration.killer", str(self.points), f"--config-file={configuration}"]
        with self.log.open("wb") as log:
            return subprocess.Popen(argv, cwd=ROOT, stdout=log, stderr=log)

    def wait(self, bay: str) -> dict[str, Any] | None:
        """The bay when nothing is done to it any more; None when it is gone."""
        found: list[dict[str, Any] | None] = []

        def is_over() -> bool:
            found[:] = [self.cloud.shown(f"/bays/{bay}")]
            return found[0] is None or not found[0]["status"].endswith("_IN_PROGRESS")

        eventually(is_over, f"bay {bay} is at rest", SECONDS)
        return found[0]


@pytest.fixture
def mortals(cloud: Cloud, rabbit: None, tmp_path: Path) -> Iterator[Mortals]:
    """In place of the cloud's own conductors."""
    for path in (cloud.state / "run").glob("magnum-conductor*.pid"):
        send(cloud, path.stem, signal.SIGTERM)
    conductors = Mortals(cloud, tmp_path)
    process = conductors.start()
    yield conductors
    process.terminate()
    process.wait(10)
    local("up", "--bus", "rabbit")


def users(cloud: Cloud, bay: Mapping[str, Any]) -> list[str]:
    """The bay's own."""
    return [user for user in cloud.users("magnum") if bay["uuid"] in user]


def test_in_one_process_right_after_the_answer(cloud: Cloud, baymodel: str) -> None:
    cloud.text("bay-create", "--name", "kill-early", "--baymodel", baymodel)
    send(cloud, "magnum-embedded", signal.SIGKILL)
    local("up")
    finish(cloud, "kill-early")


def test_apart_on_rabbitmq_while_the_stack_is_built(cloud: Cloud, baymodel: str, rabbit: None) -> None:
    cloud.text("bay-create", "--name", "kill-late", "--baymodel", baymodel)
    eventually(lambda: has_stack(cloud, "kill-late"), "Heat has the stack", 60)
    send(cloud, "magnum-conductor", signal.SIGKILL)
    send(cloud, "magnum-api", signal.SIGKILL)
    local("up", "--bus", "rabbit")
    finish(cloud, "kill-late")


def test_at_every_step_of_every_verb(cloud: Cloud, baymodel: str, mortals: Mortals) -> None:
    cloud.text("bay-create", "--name", "kill-steps", "--baymodel", baymodel, "--node-count", "2")
    bay = mortals.wait("kill-steps")
    assert bay is not None
    assert bay["status"] == "CREATE_COMPLETE", bay["status_reason"]
    assert [node["status"] for node in cloud.nodes(bay["uuid"])] == ["Ready"] * 3
    assert len(cloud.stacks("kill-steps")) == 1
    assert len(users(cloud, bay)) == 1

    cloud.text("bay-update", "kill-steps", "replace", "node_count=1", "--rollback")
    bay = mortals.wait("kill-steps")
    assert bay is not None
    assert (bay["status"], bay["node_count"]) == ("UPDATE_COMPLETE", 1), bay["status_reason"]
    assert [node["status"] for node in cloud.nodes(bay["uuid"])] == ["Ready"] * 2
    assert len(cloud.servers(bay)) == 2

    cloud.text("bay-delete", "kill-steps")
    assert mortals.wait("kill-steps") is None
    assert cloud.stacks("kill-steps") == []
    assert cloud.servers(bay) == {}
    assert users(cloud, bay) == []

    assert list(mortals.points.iterdir()) == [], "somebody has died at each point"
    eventually(lambda: mortals.deaths == len(POINTS), "one has died for each point, and no other", 10)
    events = cloud.shown(f"/bays/{bay['uuid']}/events")["events"]
    told = Counter((event["verb"], event["step"]) for event in events if event["duration"] is not None)
    assert {told[verb, "stack"] for verb in PLANS} == {1}, "each step counts once"
