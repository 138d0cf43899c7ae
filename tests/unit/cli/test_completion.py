"""Completion, as bash does it."""

import subprocess
from collections.abc import Callable

import pytest

from .conftest import Ran

Run = Callable[..., Ran]

_TAB = """
{script}
COMP_WORDS=(magnum {words} {current!r}) COMP_CWORD={index}
_magnum
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.parametrize(
    ("words", "current", "expected"),
    [
        ("", "bay-c", {"bay-config", "bay-create"}),
        ("--os-cloud demo", "ca-", {"ca-show", "ca-sign"}),
        ("", "--os-project-n", {"--os-project-name"}),
        ("bay-create", "--node", {"--node-count"}),
        ("pod-list --bay web", "--sort-di", {"--sort-dir"}),
        ("bay-list --sort-dir", "", {"asc", "desc"}),
        ("--debug bay-list -f", "j", {"json"}),
        ("bay-update web", "re", {"replace", "remove"}),
        ("help", "container-exec", {"container-exec", "container-execute"}),
        ("pod-create --manifest", "pod", set()),  # bash goes on with the names of files
    ],
)
def test_what_the_tab_key_offers(magnum: Run, words: str, current: str, expected: set[str]) -> None:
    code = _TAB.format(script=magnum("complete").out, words=words, current=current, index=len(words.split()) + 1)
    ran = subprocess.run(["bash", "--norc", "-u"], input=code, check=True, capture_output=True, text=True, timeout=60)
    assert set(ran.stdout.split()) == expected
    assert not ran.stderr


def test_the_older_verb_prints_words(magnum: Run) -> None:
    words = magnum("bash-completion").out.split()
    assert {"bay-create", "service-list", "--node-count", "--manifest-url"} <= set(words)
    assert len(words) == len(set(words))
