"""How soon an operator's rules count."""

from pathlib import Path

import pytest
from oslo_config import cfg

from magnum.common.context import RequestContext
from magnum.policies import enforcer
from magnum.policies.enforcer import Enforcer

TARGET = {"project_id": "p", "user_id": "u"}


def test_a_rule_that_changes_counts_a_moment_later(
    conf: cfg.ConfigOpts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("magnum.policies.enforcer.time.monotonic", lambda: now)
    rules = tmp_path / "policy.yaml"
    rules.write_text("{}\n")
    made = Enforcer(conf)
    made.policy_file = str(rules)
    context = RequestContext(project_id="p", user_id="u", roles=["reader"], overwrite=False)
    assert made.enforce("bay:get", TARGET, context)
    rules.write_text('"bay:get": "!"\n')
    now += enforcer._LOOK_SECONDS
    assert not made.enforce("bay:get", TARGET, context)
