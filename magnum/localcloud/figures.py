"""What the demonstration measured, beside what was promised."""

import json
import os
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from magnum.localcloud import kubernetes_build
from magnum.localcloud.cloud import LocalCloud
from magnum.localcloud.files import read_json, write_atomically
from magnum.localcloud.paths import cache_root
from magnum.localcloud.transcript import Transcript

BEGUN = "MAGNUM_DEMO_BEGUN"
"""The variable in which `make demo` says when it began, in seconds since 1970."""

KUBERNETES_STEP = f"Kubernetes {kubernetes_build.VERSION}"
_GIB = 1 << 30
_FRESH_SECONDS = 12 * 60
_AGAIN_SECONDS = 3 * 60
_KUBERNETES_SECONDS = 6 * 60
_BAY_SECONDS = 50
_ADDED_SECONDS = 2
_CLOUD_BYTES = 1.2 * _GIB
_NODES_BYTES = 1.2 * _GIB
_LIST_SECONDS = 0.6
_LIST_RUNS = 5


@dataclass(frozen=True)
class Figure:
    """Something measured, and the most it may be."""

    title: str
    value: float
    bound: float
    unit: str

    def line(self) -> str:
        verdict = "" if self.value <= self.bound else "   more than promised"
        return (
            f"  {self.title:52} {_shown(self.value, self.unit):>10}   at most {_shown(self.bound, self.unit)}{verdict}"
        )


def remember_build(seconds: Mapping[str, float]) -> None:
    """Keep how long Kubernetes took, if it was among the steps just done: that is so once for a machine."""
    if KUBERNETES_STEP in seconds:
        _put(cache_root() / "figures.json", "kubernetes", seconds[KUBERNETES_STEP])
        _put(cache_root() / "figures.json", "made_at", time.time())


def measure(cloud: LocalCloud, shell: Transcript, bay: str) -> list[Figure]:
    """Measure what can be measured now, and recall the rest."""
    of_machine = read_json(cache_root() / "figures.json")
    figures = []
    if begun := os.environ.get(BEGUN):
        fresh = float(of_machine.get("made_at", 0)) >= float(begun)
        title = "make demo, on a fresh machine" if fresh else "make demo, run again"
        figures.append(Figure(title, time.time() - float(begun), _FRESH_SECONDS if fresh else _AGAIN_SECONDS, "s"))
    if "kubernetes" in of_machine:
        figures.append(Figure("Kubernetes built, once", of_machine["kubernetes"], _KUBERNETES_SECONDS, "s"))
    figures += _times(cloud, shell, bay)
    figures.append(Figure("memory of the local cloud", cloud.memory(), _CLOUD_BYTES, "GiB"))
    figures += _memory_of_two_nodes(cloud, shell, bay)
    figures.append(Figure("magnum bay-list, the whole process", _bay_list(shell), _LIST_SECONDS, "ms"))
    return figures


def show(figures: list[Figure]) -> None:
    print("── Figures\n")
    for figure in figures:
        print(figure.line())
    print(flush=True)


def _times(cloud: LocalCloud, shell: Transcript, bay: str) -> list[Figure]:
    uuid = shell.ask(f"magnum bay-show {bay}")["uuid"]
    times = cloud.times_of_bay(bay, uuid)
    if times is None:
        return []
    return [
        Figure("bay of 1 master + 1 node, request to complete", times.total, _BAY_SECONDS, "s"),
        Figure("of which Magnum's own, beside Heat's stack", times.added, _ADDED_SECONDS, "ms"),
    ]


def _memory_of_two_nodes(cloud: LocalCloud, shell: Transcript, bay: str) -> list[Figure]:
    """A master and one node: the promise is for such a bay, also when this one has grown."""
    nodes: list[dict[str, Any]] = shell.ask(f"magnum node-list --bay {bay}") or []
    masters = [node["name"] for node in nodes if node["role"] == "master"]
    workers = [node["name"] for node in nodes if node["role"] != "master"]
    used = cloud.memory_of_servers({*masters[:1], *workers[:1]})
    return [Figure("memory of a bay's master and one node", used, _NODES_BYTES, "GiB")] if used else []


def _bay_list(shell: Transcript) -> float:
    times = []
    for _ in range(_LIST_RUNS):
        begun = time.perf_counter()
        shell.ask("magnum bay-list")
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def _shown(value: float, unit: str) -> str:
    if unit == "GiB":
        return f"{value / _GIB:.2f} GiB"
    if unit == "ms":
        return f"{value:.2f} s"
    return f"{value:.0f} s"


def _put(path: Path, name: str, value: float) -> None:
    write_atomically(path, json.dumps({**read_json(path), name: value}) + "\n")
