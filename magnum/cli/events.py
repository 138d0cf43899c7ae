"""The story of a bay."""

import argparse
from collections.abc import Iterator
from typing import Any

from magnum.cli.command import ListVerb


class BayEventList(ListVerb):
    """Show what happened to a bay: what was done, when and by which step, and why it failed.

    Also of a bay that is gone, by its uuid.
    """

    example = "magnum bay-event-list web"

    _usual = ("created_at", "level", "step", "text")
    _more = ("id", "verb", "duration", "request_id")

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which bay."""
        parser = super().get_parser(prog_name)
        parser.add_argument("bay", metavar="BAY", help="name or uuid of the bay")
        parser.add_argument("--detail", action="store_true", help="show also how long each took, and for which request")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], Iterator[list[Any]]]:
        """Ask for the events, oldest first."""
        columns = self._usual + (self._more if parsed_args.detail else ())
        rows = self.client.list("bays", parsed_args.bay, "events", key="events")
        return columns, ([row.get(column) for column in columns] for row in rows)
