"""Running commands, writing files and waiting, as all scripts of a node do it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

POLL_INTERVAL = 0.5
_COMMAND_TIMEOUT = 1200

Found = TypeVar("Found")


class Failed(Exception):
    """A step of setting up the node failed; the text goes to the owner of the bay."""


def log(text: str) -> None:
    print(f"magnum-node: {text}", file=sys.stderr, flush=True)


def run(*command: str, stdin: str | None = None, environment: dict[str, str] | None = None) -> str:
    """Run a command and return what it printed; Failed carries the last line of its complaint."""
    try:
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=_COMMAND_TIMEOUT,
            env=os.environ | (environment or {}),
        )
    except FileNotFoundError as error:
        raise Failed(f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{command[0]} did not end within {_COMMAND_TIMEOUT} s") from error
    if done.returncode:
        log(done.stdout + done.stderr)
        raise Failed(f"{command[0]}: {last_line(done.stderr or done.stdout)}")
    return done.stdout


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "failed without a word"


def write(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file that is never, not even for a moment, readable by more than ``mode`` says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as out:
        out.write(text)


def wait_for(probe: Callable[[], Found | None], deadline: float, what: str) -> Found:
    """Return what ``probe`` finds once it finds something. ``deadline`` is one of time.monotonic()."""
    while True:
        found = probe()
        if found is not None:
            return found
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within the time given to this node")
        time.sleep(POLL_INTERVAL)
