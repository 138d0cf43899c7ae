"""list, show, create, update and delete of any resource."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from magnum.cli.client import Params, Row
from magnum.cli.command import ListVerb, ShowVerb, Verb
from magnum.cli.errors import CliError, EndedInFailureError, RefusedError, UsageError
from magnum.cli.resources import Kind, Option, Resource
from magnum.cli.text import clean
from magnum.cli.wait import BayWait

# What the API reads of a manifest unless its operator says otherwise; nothing else that is sent comes near.
_MOST_BYTES = 524288

Shown = tuple[Sequence[str], Sequence[Any]]


class _OfResource(Verb):
    """A verb of the resource its class names."""

    resource: Resource

    def add_bay(self, parser: argparse.ArgumentParser) -> None:
        """Let the user say which bay is meant, where that is a question."""
        if self.resource.in_bay:
            parser.add_argument("--bay", metavar="BAY", help=f"bay the {self.resource.title} is in, name or uuid")

    def bay_params(self, args: argparse.Namespace) -> Params:
        """What narrows a request to the bay that is meant."""
        return {"bay_ident": args.bay} if self.resource.in_bay and args.bay else {}

    def add_ident(self, parser: argparse.ArgumentParser, **kwargs: Any) -> None:
        """Let the user name the object."""
        what = self.resource.title
        parser.add_argument("ident", metavar=self.resource.name.upper(), help=f"name or uuid of the {what}", **kwargs)

    def add_wait(self, parser: argparse.ArgumentParser) -> None:
        """Let the user wait for the end of what the verb starts, where it goes on after the answer."""
        if self.resource.waits:
            parser.add_argument("--wait", action="store_true", help="wait for the end of it, showing how it goes")

    def wants_wait(self, args: argparse.Namespace) -> bool:
        """Whether to wait."""
        return self.resource.waits and bool(args.wait)

    def waiter(self) -> BayWait:
        """What waits."""
        return BayWait(self.client, self.app.stderr, quiet=self.quiet)


class List(_OfResource, ListVerb):
    """Show all of them, or those of one bay."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Options of a list."""
        parser = super().get_parser(prog_name)
        self.add_bay(parser)
        parser.add_argument("--limit", type=_positive, metavar="N", help="show at most so many")
        parser.add_argument("--marker", metavar="UUID", help="begin after this one")
        parser.add_argument("--sort-key", metavar="FIELD", help="field the server sorts by")
        parser.add_argument("--sort-dir", choices=("asc", "desc"), help="direction the server sorts in")
        parser.add_argument("--detail", action="store_true", help="show every field")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterator[list[Any]]]:
        """Ask for the rows."""
        path = [self.resource.collection, *(["detail"] if parsed_args.detail else [])]
        given = {key: getattr(parsed_args, key) for key in ("marker", "sort_key", "sort_dir")}
        params = dict(self.bay_params(parsed_args)) | {key: value for key, value in given.items() if value}
        rows = list(self.client.list(*path, key=self.resource.collection, params=params, limit=parsed_args.limit))
        columns = _columns(rows, self.resource.columns, parsed_args.detail)
        return columns, ([row.get(column) for column in columns] for row in rows)


class Show(_OfResource, ShowVerb):
    """Show one, with every field."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which one."""
        parser = super().get_parser(prog_name)
        self.add_ident(parser)
        self.add_bay(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Shown:
        """Ask for it."""
        params = self.bay_params(parsed_args)
        return self.shown(self.client.get(self.resource.collection, parsed_args.ident, params=params))


class Create(_OfResource, ShowVerb):
    """Make one."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The options the resource declares."""
        parser = super().get_parser(prog_name)
        manifests = [option for option in self.resource.options if option.kind is Kind.MANIFEST]
        for option in self.resource.options:
            if option not in manifests:
                _add_option(parser, option)
        if manifests:
            either = parser.add_mutually_exclusive_group(required=True)
            for option in manifests:
                _add_option(either, option)
        self.add_wait(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Shown:
        """Ask for it to be made, and wait where that is wished."""
        typed = {option.field: getattr(parsed_args, option.field) for option in self.resource.options}
        body = {field: value for field, value in typed.items() if value is not None}
        if "manifest" in body:
            body["manifest"] = read_text(body["manifest"])
        row = self.client.post(self.resource.collection, body=body)
        return self.shown(self.waiter().for_change(row) if self.wants_wait(parsed_args) else row)


class Update(_OfResource, ShowVerb):
    """Change one: add, replace or remove fields.

    A value is read as JSON where it is a whole number, true, false, null, a list, an object or a quoted text, else as
    the text it is: node_count=3 is a number, labels/kube_tag=v1.30.0 and name=web are texts.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which one and what."""
        parser = super().get_parser(prog_name)
        self.add_ident(parser)
        parser.add_argument("op", choices=("add", "replace", "remove"), help="what to do with the fields")
        manifests = any(option.kind is Kind.MANIFEST for option in self.resource.options)
        form = "manifest=FILE or manifest_url=URL" if manifests else "field=value; for remove, only field"
        parser.add_argument("attributes", metavar="FIELD=VALUE", nargs="+", help=form)
        self.add_bay(parser)
        self.add_wait(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Shown:
        """Ask for the change, and wait where that is wished."""
        patch = [self._operation(parsed_args.op, attribute) for attribute in parsed_args.attributes]
        params = self.bay_params(parsed_args)
        row = self.client.patch(self.resource.collection, parsed_args.ident, body=patch, params=params)
        return self.shown(self.waiter().for_change(row) if self.wants_wait(parsed_args) else row)

    def _operation(self, op: str, attribute: str) -> Row:
        name, equals, text = attribute.partition("=")
        path = "/" + name.lstrip("/")
        if op == "remove":
            if equals:
                raise UsageError(f"'{attribute}': what is removed is named without a value.")
            return {"op": op, "path": path}
        if not name or not equals:
            raise UsageError(f"'{attribute}': give it as field=value.")
        if self.resource.in_bay and path == "/manifest":
            return {"op": op, "path": path, "value": read_text(text)}
        return {"op": op, "path": path, "value": decode(text)}


class Delete(_OfResource):
    """Delete one or several."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which ones."""
        parser = super().get_parser(prog_name)
        self.add_ident(parser, nargs="+")
        self.add_bay(parser)
        self.add_wait(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Ask for each to be deleted; one that cannot be does not stop the others.

        :returns: the exit code of the first that failed
        """
        failures = [self._tried(ident, parsed_args) for ident in parsed_args.ident]
        return next(filter(None, failures), 0)

    def _tried(self, ident: str, args: argparse.Namespace) -> int:
        try:
            self._delete(ident, args)
        except (RefusedError, EndedInFailureError, UsageError) as error:
            self._complain(ident, error)
            return int(error.exit_code)
        return 0

    def _delete(self, ident: str, args: argparse.Namespace) -> None:
        title = f"{self.resource.title} {clean(ident)}"
        # waiting goes by uuid: a name may be given to another bay meanwhile
        row = self.client.get(self.resource.collection, ident) if self.wants_wait(args) else {}
        self.client.delete(self.resource.collection, ident, params=self.bay_params(args))
        if not self.resource.waits:
            self.say(f"Deleted {title}.")
        elif not args.wait:
            self.say(f"Deleting {title} has begun.")
        else:
            self.waiter().for_end(row)
            self.say(f"Deleted {title}.")

    def _complain(self, ident: str, error: CliError) -> None:
        self.app.stderr.write(f"Delete for {self.resource.title} {clean(ident)} failed: {error}\n")


def decode(text: str) -> Any:
    """The value of an attribute; see :class:`Update`. A number with a point is a version, not a number."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(value, float) else value


def read_text(name: str) -> str:
    """The text of a file, or of the standard input where the name is a dash.

    :raises UsageError: it cannot be read, or is larger than what a manifest may be
    """
    try:
        if name == "-":
            content = sys.stdin.buffer.read(_MOST_BYTES + 1)
        else:
            with Path(name).open("rb") as stream:
                content = stream.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise UsageError(f"{name} has more than the {_MOST_BYTES} bytes that are sent. Split it up.")
        return content.decode("utf-8")
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{name} is not a text in UTF-8.") from None


class _Labels(argparse.Action):
    """Collects key=value,… over all occurrences of the option."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, *_: Any) -> None:
        labels = dict(getattr(namespace, self.dest) or {})
        for pair in values.split(","):
            key, equals, value = pair.partition("=")
            if not key.strip() or not equals:
                parser.error(f"argument {self.option_strings[0]}: '{pair}' is not of the form key=value")
            labels[key.strip()] = value.strip()
        setattr(namespace, self.dest, labels)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number above 0")
    return int(text)


def _add_option(parser: Any, option: Option) -> None:
    kinds: dict[Kind, dict[str, Any]] = {
        Kind.TEXT: {"metavar": "TEXT"},
        Kind.INTEGER: {"type": int, "metavar": "N"},
        Kind.TRUE: {"action": "store_const", "const": True},
        Kind.LABELS: {"action": _Labels, "metavar": "KEY=VALUE,…"},
        Kind.MANIFEST: {"metavar": "URL" if option.field == "manifest_url" else "FILE"},
    }
    required = {"required": True} if option.required else {}
    parser.add_argument(option.flag, dest=option.field, help=option.help, **required, **kinds[option.kind])


def _columns(rows: list[Row], usual: tuple[str, ...], detail: bool) -> tuple[str, ...]:
    """The usual columns first; with detail all that any row has."""
    if not detail or not rows:
        return usual
    names = dict.fromkeys(usual) | {name: None for row in rows for name in row if name != "links"}
    return tuple(name for name in names if any(name in row for row in rows))
