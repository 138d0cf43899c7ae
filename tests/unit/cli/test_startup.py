"""What every call of the command pays for."""

import subprocess
import sys

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
