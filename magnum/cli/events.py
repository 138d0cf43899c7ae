"""The story of a bay."""

import argparse
from collections.abc import Iterator
from typing import Any

from magnum.cli.command import ListVerb


class BayEventList(ListVerb):
    """Show what happened to a bay: what was done, when and by which step, and why it failed."""

    example = "magnum bay-event-list web"
    need_sort_by_cliff = True

    _columns = ("created_at", "level", "step", "text", "request_id")

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which bay."""
        parser = super().get_parser(prog_name)
        parser.add_argument("bay", metavar="BAY", help="name or uuid of the bay")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], Iterator[list[Any]]]:
        """Ask for the events, oldest first."""
        rows = list(self.client.list("bays", parsed_args.bay, "events", key="events"))
        return self._columns, ([row.get(column) for column in self._columns] for row in rows)
