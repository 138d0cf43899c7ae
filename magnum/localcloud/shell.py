"""Programs that are run to their end, with their output in a log."""

import os
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from magnum.localcloud.processes import ServiceError, tail

_POLL_SECONDS = 0.5
_GRACE_SECONDS = 10.0


def run(
    argv: Sequence[str],
    *,
    log: Path,
    seconds: float,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    watch: Callable[[], None] | None = None,
) -> None:
    """Run a program, appending what it says to ``log``; ServiceError if it fails or takes longer than ``seconds``.

    ``watch`` is called now and then while it runs. The program shares our terminal, so that Ctrl-C ends it, too.
    """
    command = shlex.join(argv)
    log.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + seconds
    with log.open("ab") as output:
        output.write(f"\n$ {command}\n".encode())
        output.flush()
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, **(environment or {})},
        )
        try:
            status = _wait(process, deadline, watch)
        finally:
            _end(process)
    if status is None:
        raise ServiceError(f"`{command}` took longer than {seconds:.0f} s; the end of {log}:\n{tail(log)}")
    if status != 0:
        raise ServiceError(f"`{command}` ended with status {status}; the end of {log}:\n{tail(log)}")


def _wait(process: subprocess.Popen[bytes], deadline: float, watch: Callable[[], None] | None) -> int | None:
    """The exit status; None when the deadline passes first."""
    while time.monotonic() < deadline:
        try:
            return process.wait(_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            if watch is not None:
                watch()
    return None


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program that still runs."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
