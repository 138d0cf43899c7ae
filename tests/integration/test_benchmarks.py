"""The benchmarks, run as briefly as it goes: they must not rot. Times are for people to look at, counts have to fit."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
_PLACE_SECONDS = 180
"""So long the processes of a job may take to come up and to end, by the benchmarks' own bounds."""
# Each job, what it may take besides, and the figures that are no times.
CONDUCTOR_JOBS: list[tuple[str, int, dict[str, int]]] = [
    (
        "sweep",
        _PLACE_SECONDS,  # it is done in two places
        {
            "bays seen in the first sweep, 2 projects": 40,
            "bays seen in the first sweep, all at once": 40,
            "calls to Heat in the next sweep, 2 projects": 2,
            "calls to Heat in the next sweep, all at once": 1,
        },
    ),
    ("lag", 60, {}),
    ("quota", 60, {"of 50 requests at once, bays where 20 are free": 20, "refused as over quota": 30}),
    ("memory", 80, {}),
]
MISSED_AIM = 1
JOBS = ("list-100", "list-1000", "get", "create", "patch")


def test_api(tmp_path: Path) -> None:
    if shutil.which("memcached") is None:
        pytest.skip("memcached is not installed")
    figures = tmp_path / "figures.json"
    bounds = ["--clients", "1", "2", "--turns", "1", "--seconds", "0.5", "--requests", "10"]
    result = subprocess.run(
        [sys.executable, BENCHMARKS / "api.py", *bounds, "--json", figures], capture_output=True, text=True, timeout=120
    )
    assert result.returncode in (0, MISSED_AIM), result.stderr
    lines = json.loads(figures.read_text())
    assert [(line["job"], line["clients"]) for line in lines] == [(job, clients) for job in JOBS for clients in (1, 2)]
    assert all(0 < line[name]["requests"] <= 10 for line in lines for name in ("bare", "Magnum"))
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(("job", "seconds", "counted"), CONDUCTOR_JOBS, ids=[each[0] for each in CONDUCTOR_JOBS])
def test_conductor(tmp_path: Path, job: str, seconds: int, counted: dict[str, int]) -> None:
    if shutil.which("memcached") is None:
        pytest.skip("memcached is not installed")
    figures = tmp_path / "figures.json"
    bounds = ["--bays", "40", "--projects", "2", "--ending", "10", "--seconds", "5", "--operations", "100"]
    command = [sys.executable, BENCHMARKS / "conductor.py", "--only", job, *bounds, "--json", figures]
    result = subprocess.run(command, capture_output=True, text=True, timeout=_PLACE_SECONDS + seconds)
    assert result.returncode in (0, MISSED_AIM), result.stderr
    found = {line["title"]: line["value"] for line in json.loads(figures.read_text())}
    assert found
    assert found | counted == found
    assert "Traceback" not in result.stderr
