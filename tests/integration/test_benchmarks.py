"""The benchmarks, run as briefly as it goes: they must not rot. Times are for people to look at, counts have to fit."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
COUNTED = {
    "bays seen in the first sweep, 2 projects": 40,
    "bays seen in the first sweep, all at once": 40,
    "calls to Heat in the next sweep, 2 projects": 2,
    "calls to Heat in the next sweep, all at once": 1,
    "of 50 requests at once, bays where 20 are free": 20,
    "refused as over quota": 30,
}
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


def test_conductor(tmp_path: Path) -> None:
    if shutil.which("memcached") is None:
        pytest.skip("memcached is not installed")
    figures = tmp_path / "figures.json"
    bounds = ["--bays", "40", "--projects", "2", "--ending", "10", "--seconds", "5", "--operations", "100"]
    command = [sys.executable, BENCHMARKS / "conductor.py", "--only", "sweep", "lag", "quota", "memory", *bounds]
    result = subprocess.run([*command, "--json", figures], capture_output=True, text=True, timeout=240)
    assert result.returncode in (0, MISSED_AIM), result.stderr
    found = {line["title"]: line["value"] for line in json.loads(figures.read_text())}
    assert {title: found[title] for title in COUNTED} == COUNTED
    assert "Traceback" not in result.stderr
