"""A released client at work: its command line as a person types it, its library as a program calls it.

Both keep which verbs were run, so that a test can say in the end that none was left out.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.compat import environments

_SECONDS = 60
_LIBRARY_PROCESS = Path(__file__).with_name("library_process.py")


@dataclass(frozen=True)
class Said:
    """What a command printed, and how it ended."""

    text: str
    errors: str
    code: int

    @property
    def table(self) -> list[dict[str, str]]:
        """The rows of the table it printed, by column."""
        head, *rows = [_cells(line) for line in self.text.splitlines() if line.startswith("|")]
        return [dict(zip(head, row, strict=True)) for row in rows]

    @property
    def properties(self) -> dict[str, str]:
        """The one thing it printed as a table of properties and values."""
        return {row["Property"]: row["Value"] for row in self.table}

    @property
    def error(self) -> str:
        """The sentence after ``ERROR:``. On Python 3 these clients print it as bytes."""
        line = self.errors.strip().splitlines()[-1].removeprefix("ERROR: ")
        return line[2:-1] if line.startswith(("b'", 'b"')) else line


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


@dataclass
class CommandLine:
    """``magnum`` of one release, as the tenant of a cloud."""

    release: str
    clouds_yaml: Path
    run_verbs: set[str] = field(default_factory=set)

    @property
    def number(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self.release.split("."))

    def __call__(self, verb: str, *arguments: str, code: int = 0, **how: Any) -> Said:
        """Run a verb, which is to end with ``code``."""
        said = self.run(verb, *arguments, **how)
        assert said.code == code, f"magnum {verb} {' '.join(arguments)} ended with {said.code}:\n{said}"
        self.run_verbs.add(verb)
        return said

    def run(
        self,
        *argv: str,
        account: str = "magnum-local",
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        folder: Path | None = None,
    ) -> Said:
        """Run it with these arguments.

        :param account: whose credentials it has, by their name in clouds.yaml
        :param env: variables that differ from that account's
        """
        auth = account_of(self.clouds_yaml, account)
        done = subprocess.run(
            [environments.folder(self.release) / "bin" / "magnum", *argv],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            cwd=folder,
            env={**_clean_environment(), **_variables(auth), **(env or {})},
        )
        return Said(done.stdout, done.stderr, done.returncode)

    def verbs(self) -> set[str]:
        """All verbs it knows, by its own word."""
        words = self.run("bash-completion").text.split()
        return {word for word in words if not word.startswith("-")}


class LibraryError(Exception):
    """The library raised; ``kind`` is the exception's class."""

    def __init__(self, kind: str, message: str, http_status: int | None) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message
        self.http_status = http_status


class Library:
    """The Python library of one release, in a process of its own environment."""

    def __init__(self, release: str, clouds_yaml: Path) -> None:
        self.release = release
        self.called: set[tuple[str, str]] = set()
        python = environments.folder(release) / "bin" / "python"
        self._process = subprocess.Popen(
            [python, _LIBRARY_PROCESS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=_clean_environment(),
        )
        self._accounts = {name: account_of(clouds_yaml, name) for name in ("magnum-local", "magnum-local-admin")}

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=_SECONDS)

    def __call__(self, manager: str, verb: str, *arguments: Any, account: str = "magnum-local", **named: Any) -> Any:
        """What ``client.<manager>.<verb>(…)`` gives: resources as dictionaries of what the server sent.

        :raises LibraryError: it raised
        """
        self.called.add((manager, verb))
        auth = self._accounts[account]
        return self._ask(manager=manager, verb=verb, arguments=arguments, named=named, auth=auth, token=None)

    def with_token(self, token: str, url: str, manager: str, verb: str, *arguments: Any) -> Any:
        """The same, of a client that was given a token and Magnum's URL instead of a password."""
        auth = {"token": token, "url": url}
        return self._ask(manager=manager, verb=verb, arguments=arguments, named={}, auth=None, token=auth)

    def verbs(self) -> set[tuple[str, str]]:
        """All public methods of all its managers."""
        found = self._ask(auth=self._accounts["magnum-local"], manager=None, token=None)
        return {(manager, verb) for manager, verb in found}

    def _ask(self, **question: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(question), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        assert line, f"the process of python-magnumclient {self.release} ended"
        answer = json.loads(line)
        if "raised" in answer:
            raise LibraryError(**answer["raised"])
        return answer["gave"]


def account_of(clouds_yaml: Path, account: str) -> dict[str, str]:
    """Credentials by their name in clouds.yaml."""
    auth: dict[str, str] = yaml.safe_load(clouds_yaml.read_text())["clouds"][account]["auth"]
    return auth


def _variables(auth: Mapping[str, str]) -> dict[str, str]:
    """The variables that the command lines of then read: a project is a tenant to them."""
    return {
        "OS_AUTH_URL": auth["auth_url"],
        "OS_USERNAME": auth["username"],
        "OS_PASSWORD": auth["password"],
        "OS_TENANT_NAME": auth["project_name"],
        "OS_USER_DOMAIN_ID": auth["user_domain_id"],
        "OS_PROJECT_DOMAIN_ID": auth["project_domain_id"],
    }


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "PYTHON"))}
