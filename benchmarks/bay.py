"""How long a bay takes, how much of that is Magnum's own, and what its nodes need.

Runs on a local cloud that is up, with its openrc in the environment: makes a baymodel and, one after another, a few
bays of one master and one node, and deletes all of it. It stops by itself; it exits with 1 where a bound is passed.

    . /var/lib/magnum-local/demo/openrc
    python benchmarks/bay.py --bays 3
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from magnum.localcloud.cloud import LocalCloud
from magnum.localcloud.paths import CloudPaths
from magnum.localcloud.settings import stored

MAGNUM = Path(sys.executable).parent / "magnum"
BAYMODEL = "benchmark"
BOUNDS = {"request to CREATE_COMPLETE": (50, "s"), "added by Magnum": (2, "s"), "memory of both nodes": (1229, "MiB")}


def magnum(*arguments: str) -> str:
    return subprocess.run([MAGNUM, *arguments], check=True, capture_output=True, text=True, timeout=600).stdout


def show(*arguments: str) -> Any:
    return json.loads(magnum(*arguments, "-f", "json"))


def measure(cloud: LocalCloud, name: str) -> tuple[float, float, float]:
    """Build a bay, and delete it; give the three figures."""
    magnum("bay-create", "--name", name, "--baymodel", BAYMODEL, "--wait")
    uuid = show("bay-show", name)["uuid"]
    times = cloud.times_of_bay(name, uuid)
    if times is None:
        raise SystemExit("The services' logs no longer tell how long the bay took.")
    servers = {node["name"] for node in show("node-list", "--bay", name)}
    memory = cloud.memory_of_servers(servers) / (1 << 20)
    magnum("bay-delete", name, "--wait")
    return times.total, times.added, memory


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bays", type=int, default=3, choices=range(1, 11), metavar="1-10")
    parser.add_argument("--name", default="demo", help="the local cloud's name")
    options = parser.parse_args()
    paths = CloudPaths.named(options.name)
    settings = stored(paths)
    if settings is None:
        parser.error(f"there is no cloud {options.name!r}; first: magnum-local up")
    magnum(
        "baymodel-create",
        "--name",
        BAYMODEL,
        "--coe",
        "kubernetes",
        "--image-id",
        "debian-kubernetes",
        "--flavor-id",
        "small",
    )
    runs = []
    for number in range(options.bays):
        runs.append(measure(LocalCloud(paths, settings), f"benchmark-{number}"))
        print(f"bay {number}: {runs[-1][0]:.1f} s, Magnum's own {runs[-1][1]:.2f} s, {runs[-1][2]:.0f} MiB", flush=True)
    magnum("baymodel-delete", BAYMODEL)
    medians = [statistics.median(values) for values in zip(*runs, strict=True)]
    for (title, (bound, unit)), value in zip(BOUNDS.items(), medians, strict=True):
        print(f"{title:28} {value:8.2f} {unit}  (at most {bound})")
    return int(any(value > bound for value, (bound, _) in zip(medians, BOUNDS.values(), strict=True)))


if __name__ == "__main__":
    sys.exit(main())
