"""The table of verbs in the documentation is the table of verbs."""

import re
from pathlib import Path

from magnum.cli.registry import Verbs

DOCS = Path(__file__).parents[3] / "docs" / "cli.md"


def test_every_verb_is_documented_and_no_other() -> None:
    section = DOCS.read_text(encoding="utf-8").split("## Verbs")[1].split("**Lists**")[0]
    documented, prefix = set(), ""
    for word in re.findall(r"`([a-z-]+)", section):
        if word.startswith("-") and not word.startswith("--"):
            documented.add(prefix + word)
        elif not word.startswith("-"):
            documented.add(word)
            prefix = word.rpartition("-")[0]
    assert documented == set(Verbs().commands)
