"""kill -9 of the API and the conductor in the middle of a creation: the bay is built all the same."""

import json
import os
import signal
from collections.abc import Iterator

import pytest

from tests.integration.cloud import Cloud, eventually, local, write_baymodel


@pytest.fixture(scope="module")
def baymodel(cloud: Cloud) -> str:
    write_baymodel(cloud, "kill")
    return "kill"


@pytest.fixture
def rabbit(cloud: Cloud) -> Iterator[None]:
    local("up", "--bus", "rabbit")
    yield
    local("up", "--bus", "memory")


def kill(cloud: Cloud, service: str) -> None:
    pid = json.loads((cloud.state / "run" / f"{service}.pid").read_text())["pid"]
    os.kill(pid, signal.SIGKILL)


def has_stack(cloud: Cloud, name: str) -> bool:
    return any("stack" in (event["step"] or "") for event in cloud.json("bay-event-list", name))


def finish(cloud: Cloud, name: str) -> None:
    """Wait for the end of the creation, look at the bay, delete it."""
    eventually(lambda: cloud.bay(name)["status"] != "CREATE_IN_PROGRESS", "the creation has ended", 300)
    bay = cloud.bay(name)
    assert bay["status"] == "CREATE_COMPLETE", bay["status_reason"]
    assert sorted(node["status"] for node in cloud.nodes(bay["uuid"])) == ["Ready", "Ready"]
    assert len(cloud.stacks(name)) == 1
    cloud.text("bay-delete", name, "--wait", seconds=300)


def test_in_one_process_right_after_the_answer(cloud: Cloud, baymodel: str) -> None:
    cloud.text("bay-create", "--name", "kill-early", "--baymodel", baymodel)
    kill(cloud, "magnum-embedded")
    local("up")
    finish(cloud, "kill-early")


def test_apart_on_rabbitmq_while_the_stack_is_built(cloud: Cloud, baymodel: str, rabbit: None) -> None:
    cloud.text("bay-create", "--name", "kill-late", "--baymodel", baymodel)
    eventually(lambda: has_stack(cloud, "kill-late"), "Heat has the stack", 60)
    kill(cloud, "magnum-conductor")
    kill(cloud, "magnum-api")
    local("up", "--bus", "rabbit")
    finish(cloud, "kill-late")
