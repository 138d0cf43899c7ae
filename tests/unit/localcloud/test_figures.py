"""What the demonstration measures."""

import sqlite3
import time
from pathlib import Path

import pytest

from magnum.localcloud import bay_times, figures, memory
from magnum.localcloud.figures import Figure

_EVENTS = [
    ("create", "2026-01-01 10:00:00.500000", None),
    ("create", "2026-01-01 10:00:00.700000", "trustee"),
    ("create", "2026-01-01 10:00:00.800000", "certificates"),
    ("create", "2026-01-01 10:00:01.400000", "stack"),
    ("create", "2026-01-01 10:00:31.000000", "wait_stack"),
    ("create", "2026-01-01 10:00:31.300000", None),
    ("update", "2026-01-01 10:05:00.000000", None),
]
_HEAT_LOG = """\
2026-01-01 10:00:20.000 7 INFO heat.engine.stack [-] Stack CREATE COMPLETE (k8s-0123456789ab-nodes-x): ok
2026-01-01 10:00:30.300 7 INFO heat.engine.stack [-] Stack CREATE COMPLETE (k8s-0123456789ab): ok
2026-01-01 10:06:00.000 7 INFO heat.engine.stack [-] Stack CREATE COMPLETE (other-0123456789ab): ok
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "magnum.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE bay_events (id INTEGER PRIMARY KEY, bay_uuid TEXT, verb TEXT, created_at TEXT, step TEXT)"
        )
        connection.executemany(
            "INSERT INTO bay_events (bay_uuid, verb, created_at, step) VALUES ('u', ?, ?, ?)", _EVENTS
        )
    return path


@pytest.fixture
def heat_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    path = tmp_path / "heat.log"
    path.write_text(_HEAT_LOG)
    return path


def test_the_time_of_a_bay_and_magnum_s_own_part(database: Path, heat_log: Path) -> None:
    times = bay_times.of_bay(f"sqlite:///{database}", heat_log, "u", "k8s-0123456789ab")
    assert times is not None
    assert times.total == pytest.approx(30.8)
    assert times.added == pytest.approx(1.3)


def test_what_is_no_longer_told_is_not_made_up(database: Path, heat_log: Path) -> None:
    assert bay_times.of_bay(f"sqlite:///{database}", heat_log, "unknown", "k8s-0123456789ab") is None
    assert bay_times.of_bay(f"sqlite:///{database}", heat_log, "u", "k8s-ffffffffffff") is None


def test_a_figure_over_its_bound_says_so() -> None:
    assert Figure("a bay", 51.0, 50.0, "s").line().endswith("51 s   at most 50 s   more than promised")
    assert Figure("a bay", 49.0, 50.0, "s").line().endswith("49 s   at most 50 s")
    assert "0.50 GiB   at most 1.00 GiB" in Figure("memory", float(1 << 29), float(1 << 30), "GiB").line()


def test_the_build_of_kubernetes_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAGNUM_LOCAL_CACHE", str(tmp_path))
    figures.remember_build({"Keystone": 2.0})
    assert not (tmp_path / "figures.json").exists()
    figures.remember_build({figures.KUBERNETES_STEP: 200.0})
    assert '"kubernetes": 200.0' in (tmp_path / "figures.json").read_text()


def test_memory_of_processes_that_are_gone_is_none() -> None:
    assert memory.of_processes([1 << 22]) == 0
