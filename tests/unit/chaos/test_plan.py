"""What a seed decides."""

from itertools import pairwise

from tests.chaos import plan
from tests.chaos.plan import Action

TEN_MINUTES = 600
FIVE_MINUTES = 300
TWO_MINUTES = 120
SEEDS = range(50)
TO_PROCESSES = ("kill", "restart", "freeze")


def test_a_seed_says_all() -> None:
    assert plan.make(7, TEN_MINUTES) == plan.make(7, TEN_MINUTES)
    assert plan.make(7, TEN_MINUTES) != plan.make(8, TEN_MINUTES)


def test_a_long_run_spares_nobody() -> None:
    actions = plan.make(7, TEN_MINUTES)
    assert sum(action.kind == "create" for action in actions) > 200
    done = {(action.kind, action.target) for action in actions}
    everything = {*plan.APIS, *plan.CONDUCTORS, *plan.OTHERS}
    assert {action.kind for action in actions} >= {*plan.VERBS}
    assert {target for kind, target in done if kind == "kill"} == everything
    assert {target for kind, target in done if kind == "freeze"} >= everything - {*plan.APIS}
    assert {("cut", "bus"), ("cut", "database"), ("hold", "bus"), ("hold", "database")} <= done
    assert {action.values.get("status") for action in actions if action.kind == "call-faults"} >= {500, 503, 409, 401}
    assert {action.values.get("kind") for action in actions} >= {"silence", "lost_answer", "cut"}


def test_in_five_minutes_every_kind_of_process_is_killed_and_restarted_and_frozen() -> None:
    everything = {(kind, names) for kind in TO_PROCESSES for names in plan.KINDS}
    assert all(_done_to_kinds(plan.make(seed, FIVE_MINUTES)) == everything for seed in SEEDS)


def test_a_short_run_has_some_of_everything() -> None:
    for seed in SEEDS:
        actions = plan.make(seed, TWO_MINUTES)
        done = _done_to_kinds(actions)
        assert {names for _, names in done} == {*plan.KINDS}
        assert {kind for kind, _ in done} == {*TO_PROCESSES}
        assert {action.kind for action in actions} >= {"call-faults", "stack-faults"}


def test_in_a_short_run_creations_are_made_to_fail_while_there_are_more_to_come() -> None:
    for seed in SEEDS:
        faults = [action for action in plan.make(seed, TWO_MINUTES) if action.values.get("action") == "create"]
        assert min(fault.at for fault in faults) < 0.75 * TWO_MINUTES


def test_about_half_of_what_mends_a_failure_goes_to_what_has_failed() -> None:
    asked = [action for seed in SEEDS for action in plan.make(seed, TWO_MINUTES)]
    ways_on = [action for action in asked if action.kind in ("retry", "rollback")]
    assert 0.4 < sum("aim" in action.values for action in ways_on) / len(ways_on) < 0.6


def test_troubles_keep_their_distance() -> None:
    for seed in SEEDS:
        times = [action.at for action in plan.make(seed, TWO_MINUTES) if action.kind not in plan.VERBS]
        assert all(later - earlier >= 2 for earlier, later in pairwise(times))


def test_nothing_comes_before_the_beginning_or_after_the_end() -> None:
    actions = plan.make(7, 60)
    assert [action.at for action in actions] == sorted(action.at for action in actions)
    assert all(0 <= action.at < 60 for action in actions)
    assert all(0 <= action.values["tenant"] < plan.TENANTS for action in actions if "tenant" in action.values)


def _done_to_kinds(actions: list[Action]) -> set[tuple[str, tuple[str, ...]]]:
    return {
        (action.kind, names)
        for action in actions
        for names in plan.KINDS
        if action.kind in TO_PROCESSES and action.target in names
    }
