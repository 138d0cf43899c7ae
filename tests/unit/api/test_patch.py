"""JSON Patch, by the rules of the first API."""

from typing import Any

import jsonschema_rs
import pytest
from wsme import types as wtypes

from magnum.api import patch
from magnum.api.fields import Field, given_fields
from magnum.api.types import Labels, Text, Whole
from magnum.common.exception import Invalid

FIELDS: dict[str, Any] = {"name": "x", "size": 1, "labels": {"a": "b"}, "coe": "kubernetes"}


class Thing(wtypes.Base):
    name = Field(Text(20))
    size = Field(Whole(1, 10))
    coe = Field(Text(20), mandatory=True)
    labels = Field(Labels())


def apply(*document: Any) -> dict[str, Any]:
    return patch.apply(list(document), FIELDS, internal=("secret",), mandatory=("coe",))


def test_all_three_operations_in_order() -> None:
    assert apply(
        {"op": "replace", "path": "/name", "value": "y"},
        {"op": "add", "path": "/size", "value": 0},
        {"op": "add", "path": "/labels/c", "value": ""},
        {"op": "replace", "path": "/labels/a", "value": "z"},
        {"op": "remove", "path": "/labels/c"},
        {"op": "remove", "path": "/name"},
    ) == {"name": None, "size": 0, "labels": {"a": "z"}, "coe": "kubernetes"}
    assert FIELDS["labels"] == {"a": "b"}


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({"op": "test", "path": "/name", "value": "x"}, "one of: add, replace, remove"),
        ({"op": ["add"], "path": "/name", "value": "x"}, "one of: add, replace, remove"),
        ({"path": "/name", "value": "x"}, "attribute op"),
        ({"op": "add", "path": "name", "value": "x"}, "attribute path"),
        ({"op": "add", "path": "/labels/a.b", "value": "x"}, "attribute path"),
        ({"op": "add", "path": "/name\n", "value": "x"}, "attribute path"),
        ({"op": "add", "path": 5, "value": "x"}, "attribute path"),
        ({"op": "add", "path": "/name"}, "needs value"),
        ({"op": "add", "path": "/name", "value": None}, "needs value"),
        ({"op": "add", "path": "/name", "value": [1]}, "Wrong type. Expected a string or an integer, got a list."),
        ({"op": "add", "path": "/name", "value": 1.5}, "Wrong type"),
        ({"op": "add", "path": "/uuid", "value": "x"}, "internal attribute"),
        ({"op": "remove", "path": "/secret"}, "internal attribute"),
        ({"op": "remove", "path": "/coe"}, "mandatory attribute"),
        ({"op": "add", "path": "/colour", "value": "x"}, "to the root of the resource is not allowed"),
        ({"op": "remove", "path": "/labels/z"}, "there is no /labels/z to remove"),
        ({"op": "replace", "path": "/labels/z", "value": "x"}, "there is no /labels/z to replace"),
        ({"op": "add", "path": "/name/z", "value": "x"}, "which has no parts"),
    ],
)
def test_refused(item: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid) as caught:
        apply(item)
    assert said in caught.value.message


@pytest.mark.parametrize("document", [None, {}, "x", [], [1], [{"op": "remove", "path": "/name"}] * 300])
def test_what_is_no_patch(document: Any) -> None:
    with pytest.raises(Invalid):
        patch.apply(document, FIELDS)


def test_a_number_without_a_fraction_is_a_whole_one() -> None:
    assert apply({"op": "replace", "path": "/size", "value": 3.0})["size"] == 3


@pytest.mark.parametrize(
    ("change", "good"),
    [
        ({"op": "add", "path": "/name", "value": "web"}, True),
        ({"op": "replace", "path": "/size", "value": "3"}, True),
        ({"op": "replace", "path": "/size", "value": "11"}, False),
        ({"op": "add", "path": "/labels/a", "value": True}, True),
        ({"op": "add", "path": "/name/a", "value": "x"}, False),
        ({"op": "remove", "path": "/labels/a"}, True),
        ({"op": "remove", "path": "/name"}, True),
        ({"op": "remove", "path": "/size"}, False),
        ({"op": "remove", "path": "/coe"}, False),
        ({"op": "add", "path": "/name"}, False),
        ({"op": "test", "path": "/name", "value": "web"}, False),
    ],
)
def test_described(change: dict[str, Any], good: bool) -> None:
    assert jsonschema_rs.is_valid(patch.schema(given_fields(Thing), ("size",)), [change]) is good
