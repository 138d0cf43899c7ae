"""Services as plain processes."""

import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from magnum.localcloud import processes
from magnum.localcloud.processes import Service, ServiceError

_EXIT_OF_A_THREAD = {"x86_64": 60, "aarch64": 93}[platform.machine()]


class Sandbox:
    """A folder with services in it, all of which are ended with the test."""

    def __init__(self, folder: Path) -> None:
        self.run = folder / "run"
        self.logs = folder / "logs"

    def service(self, script: str = "import time; time.sleep(60)", name: str = "sleeper", **options: object) -> Service:
        values: dict[str, object] = {"healthy": lambda: True, "start_seconds": 5.0, "stop_seconds": 5.0, **options}
        return Service(
            name=name,
            argv=(sys.executable, "-c", script),
            log=self.logs / f"{name}.log",
            pid_file=self.run / f"{name}.pid",
            **values,  # type: ignore[arg-type]
        )

    def pid(self, service: Service) -> int:
        found = processes.running(service.pid_file)
        assert found is not None
        return found.pid


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    box = Sandbox(tmp_path)
    yield box
    for pid in processes.members(box.run):
        os.kill(pid, signal.SIGKILL)


def test_what_runs_as_wanted_is_left_alone(sandbox: Sandbox) -> None:
    service = sandbox.service()
    assert processes.ensure(service) is True
    first = sandbox.pid(service)
    assert processes.ensure(service) is False
    assert sandbox.pid(service) == first


def test_what_changed_is_started_again(sandbox: Sandbox) -> None:
    old = sandbox.service(fingerprint="old")
    processes.ensure(old)
    first = sandbox.pid(old)
    assert processes.ensure(sandbox.service(fingerprint="new")) is True
    assert sandbox.pid(old) != first
    assert processes.start_time_of(first) is None


def test_a_process_runs_until_its_last_thread_has_ended(sandbox: Sandbox) -> None:
    service = sandbox.service(
        "import ctypes, threading, time; threading.Thread(target=time.sleep, args=(60,)).start();"
        f"ctypes.CDLL(None).syscall({_EXIT_OF_A_THREAD}, 0)"
    )
    processes.ensure(service)
    pid = sandbox.pid(service)
    deadline = time.monotonic() + 5
    while " Z " not in Path(f"/proc/{pid}/stat").read_text():
        assert time.monotonic() < deadline, "the first thread does not end"
        time.sleep(0.01)
    assert processes.members(sandbox.run) == [pid]
    assert processes.stop(service.pid_file)
    assert processes.start_time_of(pid) is None
    assert processes.members(sandbox.run) == []


def test_who_answers_in_place_of_a_service_that_has_ended_is_not_that_service(sandbox: Sandbox) -> None:
    pid_file = sandbox.service().pid_file

    def answers() -> bool:
        if pid_file.exists():  # not where it has ended before that was written
            os.waitid(os.P_PID, json.loads(pid_file.read_text())["pid"], os.WEXITED | os.WNOWAIT)
        return True

    with pytest.raises(ServiceError, match="ended with status 3 while starting"):
        processes.ensure(sandbox.service("raise SystemExit(3)", healthy=answers))


def test_a_pid_used_again_by_another_process_is_never_touched(sandbox: Sandbox) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as stranger:
        try:
            sandbox.run.mkdir(parents=True)
            record = {"pid": stranger.pid, "started": 1, "boot": processes.boot_id(), "fingerprint": ""}
            pid_file = sandbox.run / "sleeper.pid"
            pid_file.write_text(json.dumps(record))
            assert processes.running(pid_file) is None
            assert processes.stop(pid_file) is False
            assert stranger.poll() is None
            assert not pid_file.exists()
        finally:
            stranger.kill()


@pytest.mark.parametrize("content", ["", "12", "{}", '{"pid": "x", "started": 1, "boot": ""}'])
def test_a_pid_file_of_unknown_origin_means_nothing(sandbox: Sandbox, content: str) -> None:
    sandbox.run.mkdir(parents=True)
    (sandbox.run / "odd.pid").write_text(content)
    assert processes.running(sandbox.run / "odd.pid") is None


def test_who_ignores_a_polite_end_is_killed(sandbox: Sandbox) -> None:
    script = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    )
    service = sandbox.service(script)
    log = service.log
    service = sandbox.service(script, healthy=lambda: log.exists() and "up" in log.read_text())
    processes.ensure(service)
    assert processes.stop(service.pid_file, seconds=0.3) is True
    assert processes.members(service.pid_file) == []


def test_children_that_outlive_their_parent_are_ended_too(sandbox: Sandbox) -> None:
    script = (
        "import subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True)\n"
        "print('up', flush=True); time.sleep(60)"
    )
    log = sandbox.logs / "sleeper.log"
    service = sandbox.service(script, healthy=lambda: log.exists() and "up" in log.read_text())
    processes.ensure(service)
    assert len(processes.members(service.pid_file)) == 2
    os.kill(sandbox.pid(service), signal.SIGKILL)
    _until(lambda: processes.running(service.pid_file) is None)
    assert processes.stop(service.pid_file) is True
    assert processes.members(service.pid_file) == []


def test_members_of_a_folder_are_those_of_all_its_services(sandbox: Sandbox) -> None:
    for name in ("one", "two"):
        processes.ensure(sandbox.service(name=name))
    assert len(processes.members(sandbox.run)) == 2
    assert len(processes.members(sandbox.run / "one.pid")) == 1


def test_a_process_whose_environment_shows_late_is_known_all_the_same(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[int] = set()

    def late(pid: int) -> Path | None:
        mark = mark_of(pid)
        if mark is None or pid in seen:
            return mark
        seen.add(pid)
        return None

    mark_of = processes.mark_of
    monkeypatch.setattr(processes, "mark_of", late)
    service = sandbox.service()
    processes.ensure(service)
    assert processes.members(service.pid_file) == [sandbox.pid(service)]


def test_a_service_that_dies_while_starting_says_so_with_its_log(sandbox: Sandbox) -> None:
    service = sandbox.service("print('no such table', flush=True); raise SystemExit(3)", healthy=lambda: False)
    with pytest.raises(ServiceError, match=r"sleeper ended with status 3(.|\n)*no such table"):
        processes.ensure(service)


def test_a_service_that_never_answers_is_ended(sandbox: Sandbox) -> None:
    service = sandbox.service(healthy=lambda: False, start_seconds=0.3)
    with pytest.raises(ServiceError, match="did not answer within"):
        processes.ensure(service)
    assert processes.members(service.pid_file) == []


def test_the_caller_s_credentials_do_not_reach_a_service(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_PASSWORD", "secret")
    log = sandbox.logs / "sleeper.log"
    script = "import os, time; print('seen:', os.environ.get('OS_PASSWORD'), flush=True); time.sleep(60)"
    processes.ensure(sandbox.service(script, healthy=lambda: log.exists() and "seen" in log.read_text()))
    assert log.read_text() == "seen: None\n"


def _until(condition: object) -> None:
    deadline = time.monotonic() + 5
    assert callable(condition)
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
