"""The list of verbs, and help for one of them."""

import argparse

from cliff.help import HelpCommand

from magnum.cli.command import Verb


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
            return int(HelpCommand(self.app, self.app_args).take_action(parsed_args))
        self.app.parser.print_help(self.app.stdout)
        self._list_verbs()
        return 0

    def _list_verbs(self) -> None:
        lines = {name: _headline(entry.load()) for name, entry in self.app.command_manager}
        width = max(map(len, lines))
        self.app.stdout.write("\nverbs:\n")
        for name in sorted(lines):
            self.app.stdout.write(f"  {name:{width}}  {lines[name]}\n")


def _headline(verb: type) -> str:
    return (verb.__doc__ or "").partition("\n")[0].rstrip(".")
