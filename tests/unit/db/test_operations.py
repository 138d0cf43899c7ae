"""Who owns an operation, and whose writes count."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from magnum.common import clock
from magnum.common.context import RequestContext
from magnum.common.exception import Conflict
from magnum.common.states import BayStatus, OperationState, Verb
from magnum.db import models, operations, resources, stories
from magnum.db.operations import Claim, Event, LeaseLost, Progress
from magnum.db.session import Database

LEASE = timedelta(seconds=60)
HOUR = timedelta(hours=1)


def make_bay(database: Database, context: RequestContext, **values: Any) -> models.Bay:
    bay = models.Bay(name="b", baymodel_id="m", baymodel={}, **values)
    with database.writer() as session:
        return operations.accept_create(session, context, bay, {}, HOUR)


def claim(database: Database, owner: str = "one") -> Claim | None:
    with database.writer() as session:
        return next(iter(operations.claim_due(session, owner, LEASE, 1)), None)


def must_claim(database: Database, owner: str = "one") -> Claim:
    claimed = claim(database, owner)
    assert claimed is not None
    return claimed


def finish(database: Database, claimed: Claim, status: BayStatus) -> None:
    with database.writer() as session:
        operations.finish(session, claimed, OperationState.DONE, Progress(bay={"status": status}))


def get(database: Database, context: RequestContext, bay: models.Bay) -> models.Bay:
    with database.reader() as session:
        return resources.find(session, context, models.Bay, bay.uuid)


def pass_time(monkeypatch: pytest.MonkeyPatch, delta: timedelta) -> None:
    later = clock.now() + delta

    def now() -> datetime:
        return later

    monkeypatch.setattr(clock, "now", now)


def test_accepting_writes_bay_operation_and_event_together(database: Database, context: RequestContext) -> None:
    bay = make_bay(database, context)
    with database.reader() as session:
        assert [event.text for event in stories.events(session, context, bay.uuid, 0, 10)] == ["Create was accepted."]
    assert bay.status == BayStatus.CREATE_IN_PROGRESS
    claimed = must_claim(database)
    assert (claimed.bay_uuid, claimed.verb) == (bay.uuid, Verb.CREATE)
    assert claimed.deadline is not None


def test_one_owner_at_a_time(database: Database, context: RequestContext) -> None:
    make_bay(database, context)
    assert claim(database, "one") is not None
    assert claim(database, "two") is None


def test_an_expired_lease_is_taken_over_and_the_late_owner_writes_nothing(
    database: Database, context: RequestContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    bay = make_bay(database, context)
    first = must_claim(database, "one")
    pass_time(monkeypatch, LEASE + timedelta(seconds=1))
    second = must_claim(database, "two")
    assert second.fence == first.fence + 1
    with pytest.raises(LeaseLost), database.writer() as session:
        operations.record(session, first, Progress(bay={"stack_id": "late"}, events=[Event("late")]))
    assert get(database, context, bay).stack_id is None
    with database.writer() as session:
        operations.record(session, second, Progress(bay={"stack_id": "right"}))
    assert get(database, context, bay).stack_id == "right"


def test_an_operation_put_back_is_due_at_its_time(
    database: Database, context: RequestContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_bay(database, context)
    claimed = must_claim(database)
    with database.writer() as session:
        operations.put_back(session, claimed, clock.now() + timedelta(seconds=5), Progress(operation={"step": "x"}))
    assert claim(database) is None
    pass_time(monkeypatch, timedelta(seconds=6))
    assert must_claim(database).step == "x"


def test_a_second_update_is_refused_while_one_runs(database: Database, context: RequestContext) -> None:
    bay = make_bay(database, context)
    finish(database, must_claim(database), BayStatus.CREATE_COMPLETE)
    seen_by_both = get(database, context, bay)
    with database.writer() as session:
        operations.accept(session, context, get(database, context, bay), Verb.UPDATE, {"node_count": 2}, HOUR)
    with pytest.raises(Conflict, match="same time"), database.writer() as session:
        operations.accept(session, context, seen_by_both, Verb.UPDATE, {"node_count": 3}, HOUR)
    with pytest.raises(Conflict, match="in progress"), database.writer() as session:
        operations.accept(session, context, get(database, context, bay), Verb.UPDATE, {"node_count": 3}, HOUR)


def test_delete_supersedes_and_waits_until_the_owner_lets_go(database: Database, context: RequestContext) -> None:
    bay = make_bay(database, context)
    create = must_claim(database)
    with database.writer() as session:
        operations.accept(session, context, get(database, context, bay), Verb.DELETE, {}, HOUR)
    assert get(database, context, bay).status == BayStatus.DELETE_IN_PROGRESS
    assert claim(database) is None, "the creation may still be making things"
    with pytest.raises(LeaseLost), database.writer() as session:
        operations.record(session, create, Progress(bay={"stack_id": "late"}))
    with database.writer() as session:
        operations.release(session, create)
    assert must_claim(database).verb == Verb.DELETE


def test_what_a_delete_superseded_is_waited_for_while_its_owner_is_at_work(
    database: Database, context: RequestContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    bay = make_bay(database, context)
    create = must_claim(database)
    with database.writer() as session:
        operations.accept(session, context, get(database, context, bay), Verb.DELETE, {}, HOUR)
    pass_time(monkeypatch, LEASE * 0.9)
    with database.writer() as session:
        operations.renew(session, create, LEASE)
    pass_time(monkeypatch, LEASE * 0.9)
    assert claim(database) is None, "a slow call may still make things"
    pass_time(monkeypatch, LEASE * 0.2)
    assert must_claim(database).verb == Verb.DELETE
    with pytest.raises(LeaseLost), database.writer() as session:
        operations.renew(session, create, LEASE)


def test_long_texts_are_cut_to_what_every_database_stores(database: Database, context: RequestContext) -> None:
    bay = make_bay(database, context)
    claimed = must_claim(database)
    with database.writer() as session:
        operations.record(session, claimed, Progress(bay={"status_reason": "x" * 99999}, events=[Event("y" * 99999)]))
    with database.reader() as session:
        story = stories.events(session, context, bay.uuid, 0, 10)
    assert 1000 < len(story[-1].text) < 16000
    assert 1000 < len(get(database, context, bay).status_reason or "") < 16000


def test_a_deleted_bay_leaves_only_its_story(database: Database, context: RequestContext) -> None:
    bay = make_bay(database, context)
    finish(database, must_claim(database), BayStatus.CREATE_COMPLETE)
    with database.writer() as session:
        session.add(models.Node(bay_uuid=bay.uuid, project_id=context.project_id))
        session.add(models.Certificate(bay_uuid=bay.uuid, kind="ca", certificate="c", private_key="k"))
        operations.accept(session, context, get(database, context, bay), Verb.DELETE, {}, HOUR)
    claimed = must_claim(database)
    with database.writer() as session:
        operations.finish_deleted(session, claimed, Event("Gone."))
    with database.reader() as session:
        assert resources.count(session, context, models.Bay) == 0
        assert resources.count(session, context, models.Node) == 0
        assert session.query(models.Certificate).count() == 0
        assert stories.events(session, context, bay.uuid, 0, 10)[-1].text == "Gone."


def test_a_story_is_only_told_to_its_tenant(
    database: Database, context: RequestContext, stranger: RequestContext
) -> None:
    bay = make_bay(database, context)
    with database.reader() as session:
        assert stories.events(session, stranger, bay.uuid, 0, 10) == []


def test_all_who_write_a_bay_and_its_operation_lock_the_bay_first(database: Database, context: RequestContext) -> None:
    bay = make_bay(database, context)
    creation = must_claim(database)
    written: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        words = statement.split()
        if words[0] in ("UPDATE", "DELETE"):
            written.append(words[1].replace("FROM", words[2]))

    def order() -> list[str]:
        both = [table for table in written if table in ("bays", "operations")]
        written.clear()
        return both

    event.listen(database.engine, "before_cursor_execute", note)
    with database.writer() as session:
        operations.record(session, creation, Progress(bay={"status_reason": "x"}))
    assert order() == ["bays", "operations"]
    with database.writer() as session:
        operations.accept(session, context, get(database, context, bay), Verb.DELETE, {}, HOUR)
        operations.release(session, creation)
    assert order()[:2] == ["bays", "operations"]
    deletion = must_claim(database)
    order()
    with database.writer() as session:
        operations.finish_deleted(session, deletion, Event("gone"))
    assert order() == ["bays", "operations"]


def test_who_lost_it_long_ago_does_not_let_go_for_the_one_at_work(
    database: Database, context: RequestContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    bay = make_bay(database, context)
    first = must_claim(database, "one")
    pass_time(monkeypatch, LEASE + timedelta(seconds=1))
    second = must_claim(database, "two")
    with database.writer() as session:
        operations.accept(session, context, get(database, context, bay), Verb.DELETE, {}, HOUR)
    with database.writer() as session:
        operations.release(session, first)
    assert claim(database, "three") is None
    with database.writer() as session:
        operations.release(session, second)
    assert must_claim(database, "three").verb == Verb.DELETE


def test_a_project_gets_no_more_than_its_share(database: Database, context: RequestContext) -> None:
    for _ in range(3):
        make_bay(database, context)
    other = replace_project(context, "another")
    make_bay(database, other)
    with database.writer() as session:
        share = operations.Share(2, {context.project_id: 1})
        claims = operations.claim_due(session, "one", LEASE, 4, share=share)
    assert [claim.project_id for claim in claims] == [context.project_id, "another"]
    with database.writer() as session:
        share = operations.Share(2, {context.project_id: 2})
        assert operations.claim_due(session, "one", LEASE, 4, share=share) == []


def replace_project(context: RequestContext, project_id: str) -> RequestContext:
    return RequestContext(project_id=project_id, user_id=context.user_id, overwrite=False)
