"""The kernel's limits are raised where they are low, and put back."""

from pathlib import Path

import pytest

from magnum.localcloud import kernel_limits


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MAGNUM_LOCAL_STATE", str(tmp_path / "state"))
    folder = tmp_path / "inotify"
    folder.mkdir()
    (folder / "max_user_instances").write_text("128\n")
    (folder / "max_user_watches").write_text("1000000\n")
    return folder


def limits(folder: Path) -> dict[str, int]:
    return {path.name: int(path.read_text()) for path in folder.iterdir()}


def test_low_limits_are_raised_and_high_ones_kept(kernel: Path) -> None:
    kernel_limits.raise_limits(kernel)
    assert limits(kernel) == {"max_user_instances": 8192, "max_user_watches": 1000000}


def test_they_are_put_back_as_they_were_first(kernel: Path) -> None:
    kernel_limits.raise_limits(kernel)
    kernel_limits.raise_limits(kernel)
    kernel_limits.restore(kernel)
    assert limits(kernel) == {"max_user_instances": 128, "max_user_watches": 1000000}


def test_nothing_is_put_back_where_nothing_was_changed(kernel: Path) -> None:
    kernel_limits.restore(kernel)
    assert limits(kernel)["max_user_instances"] == 128
