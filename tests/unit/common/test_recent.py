"""A cache with a bound."""

from magnum.common.recent import Recent


def test_what_was_not_used_for_longest_goes_first() -> None:
    kept: Recent[str, int] = Recent(2)
    kept.put("a", 1)
    kept.put("b", 2)
    assert kept.get("a") == 1
    kept.put("c", 3)
    assert [kept.get(key) for key in "abc"] == [1, None, 3]
    assert len(kept) == 2


def test_a_value_can_be_changed_and_dropped() -> None:
    kept: Recent[str, int] = Recent(2)
    kept.put("a", 1)
    kept.put("a", 2)
    assert kept.get("a") == 2
    kept.drop("a")
    kept.drop("a")
    assert kept.known() == []
