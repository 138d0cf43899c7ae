"""Who decides: oslo.policy, with our rules and the operator's changes to them."""

import time
from typing import Any

from oslo_config import cfg
from oslo_policy import policy

from magnum import policies

_LOOK_SECONDS = 1.0


class Enforcer(policy.Enforcer):
    """Looks once a second whether the operator has changed a rule.

    oslo.policy looks before every decision, at ten places where a file could be, which takes as long as the decision.
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        super().__init__(conf)
        self._looked: float | None = None
        self.register_defaults(policies.list_rules())

    def load_rules(self, force_reload: bool = False) -> Any:
        """Read what has changed in the files with rules."""
        now = time.monotonic()
        if force_reload or self._looked is None or now - self._looked >= _LOOK_SECONDS:
            super().load_rules(force_reload)
            self._looked = now
