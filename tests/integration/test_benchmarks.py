"""The benchmark of the API, run as briefly as it goes: it must not rot. Its figures are for people to look at."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "api.py"
MISSED_AIM = 1
JOBS = ("list-100", "list-1000", "get", "create", "patch")


def test_api(tmp_path: Path) -> None:
    if shutil.which("memcached") is None:
        pytest.skip("memcached is not installed")
    figures = tmp_path / "figures.json"
    bounds = ["--clients", "1", "2", "--turns", "1", "--seconds", "0.5", "--requests", "10"]
    result = subprocess.run(
        [sys.executable, BENCHMARK, *bounds, "--json", figures], capture_output=True, text=True, timeout=120
    )
    assert result.returncode in (0, MISSED_AIM), result.stderr
    lines = json.loads(figures.read_text())
    assert [(line["job"], line["clients"]) for line in lines] == [(job, clients) for job in JOBS for clients in (1, 2)]
    assert all(0 < line[name]["requests"] <= 10 for line in lines for name in ("bare", "Magnum"))
    assert "Traceback" not in result.stderr
