"""Plain processes as services: started once, found again, ended for certain.

There may be no init system to lean on (containers, sandboxes), so a service here is a process in a session of its own
with a log and a pid file. Five things make that dependable:

* A pid alone proves nothing, as the kernel uses pids again. The pid file therefore records when the process started and
  during which boot; a process that does not match is not ours, and is never signalled.
* Children may outlive the process of the pid file. Each service therefore carries the path of its pid file in its
  environment, which children inherit and the kernel shows, so that none is missed and none is mistaken.
* The pid file also records a fingerprint of what was started (command, environment, configuration, sources). ``ensure``
  leaves a service with the same fingerprint alone and replaces one with another, which is what makes `up` idempotent.
* A process has ended with its last thread. The first may be gone before, and then shows neither state nor environment,
  while the others still have its sockets and files.
* Every wait has a bound, and a wait for a process that has died ends at once with the end of its log.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from magnum.localcloud.files import digest_of_text, write_private

_POLL_SECONDS = 0.1
_LOG_TAIL_LINES = 25
_LOG_BYTES = 50 << 20
_MARK = "MAGNUM_LOCAL_PROCESS"
_MARK_SECONDS = 5.0


class ServiceError(Exception):
    """A service of the local cloud did not do what it must; the message says which one and where to look."""


@dataclass(frozen=True)
class Service:
    """A process to be kept: what to run, and how to know that it serves."""

    name: str
    argv: tuple[str, ...]
    log: Path
    pid_file: Path
    healthy: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    fingerprint: str = ""
    """What, besides command and environment, makes a running process out of date when it changes."""
    start_seconds: float = 60.0
    stop_seconds: float = 15.0

    def identity(self) -> str:
        return digest_of_text(*self.argv, json.dumps(dict(self.environment), sort_keys=True), self.fingerprint)


@dataclass(frozen=True)
class RunningProcess:
    """A process of ours that is alive."""

    pid: int
    fingerprint: str


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def start_time_of(pid: int) -> int | None:
    """When a live process started, in clock ticks since boot; None when it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name is in parentheses and may hold anything, so fields count from the last one.
    state, *rest = stat.rpartition(")")[2].split()
    return None if state in "ZX" and not _other_threads(pid) else int(rest[18])


def running(pid_file: Path) -> RunningProcess | None:
    """The process a pid file speaks of, if it is alive and the very one that was started."""
    try:
        record = json.loads(pid_file.read_text(encoding="utf-8"))
        pid, started, boot = int(record["pid"]), int(record["started"]), str(record["boot"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        return None  # not written by us: nothing we may signal
    if boot != boot_id() or start_time_of(pid) != started:
        return None
    return RunningProcess(pid=pid, fingerprint=str(record.get("fingerprint", "")))


def ensure(service: Service) -> bool:
    """Have the service running, as described, and healthy. True if it had to be started (again)."""
    found = running(service.pid_file)
    if found is not None and found.fingerprint == service.identity() and _answers(service):
        return False
    stop(service.pid_file, service.stop_seconds)  # also what an interrupted start left behind
    process = _start(service)
    _wait_until_healthy(service, process)
    return True


def stop(pid_file: Path, seconds: float = 15.0) -> bool:
    """End the process of a pid file and its children: SIGTERM, then, after ``seconds``, SIGKILL.

    True if there was one to end.
    """
    found = running(pid_file)
    if found is not None:
        _signal(found.pid, signal.SIGTERM)
        _wait_until(lambda: running(pid_file) is None, seconds)
    remaining = members(pid_file)
    for pid in remaining:
        _signal(pid, signal.SIGKILL)
    if not _wait_until(lambda: not members(pid_file), 10.0):
        raise ServiceError(f"processes {members(pid_file)} of {pid_file.stem} do not end, not even on SIGKILL")
    pid_file.unlink(missing_ok=True)
    return found is not None or bool(remaining)


def members(mark: Path) -> list[int]:
    """The live processes of one service, or, given the folder of pid files, of a whole cloud."""
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    marks = ((pid, mark_of(pid)) for pid in pids)
    found = [pid for pid, own in marks if own is not None and (own == mark or mark in own.parents)]
    return [pid for pid in found if start_time_of(pid) is not None]


def mark_of(pid: int) -> Path | None:
    """The pid file of the service that a process belongs to; None for a process of anybody else."""
    variables = _environment_of(pid).split(b"\0")
    start = f"{_MARK}=".encode()
    return next((Path(os.fsdecode(item.removeprefix(start))) for item in variables if item.startswith(start)), None)


def _environment_of(pid: int) -> bytes:
    """As its first thread that still has it; empty where none has, or where it is not ours to see."""
    for folder in (Path(f"/proc/{pid}"), *(Path(f"/proc/{pid}/task/{thread}") for thread in _other_threads(pid))):
        try:
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue
        if environment:
            return environment
    return b""


def _other_threads(pid: int) -> list[int]:
    """Those beside the first, whose number the process has."""
    try:
        threads = [int(entry.name) for entry in Path(f"/proc/{pid}/task").iterdir()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [thread for thread in threads if thread != pid]


def tail(log: Path, lines: int = _LOG_TAIL_LINES) -> str:
    """The last lines of a log."""
    try:
        content = log.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return "(no log)"
    return "\n".join(content.splitlines()[-lines:])


def _answers(service: Service) -> bool:
    """Whether a running service is healthy, with some patience for a busy machine."""
    for _ in range(3):
        if service.healthy():
            return True
        time.sleep(1.0)
    return False


def _start(service: Service) -> subprocess.Popen[bytes]:
    service.log.parent.mkdir(parents=True, exist_ok=True)
    if service.log.exists() and service.log.stat().st_size > _LOG_BYTES:
        service.log.replace(service.log.with_suffix(".log.old"))
    with service.log.open("ab") as log:
        process = subprocess.Popen(
            service.argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd="/",
            # SPT_NOENV: or setproctitle, which servers like gunicorn use, writes its titles over the mark.
            env={**_plain_environment(), **service.environment, _MARK: str(service.pid_file), "SPT_NOENV": "1"},
            start_new_session=True,
        )
    # The kernel shows a process a moment before its environment.
    _wait_until(lambda: process.poll() is not None or mark_of(process.pid) == service.pid_file, _MARK_SECONDS)
    record = {
        "pid": process.pid,
        "started": start_time_of(process.pid),
        "boot": boot_id(),
        "fingerprint": service.identity(),
    }
    if record["started"] is not None:
        write_private(service.pid_file, json.dumps(record) + "\n")
    return process


def _plain_environment() -> dict[str, str]:
    """What every service gets of the caller's environment: enough to run, nothing that steers it (OS_*, PYTHON*)."""
    kept = ("PATH", "LANG", "TZ", "HOME")
    return {name: os.environ[name] for name in kept if name in os.environ}


def _wait_until_healthy(service: Service, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + service.start_seconds
    while not (service.healthy() and process.poll() is None):  # another may answer in its place
        if process.poll() is not None:
            raise ServiceError(
                f"{service.name} ended with status {process.returncode} while starting; the end of {service.log}:\n"
                f"{tail(service.log)}"
            )
        if time.monotonic() > deadline:
            stop(service.pid_file, service.stop_seconds)
            raise ServiceError(
                f"{service.name} did not answer within {service.start_seconds:.0f} s; the end of {service.log}:\n"
                f"{tail(service.log)}"
            )
        time.sleep(_POLL_SECONDS)


def _wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
