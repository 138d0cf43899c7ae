"""Output formats, in place of the ones cliff would look up among all installed packages.

JSON and YAML escape control characters by themselves and keep every value as it came; the others print cleaned text.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from cliff.formatters import base, commaseparated, json_format, table, value, yaml_format

from magnum.cli.text import as_cell, as_plain

Row = Sequence[Any]
Rows = Iterable[Row]


_WHOLE = 48
"""Words up to this length are never cut in two, though the table be wider than the terminal."""


class Table(table.TableFormatter):
    """A table that fits the terminal it is shown on, as far as its words allow."""

    def add_argument_group(self, parser: ArgumentParser) -> None:
        """Options; a list of nothing shows its headings, so that it is seen to be one."""
        super().add_argument_group(parser)
        parser.set_defaults(print_empty=True)

    def emit_list(self, column_names: Row, data: Rows, stdout: TextIO, parsed_args: Namespace) -> None:
        """Print rows."""
        super().emit_list(column_names, [list(map(as_cell, row)) for row in data], stdout, parsed_args)

    def emit_one(self, column_names: Row, data: Row, stdout: TextIO, parsed_args: Namespace) -> None:
        """Print one object, a line per field."""
        super().emit_one(list(map(as_cell, column_names)), list(map(as_cell, data)), stdout, parsed_args)

    @staticmethod
    def _assign_max_widths(shown: Any, max_width: int, min_width: int = 0, fit_width: bool = False) -> None:
        table.TableFormatter._assign_max_widths(shown, max_width, min_width, fit_width)
        for index, name in enumerate(shown.field_names):
            if name in shown.max_width:
                words = (word for row in shown.rows for word in str(row[index]).split())
                longest = max((len(word) for word in words if len(word) <= _WHOLE), default=0)
                shown.max_width[name] = max(shown.max_width[name], longest, len(name))


class Value(value.ValueFormatter):
    """Values only: a line per object of a list, a line per field of one object."""

    def emit_list(self, column_names: Row, data: Rows, stdout: TextIO, parsed_args: Namespace) -> None:
        """Print rows, values separated by a space."""
        super().emit_list(column_names, [list(map(as_plain, row)) for row in data], stdout, parsed_args)

    def emit_one(self, column_names: Row, data: Row, stdout: TextIO, parsed_args: Namespace) -> None:
        """Print one value a line."""
        super().emit_one(column_names, list(map(as_plain, data)), stdout, parsed_args)


class Csv(commaseparated.CSVLister):
    """Comma separated, with a line of headings."""

    def emit_list(self, column_names: Row, data: Rows, stdout: TextIO, parsed_args: Namespace) -> None:
        """Print rows."""
        super().emit_list(
            list(map(as_plain, column_names)), [list(map(as_plain, row)) for row in data], stdout, parsed_args
        )

    def emit_one(self, column_names: Row, data: Row, stdout: TextIO, parsed_args: Namespace) -> None:
        """Print one object as a list of one."""
        self.emit_list(column_names, [data], stdout, parsed_args)


@dataclass(frozen=True)
class _Plugin:
    """A formatter in the wrapping in which cliff expects it."""

    obj: base.Formatter


class Formatters:
    """The formats by name; cliff asks it as it would ask stevedore."""

    def __init__(self) -> None:
        self._plugins = {
            "csv": _Plugin(Csv()),
            "json": _Plugin(json_format.JSONFormatter()),
            "table": _Plugin(Table()),
            "value": _Plugin(Value()),
            "yaml": _Plugin(yaml_format.YAMLFormatter()),
        }

    def names(self) -> list[str]:
        """Names for `-f`."""
        return list(self._plugins)

    def __iter__(self) -> Iterator[_Plugin]:
        return iter(self._plugins.values())

    def __getitem__(self, name: str) -> _Plugin:
        return self._plugins[name]
