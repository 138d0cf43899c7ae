"""The ways on from what failed."""

import argparse
from typing import ClassVar

from magnum.cli.command import ShowVerb
from magnum.cli.resources import BAY
from magnum.cli.verbs import OfResource, Shown

__all__ = ["Retry", "Rollback"]


class _Action(OfResource, ShowVerb):
    """Something done to a bay."""

    resource = BAY
    action: ClassVar[str]

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which bay."""
        parser = super().get_parser(prog_name)
        self.add_ident(parser)
        self.add_wait(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Shown:
        """Ask for it, and wait where that is wished."""
        accepted = self.client.post("bays", parsed_args.ident, "actions", self.action)
        bay = self.client.get("bays", accepted["uuid"])
        if self.wants_wait(parsed_args):
            if str(bay["status"]).startswith("DELETE"):
                self.waiter().for_end(bay)
            else:
                bay = self.waiter().for_change(bay)
        return self.arranged(bay)


class Retry(_Action):
    """Do again what failed: the creation, the last change or the deletion of a bay.

    A creation begins anew: what is left of the failed one is deleted first.
    """

    action = "retry"
    example = "magnum bay-retry web --wait"


class Rollback(_Action):
    """Take a bay whose change failed back to the nodes it had when it was last whole."""

    action = "rollback"
    example = "magnum bay-rollback web --wait"
