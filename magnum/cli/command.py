"""What all verbs share: a client, help with an example, output without a search for plugins."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cliff import command, lister, show

from magnum.cli.client import Client
from magnum.cli.errors import UsageError
from magnum.cli.formatters import Formatters

if TYPE_CHECKING:
    from magnum.cli.shell import Magnum


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Leaves examples as they are written."""


class Verb(command.Command):
    """A verb. Its class says what it does in the docstring and how it is typed in `example`."""

    app: "Magnum"
    example = ""
    operands: tuple[str, ...] = ()
    """Words one of which has to be typed, for completion."""

    def __init__(self, app: "Magnum", app_args: argparse.Namespace | None) -> None:
        # cliff gives the name of the command to those that take it, and then looks for hooks of other packages
        super().__init__(app, app_args)

    @property
    def client(self) -> Client:
        """The API of the cloud the user chose."""
        return self.app.client

    @property
    def quiet(self) -> bool:
        """Whether the user asked for silence (-q)."""
        return bool(self.app.options.verbose_level == 0)

    def say(self, line: str) -> None:
        """Tell the user what was done."""
        if not self.quiet:
            self.app.stdout.write(line + "\n")

    def get_epilog(self) -> str:
        """The example. (cliff's own looks up which package a command comes from, among all installed.)"""
        return f"example:\n  {self.example}" if self.example else ""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The parser cliff makes, with examples left as they are."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.formatter_class = _HelpFormatter
        parser.allow_abbrev = False
        return parser


class _Display(Verb):
    def _load_formatter_plugins(self) -> Any:
        return Formatters()

    def check_columns(self, args: argparse.Namespace, known: Sequence[str], more: str = "") -> None:
        """Complain of a column (`-c`) that there is not.

        :param more: where there are more
        """
        unknown = [name for name in args.columns if self._normalize_column_name(name) not in known]
        if unknown:
            there_are = f"there are {', '.join(known)}" + (f"; {more}" if more else "")
            raise UsageError(f"No column is called {', '.join(map(repr, unknown))}: {there_are}.")

    def _generate_columns_and_selector(self, parsed_args: argparse.Namespace, column_names: Sequence[str]) -> Any:
        self.check_columns(parsed_args, column_names)
        return super()._generate_columns_and_selector(parsed_args, column_names)


class ListVerb(_Display, lister.Lister):
    """A verb that shows rows."""


class ShowVerb(_Display, show.ShowOne):
    """A verb that shows one object."""

    @staticmethod
    def shown(row: dict[str, Any]) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        """Every field but the links, which are for programs."""
        fields = {key: value for key, value in row.items() if key != "links"}
        return tuple(fields), tuple(fields.values())
