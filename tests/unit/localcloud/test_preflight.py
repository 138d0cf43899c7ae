"""What is said before anything on the machine is changed."""

import shutil
from pathlib import Path

import pytest

from magnum.localcloud import preflight, processes
from magnum.localcloud.listeners import Listener, conflicts
from magnum.localcloud.paths import CloudPaths, Ports
from magnum.localcloud.preflight import PreflightError

_ALL_CAPABILITIES = (1 << 41) - 1
_ADDRESSES = {"Keystone": ("172.17.0.1", 5000), "MariaDB": ("127.0.0.1", 13306)}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine on which all is well."""
    monkeypatch.setenv("MAGNUM_LOCAL_STATE", str(tmp_path / "s"))
    monkeypatch.setenv("MAGNUM_LOCAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/apt-get")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1 << 40}))
    monkeypatch.setattr(preflight, "_os_release", lambda: {"ID": "debian"})
    monkeypatch.setattr(preflight, "_capabilities", lambda: _ALL_CAPABILITIES)
    monkeypatch.setattr(preflight, "_available_memory", lambda: 8 << 30)
    monkeypatch.setattr(preflight, "listeners", lambda _: [])
    monkeypatch.setattr(preflight, "_LINGER_SECONDS", 0.2)
    return monkeypatch


def _problems(*, builds: bool = True) -> str:
    with pytest.raises(PreflightError) as caught:
        preflight.check(CloudPaths.named("demo"), Ports(), _ADDRESSES, builds=builds)
    return str(caught.value)


def test_a_good_machine_has_no_problem(machine: pytest.MonkeyPatch) -> None:
    preflight.check(CloudPaths.named("demo"), Ports(), _ADDRESSES, builds=True)


def test_not_debian(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(preflight, "_os_release", lambda: {"ID": "fedora", "PRETTY_NAME": "Fedora Linux 43"})
    assert "Fedora Linux 43" in _problems()


def test_a_relative_of_debian_will_do(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(preflight, "_os_release", lambda: {"ID": "ubuntu", "ID_LIKE": "debian"})
    preflight.check(CloudPaths.named("demo"), Ports(), _ADDRESSES, builds=True)


def test_a_root_that_may_not_run_docker(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(preflight, "_capabilities", lambda: _ALL_CAPABILITIES & ~(1 << 21))
    problems = _problems()
    assert "CAP_SYS_ADMIN" in problems
    assert "--privileged" in problems


def test_memory_and_disk_are_reported_together(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(preflight, "_available_memory", lambda: 1 << 30)
    machine.setattr(shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1 << 30}))
    problems = _problems()
    assert "1.0 GiB of memory are free, 4.0 GiB are needed" in problems
    assert "export MAGNUM_LOCAL_CACHE=" in problems
    assert "export MAGNUM_LOCAL_STATE=" in problems


def test_a_port_is_taken_by_somebody_else(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(preflight, "listeners", lambda _: [Listener("0.0.0.0", 5000, 42, "flask")])  # noqa: S104
    problems = _problems()
    assert "Port 5000 of 172.17.0.1, for Keystone, is taken by process 42 (flask)" in problems
    assert "magnum-local up --name demo --port-offset 1000" in problems


def test_a_port_is_taken_by_another_local_cloud(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(preflight, "listeners", lambda _: [Listener("172.17.0.1", 5000, 42, "python")])
    machine.setattr(processes, "mark_of", lambda _: Path("/var/lib/magnum-local/other/run/keystone.pid"))
    problems = _problems()
    assert "is taken by the local cloud 'other'" in problems
    assert "magnum-local down --name other" in problems


def test_a_port_of_another_address_is_free(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(preflight, "listeners", lambda _: [Listener("127.0.0.1", 5000, 42, "flask")])
    preflight.check(CloudPaths.named("demo"), Ports(), _ADDRESSES, builds=False)


def test_a_process_that_is_just_ending_is_no_conflict(machine: pytest.MonkeyPatch) -> None:
    seen = iter([[Listener("172.17.0.1", 5000, None, "unknown")], []])
    machine.setattr(preflight, "listeners", lambda _: next(seen))
    preflight.check(CloudPaths.named("demo"), Ports(), _ADDRESSES, builds=False)
    assert list(seen) == []


def test_our_own_services_are_no_conflict(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(processes, "members", lambda _: [42])
    machine.setattr(preflight, "listeners", lambda _: [Listener("172.17.0.1", 5000, 42, "python")])
    preflight.check(CloudPaths.named("demo"), Ports(), _ADDRESSES, builds=False)


@pytest.mark.parametrize(
    ("address", "expected"),
    [("::", True), ("0.0.0.0", True), ("172.17.0.1", True), ("10.0.0.1", False)],  # noqa: S104
)
def test_conflicts(address: str, expected: bool) -> None:
    assert conflicts(Listener(address, 5000, None, "?"), "172.17.0.1") is expected
