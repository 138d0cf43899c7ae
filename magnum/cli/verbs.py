"""list, show, create, update and delete of any resource."""

import argparse
import difflib
from collections.abc import Iterator, Sequence
from typing import Any

from cliff.columns import FormattableColumn

from magnum.cli.client import NO_PARAMS, Params, Row
from magnum.cli.command import ListVerb, ShowVerb, Verb
from magnum.cli.errors import CliError, EndedInFailureError, RefusedError, UsageError
from magnum.cli.resources import Kind, Option, Resource
from magnum.cli.text import clean
from magnum.cli.values import decode, labels, read_text
from magnum.cli.wait import BayWait

OPERATIONS = ("add", "replace", "remove")

Shown = tuple[Sequence[str], Sequence[Any]]


class OfResource(Verb):
    """A verb of the resource its class names."""

    resource: Resource
    verb = ""
    """What it is called in the resource's declaration."""

    def add_bay(self, parser: argparse.ArgumentParser, *, word: bool = False) -> None:
        """Let the user say which bay is meant, where that is a question.

        :param word: also as a word; where words alone do not tell what they are, the verb sorts them out itself
        """
        if self.verb not in self.resource.in_bay:
            return
        text = f"bay the {self.resource.title} is in, name or uuid"
        if word and self.resource.bay_word:
            parser.add_argument("bay_word", nargs="?", metavar="BAY", help=f"{text} (the same as --bay)")
        parser.add_argument("--bay", metavar="BAY", help=text)

    def bay_params(self, args: argparse.Namespace, word: str | None = None) -> Params:
        """What narrows a request to the bay that is meant.

        :param word: the bay, where it was named by a word
        :raises UsageError: word and option name different ones, or one without a name
        """
        bays = {bay for bay in (getattr(args, "bay", None), getattr(args, "bay_word", None), word) if bay is not None}
        if "" in bays:
            raise UsageError("'' is no name or uuid of a bay.")
        if len(bays) > 1:
            raise UsageError(f"The bay is named twice: {' and '.join(sorted(bays))}.")
        return {"bay_ident": bays.pop()} if bays else NO_PARAMS

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

    def arranged(self, row: Row) -> Shown:
        """An object as it is shown: first what a list shows of it, in the same order."""
        first = {name: row[name] for name in self.resource.columns if name in row}
        return ShowVerb.shown(first | row)

    def outcome(self, row: Row, args: argparse.Namespace) -> Row:
        """The object after a change, at its end where the user waits for that.

        From version 1.2 of the API on, a bay's answer is its uuid alone.
        """
        if self.wants_wait(args):
            return self.waiter().for_change(row)
        alone = self.resource.waits and row.keys() == {"uuid"}
        return self.client.get(self.resource.collection, row["uuid"]) if alone else row


class List(OfResource, ListVerb):
    """Show all of them, or those of one bay."""

    verb = "list"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Options of a list."""
        parser = super().get_parser(prog_name)
        self.add_bay(parser, word=True)
        if self.resource.pages:
            parser.add_argument("--limit", type=_positive, metavar="N", help="show at most so many")
            parser.add_argument("--marker", metavar="UUID", help="begin after this one")
            parser.add_argument("--sort-key", metavar="FIELD", help="field the server sorts by")
            parser.add_argument("--sort-dir", choices=("asc", "desc"), help="direction the server sorts in")
            parser.add_argument("--detail", action="store_true", help="show every field")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterator[list[Any]]]:
        """Ask for the rows."""
        detail = self.resource.pages and parsed_args.detail
        if not detail:
            self.check_columns(parsed_args, self.resource.columns, "--detail shows more" if self.resource.pages else "")
        rows = list(self._rows(parsed_args, *(["detail"] if detail else [])))
        columns = _columns(rows, self.resource.columns, detail)
        return columns, ([self._cell(column, row.get(column)) for column in columns] for row in rows)

    def _rows(self, args: argparse.Namespace, *detail: str) -> Iterator[Row]:
        given = {key: getattr(args, key, None) for key in ("marker", "sort_key", "sort_dir")}
        params = dict(self.bay_params(args)) | {key: value for key, value in given.items() if value}
        collection = self.resource.collection
        limit = getattr(args, "limit", None)
        return self.client.list(collection, *detail, key=collection, params=params, limit=limit)

    def _cell(self, column: str, value: Any) -> Any:
        short = self.resource.cells.get(column)
        return value if short is None or value is None else _Cell(value, short(value))


class Show(OfResource, ShowVerb):
    """Show one, with every field."""

    verb = "show"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which one."""
        parser = super().get_parser(prog_name)
        self.add_ident(parser)
        self.add_bay(parser, word=True)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Shown:
        """Ask for it."""
        params = self.bay_params(parsed_args)
        return self.arranged(self.client.get(self.resource.collection, parsed_args.ident, params=params))


class Create(OfResource, ShowVerb):
    """Make one."""

    verb = "create"

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
        row = self.client.post(self.resource.collection, body=self.body(parsed_args))
        return self.arranged(self.outcome(row, parsed_args))

    def body(self, args: argparse.Namespace) -> Row:
        """What is sent: what was typed, and no more."""
        typed = {option.field: getattr(args, option.field) for option in self.resource.options}
        body = {name: value for name, value in typed.items() if value is not None}
        if "manifest" in body:
            body["manifest"] = read_text(body["manifest"])
        if "labels" in body:
            body["labels"] = labels(body["labels"])
        return body


class Update(OfResource, ShowVerb):
    """Change one: add, replace or remove fields.

    A value is read as JSON where it is a whole number, true, false, null or a quoted text, else as the text it is:
    node_count=3 is a number, labels/kube_tag=v1.30.0 and name=web are texts.
    """

    verb = "update"
    operands = OPERATIONS

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which one and what."""
        parser = super().get_parser(prog_name)
        self.add_ident(parser)
        choices = "{" + ",".join(OPERATIONS) + "}"
        before = "; before it may stand the bay, if it is none of these words" if self.resource.bay_word else ""
        parser.add_argument("op", metavar=choices, help="what to do with the fields" + before)
        manifests = any(option.kind is Kind.MANIFEST for option in self.resource.options)
        form = "manifest=FILE or manifest_url=URL" if manifests else "field=value; for remove, only field"
        parser.add_argument("attributes", metavar="FIELD=VALUE", nargs="+", help=form)
        self.add_bay(parser)
        if self.resource.waits:
            parser.add_argument("--rollback", action="store_true", help="return to what it was if the change fails")
        self.add_wait(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Shown:
        """Ask for the change, and wait where that is wished."""
        bay, op, attributes = self._sorted_out(parsed_args.op, parsed_args.attributes)
        patch = [self._operation(op, attribute) for attribute in attributes]
        params = self.bay_params(parsed_args, bay)
        try:
            row = self._send(parsed_args, patch, params)
        except RefusedError as error:
            raise self._explained(error, parsed_args.ident, patch, params) from None
        return self.arranged(self.outcome(row, parsed_args))

    def _sorted_out(self, op: str, attributes: list[str]) -> tuple[str | None, str, list[str]]:
        """Bay, operation and attributes. A word that is no operation, before one that is, is the bay."""
        if op in OPERATIONS:
            return None, op, attributes
        if self.resource.bay_word and attributes[0] in OPERATIONS and len(attributes) > 1:
            return op, attributes[0], attributes[1:]
        raise UsageError(f"'{op}' is none of {', '.join(OPERATIONS)}. See: magnum help {self.resource.name}-update")

    def _operation(self, op: str, attribute: str) -> Row:
        name, equals, text = attribute.partition("=")
        path = "/" + name.lstrip("/")
        if op == "remove":
            if equals:
                raise UsageError(f"'{attribute}': what is removed is named without a value.")
            return {"op": op, "path": path}
        if not name or not equals:
            raise UsageError(f"'{attribute}': give it as field=value.")
        if path == "/manifest" and any(option.kind is Kind.MANIFEST for option in self.resource.options):
            return {"op": op, "path": path, "value": read_text(text)}
        return {"op": op, "path": path, "value": decode(text)}

    def _send(self, args: argparse.Namespace, patch: list[Row], params: Params) -> Row:
        rollback = self.resource.waits and args.rollback
        return self.client.patch(
            self.resource.collection,
            args.ident,
            body=patch,
            params=dict(params) | ({"rollback": "True"} if rollback else {}),
            feature="1.3" if rollback else None,
        )

    def _explained(self, error: RefusedError, ident: str, patch: list[Row], params: Params) -> CliError:
        """The refusal; where a field is named that there is not, also those that there are."""
        if error.status != 400:
            return error
        fields = self._fields(ident, params)
        wrong = {item["path"].split("/")[1] for item in patch} - set(fields)
        if not fields or not wrong:
            return error
        names = ", ".join(_with_nearest(clean(name), fields) for name in sorted(wrong))
        known = ", ".join(map(clean, sorted(fields)))
        return RefusedError(f"{error}\nA {self.resource.title} has no {names}. It has: {known}.", error.status)

    def _fields(self, ident: str, params: Params) -> Sequence[str]:
        try:
            return self.shown(self.client.get(self.resource.collection, ident, params=params))[0]
        except CliError:
            return ()  # the refusal is what matters


class EachVerb(OfResource):
    """A verb done to several objects; one that refuses does not stop the others."""

    failing = ""
    """What is said to have failed."""

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Try each.

        :returns: the exit code of the first that failed
        """
        idents, params = self.targets(parsed_args)
        failures = [self._tried(ident, params, parsed_args) for ident in idents]
        return next(filter(None, failures), 0)

    def targets(self, args: argparse.Namespace) -> tuple[Sequence[str], Params]:
        """The objects, and what narrows the requests to their bay."""
        return args.ident, NO_PARAMS

    def act(self, ident: str, params: Params, args: argparse.Namespace) -> None:
        """Do it to one."""
        raise NotImplementedError

    def _tried(self, ident: str, params: Params, args: argparse.Namespace) -> int:
        try:
            self.act(ident, params, args)
        except (RefusedError, EndedInFailureError, UsageError) as error:
            self.app.stderr.write(f"{self.failing} for {self.resource.title} {clean(ident)} failed: {error}\n")
            return int(error.exit_code)
        return 0


class Delete(EachVerb):
    """Delete one or several."""

    verb = "delete"
    failing = "Delete"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which ones."""
        parser = super().get_parser(prog_name)
        self.add_ident(parser, nargs="+")
        self.add_bay(parser)
        if self.resource.bay_word:
            last = "The last of several words is the bay, if there is a bay, and no other object, of this name."
            parser.description = f"{parser.description}\n\n{last}"
        self.add_wait(parser)
        return parser

    def targets(self, args: argparse.Namespace) -> tuple[Sequence[str], Params]:
        """The objects, and what narrows the requests to their bay.

        The last of several words may be the bay (as 1.1.0 had it) or one more object (as 0.2.1 had it); which of them
        it is, is asked of the server.

        :raises UsageError: it could be both
        """
        params = self.bay_params(args)
        *idents, last = args.ident
        if params or not idents or not self.resource.bay_word or not self._is_there("bays", last):
            return args.ident, params
        if self._is_there(self.resource.collection, last):
            raise UsageError(
                f"'{last}' is a {self.resource.title} and a bay as well; say which bay is meant with --bay. "
                "Nothing was deleted."
            )
        return idents, {"bay_ident": last}

    def _is_there(self, collection: str, ident: str) -> bool:
        try:
            self.client.get(collection, ident)
        except RefusedError as error:
            if error.status not in (404, 409):
                raise
            return error.status == 409  # several of that name
        return True

    def act(self, ident: str, params: Params, args: argparse.Namespace) -> None:
        """Delete one."""
        title = f"{self.resource.title} {clean(ident)}"
        # waiting goes by uuid: a name may be given to another bay meanwhile
        row = self.client.get(self.resource.collection, ident) if self.wants_wait(args) else {}
        self.client.delete(self.resource.collection, ident, params=params)
        if not self.resource.waits:
            self.say(f"Deleted {title}.")
        elif not args.wait:
            self.say(f"Deleting {title} has begun.")
        else:
            self.waiter().for_end(row)
            self.say(f"Deleted {title}.")


class _Cell(FormattableColumn[Any]):
    """A value that a table writes shorter than it is."""

    def __init__(self, value: Any, short: str) -> None:
        super().__init__(value)
        self._short = short

    def human_readable(self) -> str:
        return self._short


def _with_nearest(name: str, fields: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, fields, 1)
    return f"'{name}'" + (f" (nearest is {clean(near[0])})" if near else "")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number above 0")
    return int(text)


def _add_option(parser: Any, option: Option) -> None:
    kinds: dict[Kind, dict[str, Any]] = {
        Kind.TEXT: {"metavar": "TEXT"},
        Kind.INTEGER: {"type": int, "metavar": "N"},
        Kind.TRUE: {"action": "store_const", "const": True},
        Kind.LABELS: {"action": "append", "metavar": "KEY=VALUE,…"},
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
