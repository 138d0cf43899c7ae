"""A person at a terminal of the one-machine cloud: what the integration tests drive."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keystoneauth1.exceptions
import yaml
from keystoneauth1 import identity, session

COMMANDS = Path(sys.executable).parent
NAME = "test"
PORT_OFFSET = 6000  # below the ports that the kernel gives to clients
_KNOWN_SECONDS = 120
_ANSWER_SECONDS = 60  # longer than an API waits for a conductor, and that for bays that say nothing
EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "kubernetes"


class CommandFailed(AssertionError):
    """A command ended with an error; the message holds all it said."""


def run(argv: list[str], *, seconds: float = 60, env: dict[str, str] | None = None, check: bool = True) -> str:
    """Run a command and give what it printed.

    :raises CommandFailed: its exit code was not 0 and ``check`` is set
    :raises AssertionError: it did not end in time
    """
    try:
        result = subprocess.run(
            argv, capture_output=True, text=True, timeout=seconds, check=False, env={**os.environ, **(env or {})}
        )
    except subprocess.TimeoutExpired as error:
        # A command that waits for a bay has told how far that is, and what was the matter.
        said = b"\n".join(each or b"" for each in (error.stdout, error.stderr)).decode(errors="replace")
        raise AssertionError(f"{' '.join(argv)} did not end in {seconds:g} s:\n{said}") from error
    if check and result.returncode != 0:
        raise CommandFailed(f"{' '.join(argv)} ended with {result.returncode}:\n{result.stdout}\n{result.stderr}")
    return result.stdout if check else result.stdout + result.stderr


def local(*arguments: str, seconds: float = 1800) -> str:
    """``magnum-local`` for the tests' own cloud."""
    base = [str(COMMANDS / "magnum-local"), "--name", NAME, "--port-offset", str(PORT_OFFSET)]
    return run([*base, *arguments], seconds=seconds)


def eventually(holds: Callable[[], bool], what: str | Callable[[], str], seconds: float) -> None:
    """Wait until something is so, within a bound.

    :param what: called at the end of the bound, where more is known by then
    """
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"after {seconds:.0f} s it is still not so: {what() if callable(what) else what}")
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

    def servers(self, bay: Mapping[str, Any]) -> dict[str, str]:
        """The engine's ids of a bay's servers, by their names."""
        argv = ["ps", "-a", "--no-trunc", "--quiet", "--filter", f"label=magnum-local.stack={bay['stack_id']}"]
        ids = self.docker(*argv).split()
        if not ids:
            return {}
        names = self.docker("inspect", "--format", "{{.Config.Hostname}}", *ids).split()
        return dict(zip(names, ids, strict=True))

    def nodes(self, bay_uuid: str) -> list[dict[str, Any]]:
        """The nodes of a bay, once it has said how they are."""
        nodes: list[dict[str, Any]] = []

        def are_known() -> bool:
            listed = self.json("node-list")
            shown = [self.json("node-show", node["uuid"]) for node in listed]
            nodes[:] = [node for node in shown if node["bay_uuid"] == bay_uuid]
            return "Unknown" not in [node["status"] for node in nodes]

        eventually(are_known, f"bay {bay_uuid} says how its nodes are", _KNOWN_SECONDS)
        return nodes

    def shown(self, path: str, account: str = "magnum-local") -> Any:
        """What Magnum's API has at a path below its endpoint, as data; None where it has nothing."""
        try:
            return self._get(account, "container", path)
        except keystoneauth1.exceptions.NotFound:
            return None

    def stacks(self, bay_name: str) -> list[str]:
        """Names of the stacks Heat has for bays of this name, as the tenant sees them."""
        found = self._get("magnum-local", "orchestration", "/stacks")["stacks"]
        return [stack["stack_name"] for stack in found if stack["stack_name"].startswith(f"{bay_name}-")]

    def users(self, domain: str) -> list[str]:
        """Names of Keystone's users in a domain."""
        domains = self._get("magnum-local-admin", "identity", f"/domains?name={domain}")["domains"]
        found = self._get("magnum-local-admin", "identity", f"/users?domain_id={domains[0]['id']}")["users"]
        return [user["name"] for user in found]

    def session(self, account: str = "magnum-local") -> session.Session:
        """A session of somebody, by the name of their credentials in clouds.yaml."""
        auth = yaml.safe_load((self.state / "clouds.yaml").read_text())["clouds"][account]["auth"]
        return session.Session(auth=identity.V3Password(**auth), timeout=_ANSWER_SECONDS)

    def _get(self, account: str, service: str, path: str) -> Any:
        return self.session(account).get(path, endpoint_filter={"service_type": service, "version": None}).json()

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
