"""A person at a terminal of the one-machine cloud: what the integration tests drive."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMANDS = Path(sys.executable).parent
NAME = "test"
PORT_OFFSET = 20000
EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "kubernetes"


class CommandFailed(AssertionError):
    """A command ended with an error; the message holds all it said."""


def run(argv: list[str], *, seconds: float = 60, env: dict[str, str] | None = None, check: bool = True) -> str:
    """Run a command and give what it printed.

    :raises CommandFailed: its exit code was not 0 and ``check`` is set
    """
    result = subprocess.run(
        argv, capture_output=True, text=True, timeout=seconds, check=False, env={**os.environ, **(env or {})}
    )
    if check and result.returncode != 0:
        raise CommandFailed(f"{' '.join(argv)} ended with {result.returncode}:\n{result.stdout}\n{result.stderr}")
    return result.stdout if check else result.stdout + result.stderr


def local(*arguments: str, seconds: float = 1800) -> str:
    """``magnum-local`` for the tests' own cloud."""
    base = [str(COMMANDS / "magnum-local"), "--name", NAME, "--port-offset", str(PORT_OFFSET)]
    return run([*base, *arguments], seconds=seconds)


def eventually(holds: Callable[[], bool], what: str, seconds: float) -> None:
    """Wait until something is so, within a bound."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"after {seconds:.0f} s it is still not so: {what}")
        time.sleep(0.5)


@dataclass(frozen=True)
class Cloud:
    """The tests' cloud, as its tenant."""

    state: Path

    @property
    def _environment(self) -> dict[str, str]:
        return {"OS_CLIENT_CONFIG_FILE": str(self.state / "clouds.yaml"), "OS_CLOUD": "magnum-local"}

    def text(self, *arguments: str, seconds: float = 300, check: bool = True) -> str:
        """What a ``magnum`` command prints."""
        return run([str(COMMANDS / "magnum"), *arguments], seconds=seconds, env=self._environment, check=check)

    def json(self, *arguments: str, seconds: float = 300) -> Any:
        """What a ``magnum`` command answers, as data."""
        return json.loads(self.text(*arguments, "-f", "json", seconds=seconds))

    def bay(self, name: str) -> dict[str, Any]:
        """A bay as ``bay-show`` gives it."""
        answer: dict[str, Any] = self.json("bay-show", name)
        return answer

    def docker(self, *arguments: str, seconds: float = 60) -> str:
        """The engine's own view of what the cloud made."""
        return run(["docker", *arguments], seconds=seconds)

    def containers(self, bay_uuid: str | None = None) -> list[str]:
        """Names of the containers of the cloud's servers; of one bay where its uuid is given."""
        argv = ["ps", "-a", "--filter", f"label=magnum-local={NAME}", "--format", "{{.Names}}"]
        names = self.docker(*argv).split()
        if bay_uuid is None:
            return names
        nodes = {node["name"] for node in self.nodes(bay_uuid)}
        return [name for name in names if name in nodes]

    def nodes(self, bay_uuid: str) -> list[dict[str, Any]]:
        """The nodes of a bay."""
        listed = self.json("node-list")
        shown = [self.json("node-show", node["uuid"]) for node in listed]
        return [node for node in shown if node["bay_uuid"] == bay_uuid]

    def inside(self, server: str, *argv: str, seconds: float = 60) -> str:
        """Run something in a server, to look at a bay from inside."""
        return self.docker("exec", server, *argv, seconds=seconds)


def write_baymodel(cloud: Cloud, name: str, **options: str) -> None:
    """A Kubernetes baymodel on the cloud's own image."""
    arguments = ["baymodel-create", "--name", name, "--coe", "kubernetes", "--keypair-id", "unused"]
    defaults = {"image-id": "debian-kubernetes", "external-network-id": "public", "flavor-id": "small"}
    for option, value in {**defaults, **options}.items():
        arguments += [f"--{option}", value]
    cloud.text(*arguments)
