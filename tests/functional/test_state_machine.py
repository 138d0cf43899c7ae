"""The states of bays over REST, against the tables that decide: every verb in every state, and any in any order."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from magnum.common import states
from magnum.common.idents import new_uuid
from magnum.common.states import BayStatus, OperationState, Verb
from magnum.db import operations
from magnum.db.operations import Claim, Event, Progress
from magnum.db.session import Database
from tests.functional.conftest import BAYMODEL, Client, People, sentences

LEASE = timedelta(minutes=5)
LATEST = {"OpenStack_API_Version": "container-infra latest"}
NODES = 3
MANY = 1000
ASKED = (Verb.UPDATE, Verb.RETRY, Verb.ROLLBACK, Verb.DELETE)
"""All that can be asked of a bay that is there."""
WELL, BADLY, UNDONE = "ends well", "ends badly", "is undone by Heat"
COMPLETE = (WELL,)
CHANGING = (*COMPLETE, Verb.UPDATE)
PATHS: dict[BayStatus, tuple[str, ...]] = {
    BayStatus.CREATE_IN_PROGRESS: (),
    BayStatus.CREATE_COMPLETE: COMPLETE,
    BayStatus.CREATE_FAILED: (BADLY,),
    BayStatus.UPDATE_IN_PROGRESS: CHANGING,
    BayStatus.UPDATE_COMPLETE: (*CHANGING, WELL),
    BayStatus.UPDATE_FAILED: (*CHANGING, BADLY),
    BayStatus.ROLLBACK_IN_PROGRESS: (*CHANGING, UNDONE),
    BayStatus.ROLLBACK_COMPLETE: (*CHANGING, UNDONE, WELL),
    BayStatus.ROLLBACK_FAILED: (*CHANGING, UNDONE, BADLY),
    BayStatus.DELETE_IN_PROGRESS: (Verb.DELETE,),
    BayStatus.DELETE_FAILED: (Verb.DELETE, BADLY),
}
"""What happens to a new bay until it is in each state."""


@dataclass
class Model:
    """What a bay must look like."""

    uuid: str
    status: BayStatus
    whole: int
    """Nodes it had when it was last whole."""
    wanted: int
    """Nodes it was last asked to have."""
    accepted: int = 1
    """Requests that its story must tell of."""

    def start(self, verb: Verb) -> BayStatus | None:
        """What a verb makes of it; None where it is not allowed."""
        start = states.STARTS.get((self.status, verb))
        return start.status if start else None


class Conductor:
    """Ends operations, well or badly, as a conductor does."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def end(self, bay: Model, *, well: bool) -> None:
        ends = states.ENDS[bay.status]
        claim = self._claim(bay)
        with self._database.writer() as session:
            if well and ends.well is None:
                operations.finish_deleted(session, claim, Event("Gone."))
                return
            status = ends.well if well else ends.badly
            values: dict[str, Any] = {"status": status}
            if well and bay.status is BayStatus.UPDATE_IN_PROGRESS:  # one that was undone leaves what there was
                values["node_count"] = claim.arguments["node_count"]
            state = OperationState.DONE if well else OperationState.FAILED
            operations.finish(session, claim, state, Progress(bay=values))

    def begin_rollback(self, bay: Model) -> None:
        """Heat has begun to undo an update."""
        claim = self._claim(bay)
        with self._database.writer() as session:
            progress = Progress(bay={"status": BayStatus.ROLLBACK_IN_PROGRESS})
            operations.put_back(session, claim, claim.created_at, progress)

    def _claim(self, bay: Model) -> Claim:
        with self._database.writer() as session:
            claims = operations.claim_due(session, "tests", LEASE, MANY)
        found = [claim for claim in claims if claim.bay_uuid == bay.uuid]
        assert found, "an operation in progress has no row that could be claimed"
        return found[0]


class Life:
    """A bay and its model: each thing happens to both, and what comes of it is compared."""

    def __init__(self, alice: Client, database: Database, baymodel: str) -> None:
        self._alice = alice
        self._conductor = Conductor(database)
        values = {"name": new_uuid()[:8], "baymodel_id": baymodel, "node_count": NODES}
        answer = alice.post("/v1/bays", values)
        assert answer.status_int == 201
        self.bay = Model(answer.json["uuid"], BayStatus.CREATE_IN_PROGRESS, NODES, NODES)
        self.is_there = True

    def lead_to(self, status: BayStatus) -> None:
        """Have happen what makes a new bay be in this state."""
        for event in PATHS[status]:
            if event in (WELL, BADLY):
                self.end(well=event == WELL)
            elif event == UNDONE:
                self.heat_undoes()
            else:
                assert self.ask(Verb(event))
        assert self.bay.status is status

    def ask(self, verb: Verb, count: int = NODES + 1) -> bool:
        """Ask for something; answers whether it was accepted, which the model must have known."""
        bay, path = self.bay, f"/v1/bays/{self.bay.uuid}"
        if verb is Verb.UPDATE:
            return self._update(path, count)
        if verb is Verb.DELETE:
            return self._answered(self._alice.delete(path), verb, code=204)
        accepted = self._answered(self._alice.post(f"{path}/actions/{verb}", None), verb)
        if accepted and verb is Verb.ROLLBACK:
            bay.wanted = bay.whole
        return accepted

    def _update(self, path: str, count: int) -> bool:
        change = [{"op": "replace", "path": "/node_count", "value": count}]
        shown = self._alice.get(path).json["node_count"]
        answer = self._alice.patch(path, change, **LATEST)
        if count == shown and self.bay.status not in states.CHANGING | states.HALF_CHANGED:
            assert answer.status_int == 202  # nothing to do, whatever the status
            return False
        accepted = self._answered(answer, Verb.UPDATE)
        if accepted:
            self.bay.wanted = count
        return accepted

    def end(self, *, well: bool) -> None:
        """What runs ends."""
        bay, ends = self.bay, states.ENDS[self.bay.status]
        self._conductor.end(bay, well=well)
        if well and ends.well is None:
            self.is_there = False
            assert self._alice.get(f"/v1/bays/{bay.uuid}").status_int == 404
            return
        if well and bay.status is BayStatus.UPDATE_IN_PROGRESS:
            bay.whole = bay.wanted
        bay.status = ends.well if well and ends.well else ends.badly
        if bay.status in states.READY:
            assert self._alice.get(f"/v1/bays/{bay.uuid}").json["node_count"] == bay.whole

    def heat_undoes(self) -> None:
        """The update that runs has failed, and Heat goes back."""
        self._conductor.begin_rollback(self.bay)
        self.bay.status = BayStatus.ROLLBACK_IN_PROGRESS

    def check(self) -> None:
        """The bay is what the model says, and its story has all that was accepted."""
        if self.is_there:
            shown = self._alice.get(f"/v1/bays/{self.bay.uuid}").json
            assert shown["status"] == self.bay.status
            events = self._alice.get(f"/v1/bays/{self.bay.uuid}/events").json["events"]
            assert sum(event["text"].endswith(" was accepted.") for event in events) == self.bay.accepted

    def remove(self) -> None:
        """Leave nothing."""
        if self.is_there:
            if self.bay.status is not BayStatus.DELETE_IN_PROGRESS:
                self.ask(Verb.DELETE)
            self.end(well=True)

    def _answered(self, answer: Any, verb: Verb, code: int = 202) -> bool:
        becomes = self.bay.start(verb)
        if becomes is None:
            assert answer.status_int == 409, answer.text
            assert self.bay.uuid in sentences(answer)[0]
            return False
        assert answer.status_int == code, answer.text
        self.bay.status = becomes
        self.bay.accepted += 1
        return True


@pytest.fixture
def alice(people: People, conductor: Any) -> Client:
    return people("project-a", "alice")


@pytest.fixture
def baymodel(alice: Client) -> str:
    return str(alice.post("/v1/baymodels", BAYMODEL).json["uuid"])


@pytest.fixture
def life(alice: Client, database: Database, baymodel: str) -> Iterator[Life]:
    life = Life(alice, database, baymodel)
    yield life
    life.remove()


def test_every_pair_of_the_table_is_tried() -> None:
    assert {*PATHS} == {*BayStatus}
    assert {*ASKED} == {*Verb} - {Verb.CREATE}
    assert {(status, verb) for status in PATHS for verb in ASKED} >= {*states.STARTS}


@pytest.mark.parametrize("verb", ASKED)
@pytest.mark.parametrize("status", PATHS)
def test_every_verb_in_every_state(life: Life, status: BayStatus, verb: Verb) -> None:
    life.lead_to(status)
    assert life.ask(verb, NODES + 2) is ((status, verb) in states.STARTS)
    life.check()


def test_a_bay_goes_back_to_what_it_was_however_often_it_is_changed(life: Life) -> None:
    life.lead_to(BayStatus.ROLLBACK_COMPLETE)
    life.ask(Verb.UPDATE, NODES + 2)
    life.end(well=False)
    assert life.ask(Verb.ROLLBACK)
    life.end(well=True)
    life.check()


def machine(alice: Client, database: Database, baymodel: str) -> type[RuleBasedStateMachine]:
    """A bay that begins in any state, for one application."""

    class Bay(RuleBasedStateMachine):
        life: Life

        @initialize(status=st.sampled_from(BayStatus))
        def begin(self, status: BayStatus) -> None:
            self.life = Life(alice, database, baymodel)
            self.life.lead_to(status)

        @precondition(lambda self: self.life.is_there)
        @rule(verb=st.sampled_from(ASKED), count=st.integers(1, 5))
        def ask(self, verb: Verb, count: int) -> None:
            self.life.ask(verb, count)

        @precondition(lambda self: self.life.is_there and self.life.bay.status in states.ENDS)
        @rule(well=st.booleans())
        def end(self, well: bool) -> None:
            self.life.end(well=well)

        @precondition(lambda self: self.life.is_there and self.life.bay.status is BayStatus.UPDATE_IN_PROGRESS)
        @rule()
        def heat_undoes(self) -> None:
            self.life.heat_undoes()

        @precondition(lambda self: not self.life.is_there)
        @rule(status=st.sampled_from(BayStatus))
        def begin_anew(self, status: BayStatus) -> None:
            self.begin(status)

        @invariant()
        def it_is_what_the_model_says(self) -> None:
            self.life.check()

        def teardown(self) -> None:
            if hasattr(self, "life"):
                self.life.remove()

    return Bay


def test_bays_are_always_in_a_state_that_the_tables_know(alice: Client, database: Database, baymodel: str) -> None:
    run_state_machine_as_test(
        machine(alice, database, baymodel),
        settings=settings(
            max_examples=20,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        ),
    )
