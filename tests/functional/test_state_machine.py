"""The states of bays over REST, against the tables that decide: any verb at any time, in any order."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from magnum.common import states
from magnum.common.idents import new_uuid
from magnum.common.states import BayStatus, OperationState, Verb
from magnum.db import operations
from magnum.db.operations import Event, Progress
from magnum.db.session import Database
from tests.functional.conftest import BAYMODEL, Client, People, sentences

LEASE = timedelta(minutes=5)
LATEST = {"OpenStack_API_Version": "container-infra latest"}


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
        with self._database.writer() as session:
            claim = operations.claim(session, "tests", LEASE, bay.uuid)
        assert claim is not None, "an operation in progress has no row that could be claimed"
        with self._database.writer() as session:
            if well and ends.well is None:
                operations.finish_deleted(session, claim, Event("Gone."))
                return
            status = ends.well if well else ends.badly
            values: dict[str, Any] = {"status": status}
            if well and claim.verb is Verb.UPDATE:
                values["node_count"] = claim.arguments["node_count"]
            state = OperationState.DONE if well else OperationState.FAILED
            operations.finish(session, claim, state, Progress(bay=values))

    def begin_rollback(self, bay: Model) -> None:
        """Heat has begun to undo an update."""
        with self._database.writer() as session:
            claim = operations.claim(session, "tests", LEASE, bay.uuid)
            assert claim is not None
            progress = Progress(bay={"status": BayStatus.ROLLBACK_IN_PROGRESS})
            operations.put_back(session, claim, claim.created_at, progress)


def machine(alice: Client, database: Database, baymodel: str) -> type[RuleBasedStateMachine]:
    """The machine, for one application."""

    class Bays(RuleBasedStateMachine):
        bays = Bundle("bays")

        def __init__(self) -> None:
            super().__init__()
            self.conductor = Conductor(database)
            self.known: dict[str, Model] = {}

        @rule(target=bays, count=st.integers(1, 5))
        def create(self, count: int) -> Model:
            answer = alice.post("/v1/bays", {"name": new_uuid()[:8], "baymodel_id": baymodel, "node_count": count})
            assert answer.status_int == 201
            bay = Model(answer.json["uuid"], BayStatus.CREATE_IN_PROGRESS, count, count)
            self.known[bay.uuid] = bay
            return bay

        @rule(bay=bays, count=st.integers(1, 5))
        def update(self, bay: Model, count: int) -> None:
            change = [{"op": "replace", "path": "/node_count", "value": count}]
            shown = alice.get(f"/v1/bays/{bay.uuid}").json["node_count"]
            answer = alice.patch(f"/v1/bays/{bay.uuid}", change, **LATEST)
            in_earnest = bay.status in states.CHANGING | states.HALF_CHANGED
            if count == shown and not in_earnest:
                assert answer.status_int == 202  # nothing to do, whatever the status
                return
            if self.answered(answer, bay, Verb.UPDATE):
                bay.wanted = count

        @rule(bay=bays)
        def retry(self, bay: Model) -> None:
            self.answered(alice.post(f"/v1/bays/{bay.uuid}/actions/retry", None), bay, Verb.RETRY)

        @rule(bay=bays)
        def rollback(self, bay: Model) -> None:
            if self.answered(alice.post(f"/v1/bays/{bay.uuid}/actions/rollback", None), bay, Verb.ROLLBACK):
                bay.wanted = bay.whole

        @rule(bay=bays)
        def delete(self, bay: Model) -> None:
            assert self.answered(alice.delete(f"/v1/bays/{bay.uuid}"), bay, Verb.DELETE, code=204)

        @rule(target=bays, bay=consumes(bays), well=st.booleans())
        def end(self, bay: Model, well: bool) -> Any:
            if bay.status not in states.ENDS:
                return bay
            self.conductor.end(bay, well=well)
            ends = states.ENDS[bay.status]
            if well and ends.well is None:
                del self.known[bay.uuid]
                assert alice.get(f"/v1/bays/{bay.uuid}").status_int == 404
                return multiple()
            if well and bay.status is BayStatus.UPDATE_IN_PROGRESS:
                bay.whole = bay.wanted
                assert alice.get(f"/v1/bays/{bay.uuid}").json["node_count"] == bay.wanted
            bay.status = ends.well if well and ends.well else ends.badly
            return bay

        @rule(bay=bays)
        def heat_undoes(self, bay: Model) -> None:
            if bay.status is BayStatus.UPDATE_IN_PROGRESS:
                self.conductor.begin_rollback(bay)
                bay.status = BayStatus.ROLLBACK_IN_PROGRESS

        def answered(self, answer: Any, bay: Model, verb: Verb, code: int = 202) -> bool:
            """Whether it was accepted, which the model must have known."""
            becomes = bay.start(verb)
            if becomes is None:
                assert answer.status_int == 409, answer.text
                assert bay.uuid in sentences(answer)[0]
                return False
            assert answer.status_int == code, answer.text
            bay.status = becomes
            bay.accepted += 1
            return True

        @invariant()
        def every_bay_is_what_the_model_says(self) -> None:
            for bay in self.known.values():
                shown = alice.get(f"/v1/bays/{bay.uuid}").json
                assert shown["status"] == bay.status
                events = alice.get(f"/v1/bays/{bay.uuid}/events").json["events"]
                assert sum(event["text"].endswith(" was accepted.") for event in events) == bay.accepted

        def teardown(self) -> None:
            for bay in self.known.values():
                if bay.status is not BayStatus.DELETE_IN_PROGRESS:
                    alice.delete(f"/v1/bays/{bay.uuid}")
                    bay.status = BayStatus.DELETE_IN_PROGRESS
                self.conductor.end(bay, well=True)

    return Bays


@pytest.mark.usefixtures("conductor")
def test_bays_are_always_in_a_state_that_the_tables_know(people: People, database: Database) -> None:
    alice = people("project-a", "alice")
    baymodel = alice.post("/v1/baymodels", BAYMODEL).json["uuid"]
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
