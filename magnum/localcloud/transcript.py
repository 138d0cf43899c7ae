"""Commands as a user types them: shown, run by the shell, their output shown as it is."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from magnum.localcloud.steps import Steps

_COMMAND_SECONDS = 3600
_QUESTION_SECONDS = 120
_POLL_SECONDS = 1.0


class CommandError(Exception):
    """A command did not do what it should; the message names it."""


@dataclass(frozen=True)
class Outcome:
    """What a command gave."""

    command: str
    status: int
    output: str
    seconds: float


class Transcript:
    """A session at a shell, shown to who watches. Errors and progress of commands go where ours go."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._environment = dict(environment)
        self._folder = folder

    def heading(self, text: str) -> None:
        print(f"\n── {text}\n", flush=True)

    def say(self, text: str) -> None:
        print(text, flush=True)

    def export(self, name: str, value: str) -> None:
        """Set a variable for the commands that follow, visibly."""
        self._environment[name] = value
        print(f"$ export {name}={value}", flush=True)

    def run(self, command: str, *, fails: bool = False) -> Outcome:
        """Show a command, run it and show its output; ``fails`` says that it has to fail."""
        print(f"$ {command}", flush=True)
        begun = time.monotonic()
        result = self._shell(command, _COMMAND_SECONDS, capture_errors=False)
        seconds = time.monotonic() - begun
        print(result.stdout, end="" if result.stdout.endswith("\n") else "\n", flush=True)
        if (result.returncode != 0) != fails:
            wanted = "was to fail, and did not" if fails else f"ended with status {result.returncode}"
            raise CommandError(f"`{command}` {wanted}.")
        return Outcome(command=command, status=result.returncode, output=result.stdout, seconds=seconds)

    def ask(self, command: str) -> Any:
        """What a command prints as JSON, with nothing shown; None if it fails."""
        result = self._shell(f"{command} -f json", _QUESTION_SECONDS, capture_errors=True)
        return json.loads(result.stdout) if result.returncode == 0 else None

    def wait(self, what: str, command: str, ready: Callable[[Any], bool], seconds: float) -> None:
        """Ask until the answer is right, showing how long it takes; the answer then is shown as a user sees it."""
        self.until(what, command, ready, seconds)
        self.run(command)

    def until(self, what: str, command: str, ready: Callable[[Any], bool], seconds: float) -> None:
        """Ask until the answer is right, showing how long it takes."""
        deadline = time.monotonic() + seconds
        with Steps(sys.stderr) as steps, steps.step(what):
            while not ready(self.ask(command)):
                if time.monotonic() > deadline:
                    raise CommandError(f"{what}: not so after {seconds:.0f} s. See: {command}")
                time.sleep(_POLL_SECONDS)

    def _shell(self, command: str, seconds: float, *, capture_errors: bool) -> subprocess.CompletedProcess[str]:
        sys.stdout.flush()
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if capture_errors else None,
            text=True,
            timeout=seconds,
            check=False,
        )
