"""What containers have of their own: their actions, and two forms of `create`."""

import argparse
import sys
from typing import Any

from magnum.cli import verbs
from magnum.cli.client import Params, Row
from magnum.cli.errors import NotReachedError, UsageError
from magnum.cli.text import clean
from magnum.cli.values import read_object
from magnum.cli.verbs import Delete, EachVerb, List, OfResource

__all__ = ["Create", "Delete", "Exec", "Execute", "List", "Logs", "Pause", "Reboot", "Show", "Start", "Stop", "Unpause"]

_NEEDED = {"image": "--image", "bay_uuid": "--bay"}


class Create(verbs.Create):
    """Make one.

    It is described by the options, or by a JSON object with the fields of the API; without any option that is read
    from the standard input.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Both forms."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--json", metavar="FILE", help="file with the container in JSON; - is the input")
        return parser

    def body(self, args: argparse.Namespace) -> Row:
        """What is sent."""
        typed = super().body(args)
        missing = [flag for field, flag in _NEEDED.items() if field not in typed]
        if typed and args.json:
            raise UsageError("--json describes the whole container; give it without other options.")
        if not typed and (args.json or not sys.stdin.isatty()):
            return read_object(args.json or "-")
        if missing:
            raise UsageError(f"Missing: {' and '.join(missing)}, or --json FILE.")
        return typed


class Show(verbs.Show):
    """Show one, with every field."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which one, and how."""
        parser = super().get_parser(prog_name)
        text = "the same as -f json"
        parser.add_argument("--json", action="store_const", dest="formatter", const="json", help=text)
        return parser


class _Action(EachVerb):
    """Something done to containers."""

    action = ""
    done = ""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which ones."""
        parser = super().get_parser(prog_name)
        self.add_ident(parser, nargs="+")
        return parser

    def act(self, ident: str, params: Params, args: argparse.Namespace) -> None:  # noqa: ARG002 - one form for all
        """Have it done to one."""
        self.client.put(self.resource.collection, ident, self.action, params=params)
        self.say(f"{self.done} {self.resource.title} {clean(ident)}.")


class Start(_Action):
    """Start them."""

    action, failing, done = "start", "Start", "Started"


class Stop(_Action):
    """Stop them."""

    action, failing, done = "stop", "Stop", "Stopped"


class Reboot(_Action):
    """Stop them and start them again."""

    action, failing, done = "reboot", "Reboot", "Rebooted"


class Pause(_Action):
    """Freeze what runs in them."""

    action, failing, done = "pause", "Pause", "Paused"


class Unpause(_Action):
    """Let it go on."""

    action, failing, done = "unpause", "Unpause", "Unpaused"


class _Output(OfResource):
    """What a container writes. A terminal gets it with control characters as escapes, all else as it is."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which one."""
        parser = super().get_parser(prog_name)
        self.add_ident(parser)
        return parser

    def print_output(self, answer: dict[str, Any]) -> None:
        """Print it, ending in a line feed."""
        output = answer.get("output")
        if not isinstance(output, str):
            raise NotReachedError("The answer has no output. Check the endpoint's URL.")
        shown = clean(output) if self.app.stdout.isatty() else output
        self.app.stdout.write(shown if shown.endswith("\n") else shown + "\n")


class Logs(_Output):
    """Print what it has written."""

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Ask for it."""
        self.print_output(self.client.get(self.resource.collection, parsed_args.ident, "logs"))


class Exec(_Output):
    """Run a command in it and print what that writes."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which one and what."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--command", required=True, metavar="TEXT", help="what to run, as one word of the shell")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Have it run."""
        params = {"command": parsed_args.command}
        self.print_output(self.client.put(self.resource.collection, parsed_args.ident, "execute", params=params))


class Execute(Exec):
    """Run a command in it and print what that writes."""
