"""What every call of the command pays for."""

import subprocess
import sys

import pytest

DEAR = ("cmd2", "cryptography", "kubernetes", "openstack", "oslo_config", "sqlalchemy", "yaml")
"""Libraries that a list does not need and that cost more than the list."""


def test_the_start_imports_nothing_that_only_some_verbs_need() -> None:
    code = (
        "import sys; from magnum.cli.registry import Verbs; from magnum.cli import shell;"
        "Verbs().commands['bay-list'].load();"
        f"print(*[name for name in {DEAR!r} if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert ran.stdout.strip() == ""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_error(closed: str) -> None:
    command = f'"{sys.executable}" -m magnum.cli.shell help bay-list {closed}'
    ran = subprocess.run(["/bin/sh", "-c", command], check=False, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ("usage: magnum bay-list" in ran.stdout) is (">&-" not in closed.replace("2>&-", ""))
