#!/usr/bin/env python3
"""How long one call of the command line takes, the whole process with its Keystone token.

Run it with the credentials of a cloud in the environment (openrc, or OS_CLOUD):

    python benchmarks/cli.py                       # magnum bay-list
    python benchmarks/cli.py --runs 50 pod-list    # any other verb that changes nothing
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time

BUDGET_SECONDS = 0.6


def measure(command: list[str], runs: int) -> list[float]:
    """Seconds of each run.

    :raises subprocess.CalledProcessError: a run failed, so its time says nothing
    """
    times = []
    for _ in range(runs):
        begun = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=120)
        times.append(time.perf_counter() - begun)
    return times


def _cpu_seconds() -> float:
    """What the processes run so far took of the processor, however busy the machine was."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> int:
    """Measure and print; 1 where the median is over the budget or a run failed."""
    parser = argparse.ArgumentParser(description="Time whole calls of the magnum command.")
    parser.add_argument("--runs", type=int, default=20, metavar="N", help="how often to run it (default 20)")
    parser.add_argument("words", nargs="*", metavar="WORD", help="what to type after `magnum` (default: bay-list)")
    options, more = parser.parse_known_args()
    words = [*options.words, *more] or ["bay-list"]
    command = [sys.executable, "-m", "magnum.cli.shell", *words]
    try:
        measure(command, 1)  # warms the file cache and writes the byte code
        before = _cpu_seconds()
        times = measure(command, options.runs)
        cpu = (_cpu_seconds() - before) / options.runs
    except subprocess.CalledProcessError as error:
        print(f"`magnum {' '.join(words)}` failed with exit code {error.returncode}; nothing was measured.")
        return 1
    median = statistics.median(times)
    print(
        f"magnum {' '.join(words)}: {len(times)} runs, min {min(times):.3f} s, median {median:.3f} s, "
        f"of the processor {cpu:.3f} s each"
    )
    return int(median > BUDGET_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
