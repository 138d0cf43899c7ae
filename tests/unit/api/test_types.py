"""What each type takes, makes of it, and refuses."""

from typing import Any

import jsonschema_rs
import pytest

from magnum.api import types

GOOD: list[tuple[Any, Any, Any]] = [
    (types.Text(5), "abc", "abc"),
    (types.Text(5), "ñandú", "ñandú"),
    (types.Name(), "web 1", "web 1"),
    (types.Name(), "details", "details"),
    (types.Name(), "9B0C4A43-0000-4000-8000-3D9AD3A5E0B7", "9B0C4A43-0000-4000-8000-3D9AD3A5E0B7"),
    (types.Environment(), {"A": "b=c", "N": 1}, {"A": "b=c", "N": "1"}),
    (types.Whole(1, 10), "3", 3),
    (types.Whole(-5, 10), "-5", -5),
    (types.Whole(1, 10), 10, 10),
    (types.Whole(1, 10), 2.0, 2),
    (types.Boolean(), "TRUE", True),
    (types.Boolean(), 0, False),
    (types.Boolean(), "True", True),
    (types.Boolean(), "no", False),
    (types.Uuid(), "9b0c4a43-0000-4000-8000-3d9ad3a5e0b7", "9b0c4a43-0000-4000-8000-3d9ad3a5e0b7"),
    (types.IPv4(), "8.8.8.8", "8.8.8.8"),
    (types.Choice("a", "b"), "b", "b"),
    (types.HttpUrl(), "https://[::1]:8080/x?y", "https://[::1]:8080/x?y"),
    (types.Labels(), {"a": "b", "n": 1, "t": True}, {"a": "b", "n": "1", "t": "true"}),
    (types.Labels(), {"n": 3.0}, {"n": "3"}),
    (types.Labels(), '{"a": "b"}', {"a": "b"}),
    (types.Labels(), "{'a': 'b'}", {"a": "b"}),
]
BAD: list[tuple[Any, Any]] = [
    (types.Text(5), ""),
    (types.Text(5), "abcdef"),
    (types.Text(5), 5),
    (types.Text(5, pattern="[a-z]+", expects="lower case"), "ABC"),
    (types.Name(), ""),
    (types.Name(), " \t"),
    (types.Name(), "a/b"),
    (types.Name(), "detail"),
    (types.Name(), ".."),
    (types.Name(), "9b0c4a43-0000-4000-8000-3d9ad3a5e0b7"),
    (types.Name(), "x" * 256),
    (types.Name(), 5),
    (types.Environment(), {"A=B": "c"}),
    (types.Environment(), {"": "c"}),
    (types.Environment(), '{"A=": "c"}'),
    (types.Whole(1, 10), 0),
    (types.Whole(1, 10), "11"),
    (types.Whole(1, 10), 2.5),
    (types.Whole(1, 10), 1e300),
    (types.Whole(1, 10), "+1"),
    (types.Whole(1, 10), "01"),
    (types.Whole(1, 10), "²"),
    (types.Whole(1, 10), "1_0"),
    (types.Whole(1, 10), " 1"),
    (types.Whole(1, 10), True),
    (types.Whole(1, 10), [1]),
    (types.Whole(1, 10), "9" * 5000),
    (types.Boolean(), "perhaps"),
    (types.Boolean(), "tRUE"),
    (types.Boolean(), 2),
    (types.Boolean(), [True]),
    (types.Uuid(), "9B0C4A43-0000-4000-8000-3D9AD3A5E0B7"),
    (types.Uuid(), 5),
    (types.IPv4(), "::1"),
    (types.IPv4(), 1),
    (types.Choice("a", "b"), ["a"]),
    (types.HttpUrl(), "ftp://host/"),
    (types.HttpUrl(), "http://"),
    (types.HttpUrl(), "http://?"),
    (types.HttpUrl(), "http://host/a b"),
    (types.HttpUrl(), "http://höst/"),
    (types.HttpUrl(), "http://[bad"),
    (types.HttpUrl(), "http://host/" + "x" * 3000),
    (types.HttpUrl(), {"a": 1}),
    (types.Labels(), "a=b"),
    (types.Labels(), "({'a': 'b'})"),
    (types.Labels(), {"a": ["b"]}),
    (types.Labels(), {"a": 1.5}),
    (types.Labels(), "[" * 60000),
    (types.Labels(), ["a"]),
]


@pytest.mark.parametrize(("kind", "given", "made"), GOOD)
def test_taken(kind: Any, given: Any, made: Any) -> None:
    value = kind.validate(given)
    assert value == made
    assert type(value) is type(made)


@pytest.mark.parametrize(("kind", "given"), BAD)
def test_refused(kind: Any, given: Any) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        kind.validate(given)


@pytest.mark.parametrize(("kind", "given", "made"), GOOD)
def test_what_is_taken_is_described(kind: Any, given: Any, made: Any) -> None:
    jsonschema_rs.validate(kind.accepted(), given)
    jsonschema_rs.validate(kind.schema(), made)
