"""Debian packages: which are missing, and installing those without starting what they bring.

Packages of servers start them on installation where the machine has an init system. The local cloud runs servers of its
own, so for the time of the installation Debian's policy hook says no, unless the machine already has such a hook.
"""

import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from magnum.localcloud.processes import ServiceError

_INSTALL_SECONDS = 1200
_APT_GET = ("apt-get", "--quiet", "-o", "DPkg::Lock::Timeout=300")
_POLICY = Path("/usr/sbin/policy-rc.d")
_POLICY_TEXT = "#!/bin/sh\n# Made by magnum-local for the time of an installation; safe to remove.\nexit 101\n"


def missing(names: Iterable[str]) -> list[str]:
    """Those of ``names`` that are not installed, sorted."""
    wanted = sorted(set(names))
    result = subprocess.run(
        ["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Abbrev}\n", *wanted],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,  # status 1 says that some are unknown, which is an answer
    )
    states = (line.split() for line in result.stdout.splitlines())
    installed = {state[0] for state in states if len(state) == 2 and state[1] == "ii"}
    return [name for name in wanted if name not in installed]


def install(names: Sequence[str]) -> None:
    """Install packages, with a fresh list of what there is; where there are none to install nothing is asked of apt."""
    if not names:
        return
    with _servers_stay_down():
        _run("dpkg", "--configure", "-a")  # what an interruption of somebody else's installation left undone
        _run(*_APT_GET, "update")
        _run(*_APT_GET, "install", "--yes", "--no-install-recommends", *names)


def _run(*argv: str) -> None:
    """Run to the end. In a session of its own: a Ctrl-C in the midst of dpkg's work would leave packages half made."""
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=_INSTALL_SECONDS)
    except KeyboardInterrupt:
        process.communicate(timeout=_INSTALL_SECONDS)
        raise
    if process.returncode != 0:
        raise ServiceError(f"`{' '.join(argv)}` failed:\n{output.strip()[-1500:]}")


@contextmanager
def _servers_stay_down() -> Iterator[None]:
    ours = not _POLICY.exists() or _POLICY.read_text(encoding="utf-8", errors="replace") == _POLICY_TEXT
    if ours:
        _POLICY.write_text(_POLICY_TEXT, encoding="utf-8")
        _POLICY.chmod(0o755)
    try:
        yield
    finally:
        if ours:
            _POLICY.unlink(missing_ok=True)
