"""What a seed decides."""

from tests.chaos import plan

TEN_MINUTES = 600


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
    restarted = {target for kind, target in done if kind == "restart"}
    assert restarted >= {*plan.OTHERS}
    assert restarted & {*plan.APIS}
    assert restarted & {*plan.CONDUCTORS}
    assert {("cut", "bus"), ("cut", "database"), ("hold", "bus"), ("hold", "database")} <= done
    assert {action.values.get("status") for action in actions if action.kind == "call-faults"} >= {500, 503, 409, 401}
    assert {action.values.get("kind") for action in actions} >= {"silence", "lost_answer", "cut"}


def test_nothing_comes_before_the_beginning_or_after_the_end() -> None:
    actions = plan.make(7, 60)
    assert [action.at for action in actions] == sorted(action.at for action in actions)
    assert all(0 <= action.at < 60 for action in actions)
    assert all(0 <= action.values["tenant"] < plan.TENANTS for action in actions if "tenant" in action.values)
