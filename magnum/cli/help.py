"""The list of verbs, and help for one of them."""

import argparse

from cliff.help import HelpCommand

from magnum.cli.command import Verb
from magnum.cli.errors import UsageError
from magnum.cli.text import clean


class Help(Verb):
    """Show the verbs, or help for one verb."""

    example = "magnum help bay-create"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which verb."""
        parser = super().get_parser(prog_name)
        parser.add_argument("cmd", nargs="*", metavar="VERB", help="verb to explain")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Print it."""
        if parsed_args.cmd:
            return self._explain(parsed_args)
        self.app.parser.print_help(self.app.stdout)
        self._list_verbs()
        return 0

    def _explain(self, parsed_args: argparse.Namespace) -> int:
        name = " ".join(parsed_args.cmd)
        if not any(verb.startswith(parsed_args.cmd[0]) for verb, _ in self.app.command_manager):
            near = ", ".join(self.app.get_fuzzy_matches(name)[:5])
            raise UsageError(f"'{clean(name)}' is not a verb of magnum. Near are: {near}. See all: magnum help")
        return int(HelpCommand(self.app, self.app_args).take_action(parsed_args))

    def _list_verbs(self) -> None:
        lines = {name: _headline(entry.load()) for name, entry in self.app.command_manager}
        width = max(map(len, lines))
        self.app.stdout.write("\nverbs:\n")
        for name in sorted(lines):
            self.app.stdout.write(f"  {name:{width}}  {lines[name]}\n")


def _headline(verb: type) -> str:
    return (verb.__doc__ or "").partition("\n")[0].rstrip(".")
