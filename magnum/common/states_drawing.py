"""The states of a bay as a page for people, drawn from the tables that decide.

``python -m magnum.common.states_drawing > docs/states.md`` writes the page anew.
"""

from collections.abc import Iterator

from magnum.common import states
from magnum.common.states import BayStatus, Verb

_INTRODUCTION = """\
# States of a bay

Written from the tables in `magnum/common/states.py` by `python -m magnum.common.states_drawing`; change those, not this
page.

Deleting is allowed in every state, and supersedes what runs; the drawing leaves these arrows out, but for that of a
deletion that failed. What is said of a stack is what others did to it in Heat, as a conductor saw.
"""
_ROWS = """
## What can be asked for, and what it makes of the bay

| status | verb | becomes |
|---|---|---|
"""


def page() -> str:
    """All of it, in Markdown."""
    return f"{_INTRODUCTION}\n```mermaid\nstateDiagram-v2\n{''.join(_arrows())}```\n{_ROWS}{''.join(_rows())}"


def _arrows() -> Iterator[str]:
    yield _arrow("[*]", states.CREATE.status, "create")
    for (status, verb), start in states.STARTS.items():
        if verb is not Verb.DELETE or status is BayStatus.DELETE_FAILED:
            yield _arrow(status, start.status, verb)
    yield _arrow(BayStatus.UPDATE_IN_PROGRESS, BayStatus.ROLLBACK_IN_PROGRESS, "Heat undoes it")
    for status, ends in states.ENDS.items():
        yield _arrow(status, ends.well or "[*]", "ends well")
        yield _arrow(status, ends.badly, "ends badly")
    for sight, turn in states.SIGHTS.items():
        for status in BayStatus:
            if status in turn.statuses and status is not turn.becomes:
                yield _arrow(status, turn.becomes, sight)


def _arrow(before: str, after: str, why: str) -> str:
    return f"    {before} --> {after}: {why}\n"


def _rows() -> Iterator[str]:
    for status in BayStatus:
        for verb in states.verbs_in(status):
            yield f"| {status} | {verb} | {states.STARTS[status, verb].status} |\n"


if __name__ == "__main__":
    print(page(), end="")
