"""Limits of the kernel."""

from pathlib import Path

import pytest

from magnum.localcloud import kernel_limits
from magnum.localcloud.processes import ServiceError

_INSTANCES = "fs/inotify/max_user_instances"
_WATCHES = "fs/inotify/max_user_watches"


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    settings = tmp_path / "sys"
    (settings / "fs" / "inotify").mkdir(parents=True)
    (settings / _INSTANCES).write_text("128\n")
    (settings / _WATCHES).write_text("1000000\n")
    monkeypatch.setattr(kernel_limits, "_SETTINGS", settings)
    monkeypatch.setenv("MAGNUM_LOCAL_STATE", str(tmp_path / "s"))
    return settings


def test_only_what_is_too_low_is_raised_and_put_back(kernel: Path) -> None:
    assert kernel_limits.raise_limits() == ["fs.inotify.max_user_instances"]
    assert (kernel / _INSTANCES).read_text() == "8192\n"
    assert kernel_limits.raise_limits() == []
    kernel_limits.put_back()
    assert (kernel / _INSTANCES).read_text() == "128\n"
    assert (kernel / _WATCHES).read_text() == "1000000\n"


def test_the_machine_s_own_value_is_remembered_over_a_restart(kernel: Path) -> None:
    kernel_limits.raise_limits()
    (kernel / _INSTANCES).write_text("256\n")
    kernel_limits.raise_limits()
    kernel_limits.put_back()
    assert (kernel / _INSTANCES).read_text() == "128\n"


def test_what_somebody_changed_since_is_left(kernel: Path) -> None:
    kernel_limits.raise_limits()
    (kernel / _INSTANCES).write_text("10000\n")
    kernel_limits.put_back()
    assert (kernel / _INSTANCES).read_text() == "10000\n"


def test_nothing_raised_is_nothing_to_put_back(kernel: Path) -> None:
    kernel_limits.put_back()
    assert (kernel / _INSTANCES).read_text() == "128\n"


def test_a_kernel_that_cannot_be_told_says_where_it_can(kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(30, "Read-only file system")

    monkeypatch.setattr(kernel_limits, "write_atomically", lambda *_: None)
    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(ServiceError, match=r"sysctl -w fs\.inotify\.max_user_instances=8192"):
        kernel_limits.raise_limits()
