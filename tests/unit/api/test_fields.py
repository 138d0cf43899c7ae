"""How the fields of an object are read from a request."""

from wsme import types as wtypes

from magnum.api import fields, types
from magnum.api.fields import Field, Use


class Thing(wtypes.Base):
    """What a test reads."""

    uuid = Field(types.Uuid(), use=Use.IGNORED)
    name = Field(types.Text(5), mandatory=True)
    size = Field(types.Whole(1, 10), default=1)
    links = Field(types.Links(), use=Use.SHOWN)


def test_reading_names_every_problem_and_keeps_what_is_right() -> None:
    problems: list[str] = []
    assert fields.read(Thing, {"size": 3, "links": [], "colour": "red"}, problems) == {"size": 3}
    assert problems == [
        "Invalid input for field/attribute name. Value: 'None'. Mandatory field missing.",
        "Invalid input for field/attribute links. Value: '[]'. Cannot set read only field.",
    ]


def test_unknown_keys_are_refused_where_only_known_ones_count() -> None:
    problems: list[str] = []
    fields.read(Thing, {"name": "x", "siez": 3, "zzz": 1}, problems, known_only=True)
    assert problems == [
        "Unknown attribute: 'siez'. Did you mean size?",
        "Unknown attribute: 'zzz'. Known are: name, size, uuid.",
    ]


def test_what_is_ignored_may_be_anything() -> None:
    problems: list[str] = []
    assert fields.read(Thing, {"name": "x", "uuid": ["?"]}, problems, known_only=True) == {"name": "x"}
    assert problems == []


def test_null_is_as_good_as_nothing() -> None:
    problems: list[str] = []
    assert fields.read(Thing, {"name": "x", "size": None, "links": None}, problems) == {"name": "x"}
    assert problems == []


def test_messages_do_not_repeat_all_of_a_long_value() -> None:
    problems: list[str] = []
    fields.read(Thing, {"name": "x" * 100000}, problems)
    assert len(problems[0]) < 300


def test_what_is_shown_and_what_is_given() -> None:
    assert list(fields.shown_fields(Thing)) == ["uuid", "name", "size", "links"]
    assert list(fields.given_fields(Thing)) == ["name", "size"]
    assert fields.defaults(Thing) == {"size": 1}
