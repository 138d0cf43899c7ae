"""What goes wrong in the tests of conductors."""

from typing import Any

import pytest

from magnum.clients.errors import Permanent, Transient
from magnum.clients.heat import StackResource
from magnum.db import models, operations
from magnum.db.operations import Progress
from tests.fakes.cloud import FakeCloud
from tests.unit.conductor.conftest import World

AWAY = Transient("The orchestration service does not answer.")


class Killed(BaseException):
    """The process is gone: nothing of it catches this."""


def kill_before_recording(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Kill the first conductor that has done this step, before it can write that it has."""
    real = operations.record
    once: list[str] = []

    def record(session: Any, claimed: Any, progress: Progress) -> None:
        if progress.operation.get("step") == name and not once:
            once.append(name)
            raise Killed
        real(session, claimed, progress)

    monkeypatch.setattr(operations, "record", record)


def run_until_killed(world: World) -> None:
    with pytest.raises(Killed):
        world.work(owner="one")


def lose_user(cloud: FakeCloud, times: int) -> None:
    """The bays' users are gone, and so many tries to make one again are refused."""
    cloud.keystone.users.clear()
    cloud.calls.fail("keystone.ensure_user", Permanent("Could not find project."), times=times)


def nothing_is_left(world: World, cloud: FakeCloud) -> bool:
    with world.database.reader() as session:
        rows = session.query(models.Bay).count() + session.query(models.Certificate).count()
        rows += session.query(models.Node).count()
    return not (cloud.heat.stacks or cloud.keystone.users or rows)


def leaf(path: tuple[str, ...], kind: str, reason: str, *, nested: bool = False) -> StackResource:
    """A resource that failed."""
    return StackResource(path, kind, "CREATE_FAILED", reason, "id", nested)
