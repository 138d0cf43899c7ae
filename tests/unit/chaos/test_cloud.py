"""How the processes of a run are killed."""

import sys
from pathlib import Path

from magnum.localcloud import processes
from magnum.localcloud.processes import Service
from tests.chaos.cloud import Process

HEAVY = "memory = b'x' * (100 << 20); import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(300)"
"""Takes a while to go, as the kernel has much to take back."""


def test_who_was_killed_is_gone(tmp_path: Path) -> None:
    up = tmp_path / "up"
    argv = (sys.executable, "-c", HEAVY, str(up))
    service = Service("heavy", argv, tmp_path / "log", tmp_path / "pid", up.exists)
    process = Process("heavy", service.pid_file, lambda: processes.ensure(service))
    process.have()
    try:
        process.kill()
        assert not process.runs
        assert processes.ensure(service), "it is started anew"
    finally:
        processes.stop(service.pid_file)
