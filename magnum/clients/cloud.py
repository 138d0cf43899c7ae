"""The OpenStack services together, as the conductor is given them; what a test replaces."""

from oslo_config import cfg

from magnum.clients.heat import Stacks
from magnum.clients.keystone import BayUser, Keystone


class Cloud:
    """Keystone, and Heat as one user or another."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self.keystone = Keystone(conf)

    def stacks(self, user: BayUser) -> Stacks:
        """Stacks as a bay's user sees them: those of its project."""
        return Stacks(self._conf, self.keystone.bay_session(user))

    def all_stacks(self) -> Stacks:
        """Stacks as Magnum itself sees them: all, where the operator's policies let it."""
        return Stacks(self._conf, self.keystone.service_session())
