"""Whom a sweep serves first, and what cannot hold it up."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial

import pytest
from oslo_config import cfg
from oslo_db import exception as db_exc
from sqlalchemy.orm import Session

from magnum.coe.leftovers import Leftover
from magnum.common.context import RequestContext
from magnum.common.states import BayStatus, Verb
from magnum.conductor.sweep import Sweep
from tests.fakes.cloud import FakeCloud
from tests.unit.conductor.conftest import PATIENCE, Ready, World, eventually


@pytest.fixture
def stuck(cloud: FakeCloud) -> Iterator[threading.Event]:
    """Heat keeps every creation waiting; set when the test is over, or earlier."""
    over = threading.Event()

    def listen(name: str) -> None:
        if name == "heat.create":
            over.wait(PATIENCE)

    cloud.calls.listeners.append(listen)
    yield over
    over.set()


def test_a_bay_fails_in_time_though_all_workers_hang(
    conf: cfg.ConfigOpts, world: World, stuck: threading.Event
) -> None:
    conf.set_override("workers", 2, group="conductor")
    conf.set_override("sweep_interval", 0.2, group="conductor")
    sweep = Sweep(world.tools, "one")
    for number in range(10):
        world.context = RequestContext(project_id=f"project-{number % 2}", user_id="a", overwrite=False)
        world.create()
    sweep.start()
    try:
        assert eventually(lambda: world.cloud.calls.count["heat.create"] == 2)
        late = world.create(timeout=timedelta(seconds=0.3))
        assert eventually(lambda: world.bay(late).status == BayStatus.CREATE_FAILED)
        assert world.cloud.calls.count["heat.create"] == 2
    finally:
        stuck.set()
        sweep.stop(PATIENCE)


def test_a_project_whose_operations_hang_leaves_workers_for_others(
    conf: cfg.ConfigOpts, world: World, cloud: FakeCloud, ready_bay: Ready
) -> None:
    conf.set_override("workers", 8, group="conductor")
    silent = [ready_bay() for _ in range(20)]
    over, asked = threading.Event(), Counter[str]()

    def hang(bay: str) -> list[Leftover]:
        asked[bay] += 1
        over.wait(PATIENCE)
        return []

    for bay in silent:
        setattr(world.running(bay), "remove_leftovers", partial(hang, bay))  # noqa: B010 - of this one only
        world.ask(bay, Verb.DELETE)
    sweep = Sweep(world.tools, "one")
    sweep.start()
    try:
        assert eventually(lambda: len(asked) == 2)
        world.context = RequestContext(project_id="another", user_id="b", overwrite=False)
        bay = world.create()
        sweep.wake()
        assert eventually(lambda: world.bay(bay).status == BayStatus.CREATE_COMPLETE)
        assert len(asked) == 2, "a quarter of the workers, and no more"
        over.set()
        sweep.wake()
        world.context = RequestContext(project_id="project-a", user_id="a", overwrite=False)
        assert eventually(lambda: not any(map(world.is_there, silent))), "then the others have their turn"
    finally:
        over.set()
        sweep.stop(PATIENCE)


def test_a_worker_that_hangs_keeps_no_bay_past_its_deadline(
    conf: cfg.ConfigOpts, world: World, stuck: threading.Event
) -> None:
    conf.set_override("lease", 5, group="conductor")
    conf.set_override("workers", 1, group="conductor")
    bay = world.create(timeout=timedelta(seconds=30))
    sweep = Sweep(world.tools, "one")
    sweep.start()
    try:
        assert eventually(lambda: world.cloud.calls.count["heat.create"] == 1)
        world.time.passes(40)
        assert eventually(lambda: world.bay(bay).status == BayStatus.CREATE_FAILED)
    finally:
        stuck.set()
        sweep.stop(PATIENCE)
    assert world.bay(bay).status == BayStatus.CREATE_FAILED, "whose worker comes back writes nothing"


def test_who_lost_a_bay_while_the_database_was_away_leaves_no_user_behind(
    conf: cfg.ConfigOpts, world: World, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf.set_override("workers", 8, group="conductor")
    conf.set_override("sweep_interval", 0.2, group="conductor")
    bay = world.create()
    late: list[int] = []
    is_over, broken_off = threading.Event(), threading.Event()
    writer = world.database.writer

    def delete_meanwhile(name: str) -> None:
        if name == "keystone.ensure_user" and not late:
            late.append(threading.get_ident())
            world.time.passes(600)
            world.ask(bay, Verb.DELETE)
            assert eventually(lambda: not world.is_there(bay))
            cloud.keystone.users[bay] = ("late", "password", "project")
            is_over.set()

    def write() -> AbstractContextManager[Session]:
        if threading.get_ident() in late and is_over.is_set() and not broken_off.is_set():
            broken_off.set()
            raise db_exc.DBConnectionError
        return writer()

    cloud.calls.listeners.append(delete_meanwhile)
    monkeypatch.setattr(world.database, "writer", write)
    sweep = Sweep(world.tools, "one")
    sweep.start()
    try:
        assert eventually(broken_off.is_set)
        assert eventually(lambda: not cloud.keystone.users)
    finally:
        sweep.stop(PATIENCE)


def test_long_past_its_deadline_nobody_is_asked_what_is_left(world: World, cloud: FakeCloud, ready_bay: Ready) -> None:
    bay = ready_bay()
    world.ask(bay, Verb.UPDATE, timeout=timedelta(seconds=1), node_count=3)
    world.time.passes(600)
    before = dict(cloud.calls.count)
    world.turn()
    assert world.bay(bay).status == BayStatus.UPDATE_FAILED
    assert cloud.calls.count == before
