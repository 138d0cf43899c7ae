"""Conductors that claim at the same time, on each of the databases."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest

from magnum.common import clock
from magnum.common.context import RequestContext
from magnum.common.states import OperationState, Verb
from magnum.db import duties, models, operations, resources
from magnum.db.operations import Claim, Event, LeaseLost, Progress
from magnum.db.session import Database

LEASE = timedelta(seconds=60)
HOUR = timedelta(hours=1)
STEPS = {"stack"}


@pytest.fixture
def context() -> RequestContext:
    return RequestContext(project_id="project-a", user_id="alice", overwrite=False)


def make(database: Database, context: RequestContext, timeout: timedelta = HOUR) -> models.Bay:
    with database.writer() as session:
        bay = models.Bay(name="b", baymodel_id="m", baymodel={}, stack_id="s")
        return operations.accept_create(session, context, bay, {}, timeout)


def claim(database: Database, owner: str, most: int) -> list[Claim]:
    with database.writer() as session:
        return operations.claim_due(session, owner, LEASE, most)


def together(database: Database, owners: int, work: Any) -> list[Any]:
    """Have so many do the same at the same time."""
    begin = Barrier(owners)

    def do(owner: int) -> Any:
        with database.reader() as session:  # its connection is there
            session.connection()
        begin.wait(30)
        return work(f"owner-{owner}")

    with ThreadPoolExecutor(owners) as pool:
        return list(pool.map(do, range(owners)))


def test_each_operation_has_one_owner(database: Database, context: RequestContext) -> None:
    for _ in range(40):
        make(database, context)

    def claim_all(owner: str) -> list[Claim]:
        claims: list[Claim] = []
        while found := claim(database, owner, 3):
            claims += found
        return claims

    claims = [each for claims in together(database, 6, claim_all) for each in claims]
    left = claim(database, "late", 40)  # whoever passed over what another was claiming comes again
    assert Counter(each.id for each in claims + left).most_common(1)[0][1] == 1
    assert len(claims) + len(left) == 40
    assert {each.fence for each in claims} == {1}


def test_nobody_claims_what_another_is_claiming(database: Database, context: RequestContext) -> None:
    make(database, context)
    owners = together(database, 8, lambda owner: claim(database, owner, 1))
    assert sum(len(claims) for claims in owners) == 1


def test_a_deletion_and_a_claim_at_once_leave_one_owner(database: Database, context: RequestContext) -> None:
    for _ in range(5):
        bay = make(database, context)

        def act(owner: str, bay: models.Bay = bay) -> list[Claim]:
            if owner != "owner-0":
                return claim(database, owner, 5)
            with database.writer() as session:
                current = resources.find(session, context, models.Bay, bay.uuid)
                operations.accept(session, context, current, Verb.DELETE, {}, HOUR)
            return []

        claims = [each for claims in together(database, 3, act) for each in claims]
        held = [each for each in claims if each.verb is Verb.CREATE]
        for each in held:
            with pytest.raises(LeaseLost), database.writer() as session:
                operations.record(session, each, Progress(bay={"status_reason": "late"}))
            with database.writer() as session:
                operations.release(session, each)
        deletions = [each for each in claims if each.verb is Verb.DELETE] or claim(database, "next", 5)
        assert [each.bay_uuid for each in deletions] == [bay.uuid]
        with database.writer() as session:
            operations.finish_deleted(session, deletions[0], Event("Gone."))


def test_what_is_overdue_is_found_whatever_waits_and_whoever_holds_the_bay(
    database: Database, context: RequestContext
) -> None:
    for _ in range(10):
        make(database, context)
    late = make(database, context, timedelta(microseconds=1))
    with database.writer() as session:
        assert [each.bay_uuid for each in operations.claim_overdue(session, "one", LEASE, 5)] == [late.uuid]
    assert late.uuid not in {each.bay_uuid for each in claim(database, "two", 20)}


def test_the_poll_and_an_owner_at_once_lose_nothing(database: Database, context: RequestContext) -> None:
    make(database, context)
    (owned,) = claim(database, "one", 1)
    with database.writer() as session:
        operations.put_back(session, owned, clock.now() + HOUR, Progress(operation={"step": "stack"}))
    for _ in range(10):
        with database.reader() as session:
            ids = [each.id for each in operations.waiting(session, STEPS)]
        assert len(ids) == 1

        def act(owner: str, ids: list[int] = ids) -> None:
            with database.writer() as session:
                if owner == "owner-0":
                    operations.make_due(session, ids, STEPS)
                else:
                    operations.let_rest(session, ids, STEPS, clock.now() + timedelta(seconds=30))

        together(database, 3, act)
        (owned,) = claim(database, "one", 1) or [_wake(database, ids)]
        with database.writer() as session:
            operations.put_back(session, owned, clock.now() + HOUR)
    with database.writer() as session:
        operations.make_due(session, ids, STEPS)
    (owned,) = claim(database, "one", 1)
    with database.writer() as session:
        assert operations.waiting(session, STEPS) == []
        operations.make_due(session, ids, STEPS)
        operations.finish(session, owned, OperationState.DONE, Progress())


def _wake(database: Database, ids: list[int]) -> Claim:
    with database.writer() as session:
        operations.make_due(session, ids, STEPS)
    (owned,) = claim(database, "one", 1)
    return owned


def test_a_rest_ends_at_the_deadline(database: Database, context: RequestContext) -> None:
    make(database, context, timedelta(seconds=10))
    (owned,) = claim(database, "one", 1)
    with database.writer() as session:
        operations.put_back(session, owned, clock.now() + timedelta(seconds=5), Progress(operation={"step": "stack"}))
    with database.writer() as session:
        operations.let_rest(session, [owned.id], STEPS, clock.now() + timedelta(seconds=30))
        (row,) = operations.waiting(session, STEPS)
    assert row.due_at == owned.deadline


def test_of_all_conductors_one_has_a_duty(database: Database) -> None:
    for _ in range(3):
        found = together(database, 6, lambda owner: duties.take(database, "poll", owner, LEASE))
        assert found.count(True) == 1
