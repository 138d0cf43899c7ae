"""How values look in tables and to scripts."""

from typing import Any

import pytest

from magnum.cli.text import as_cell, as_plain


@pytest.mark.parametrize(
    ("value", "cell", "plain"),
    [
        (None, "-", ""),
        ("", "-", ""),
        (0, 0, 0),
        (True, True, True),
        ("a\r\nb\tc", "a\nb\tc", "a\nb\tc"),
        ([], "-", "[]"),
        ({}, "-", "{}"),
        (["10.0.0.3", "10.0.0.4"], "10.0.0.3, 10.0.0.4", '["10.0.0.3", "10.0.0.4"]'),
        ({"a": "b", "c": 1, "d": None}, "a=b, c=1", '{"a": "b", "c": 1, "d": null}'),
        ([{"port": 80}, {"port": 443}], "port=80\nport=443", '[{"port": 80}, {"port": 443}]'),
        ("grün", "grün", "grün"),
        ("\x1b[31m\u202e", "\\x1b[31m\\u202e", "\\x1b[31m\\u202e"),
    ],
)
def test_values(value: Any, cell: Any, plain: Any) -> None:
    assert as_cell(value) == cell
    assert as_plain(value) == plain
