#!/usr/bin/env python3
"""What conductors bear: thousands of bays in progress, bays that hang, requests at once, operations without end.

Everything runs on loopback in a folder of its own and is gone at the end: a Keystone and bays' APIs as far as they are
asked, a Heat that plays (each call takes 50 ms), a database, and the real processes of Magnum. A run with nothing given
takes about ten minutes and ends by itself.

    python benchmarks/conductor.py                               # everything, on SQLite
    python benchmarks/conductor.py --database postgresql         # or mariadb
    python benchmarks/conductor.py --only sweep lag              # some of it, two minutes
    python benchmarks/conductor.py --json figures.json           # the figures for a program too

What is measured:

    sweep   one look of one conductor at all bays in progress: seconds, and calls to Heat, in the first sweep and in
            the next one; where Heat shows Magnum only one project at a time, and where it shows all at once
    lag     seconds from a stack's COMPLETE in Heat to the bay's in Magnum, while some bays of all those in progress
            end; how often Heat is asked then
    quota   requests for a bay, all at once and to two APIs, in a project that has places for some of them
    hang    answers to other tenants who list their pods, without and with another whose bay, or many bays, never answer
    memory  of a conductor that works through operations, each of another bay, which then goes

Each figure stands beside its bound; it exits with 1 where one is missed, and with 2 where nothing could be measured.
"""

import argparse
import json
import math
import random
import signal
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from load import BadAnswer, Result
from many_bays import NEVER, Place, Waiting, clear_ended, count_done, ended_at, place, put, put_rows, put_stacks
from many_tenants import Hanging, hang, quota
from stage import NotStarted

from magnum.clients.cloud import Cloud
from magnum.clients.heat import StackState
from magnum.conductor.polling import StackPoll
from magnum.conductor.tools import make_tools
from magnum.db import operations
from magnum.drivers.base import load_drivers

LATENCY = 0.05
SWEEP_SECONDS = 10.0
STACKS_PER_CALL = 100
LAG_SECONDS = 3.0
SETTLE_SECONDS = 20.0
END_SECONDS = 30.0
FED_AT_ONCE = 300
WARM_PART = 4
GROWTH_MIB = 10.0
MANY_HANG_MS = 1000.0


@dataclass(frozen=True)
class Figure:
    """A figure, and the most it may be; no bound where it only explains."""

    job: str
    title: str
    value: float
    unit: str
    bound: float | None = None
    least: float | None = None

    @property
    def missed(self) -> bool:
        too_much = self.bound is not None and self.value > self.bound
        return too_much or (self.least is not None and self.value < self.least)

    def __str__(self) -> str:
        sides = [f"at least {self.least:g}"] if self.least is not None else []
        sides += [f"at most {self.bound:g}"] if self.bound is not None else []
        if self.least is not None and self.least == self.bound:
            sides = [f"exactly {self.bound:g}"]
        said = f"  ({' and '.join(sides)})" if sides else ""
        return f"{self.job:7} {self.title:60} {self.value:10.2f} {self.unit:4}{said}{'  MISSED' if self.missed else ''}"


class _CountingPoll(StackPoll):
    """A poll that counts the bays of whose stacks it was told."""

    noted = 0
    _counting = threading.Lock()

    def _note(self, waiting: Sequence[operations.Waiting], seen: Mapping[str, StackState]) -> None:
        with self._counting:
            self.noted += sum(each.stack_id in seen for each in waiting)
        super()._note(waiting, seen)


def sweep(options: argparse.Namespace) -> Iterator[Figure]:
    """Look at all bays in progress."""
    for sees_all in (False, True):
        with place(options.database) as on:
            put(on, _in_progress(options), time.time())
            on.start_heat(LATENCY, admin_sees_all=sees_all)
            yield from _sweeps(on, options, sees_all=sees_all)


def _sweeps(on: Place, options: argparse.Namespace, *, sees_all: bool) -> Iterator[Figure]:
    configuration, database = on.configuration(), on.database
    poll = _CountingPoll(make_tools(configuration, database, Cloud(configuration), load_drivers()), lambda: None, "me")
    per_project = math.ceil(options.bays / options.projects)
    shown = "all at once" if sees_all else f"{options.projects} projects"
    calls = math.ceil(options.bays / STACKS_PER_CALL)
    if not sees_all:
        calls = options.projects * math.ceil(per_project / STACKS_PER_CALL)
    for number, name in enumerate(("first", "next")):
        on.order("DELETE", "/calls")
        poll.noted, begun = 0, time.monotonic()
        poll.poll()
        yield Figure("sweep", f"{name} sweep, {shown}", time.monotonic() - begun, "s", SWEEP_SECONDS)
        yield Figure("sweep", f"bays seen in the {name} sweep, {shown}", poll.noted, "", options.bays, options.bays)
        # The first one also finds out, with one call, whether Heat shows all.
        asked = sum(on.calls().values())
        yield Figure("sweep", f"calls to Heat in the {name} sweep, {shown}", asked, "", calls + (number == 0))
    poll.stop()
    database.dispose()


def lag(options: argparse.Namespace) -> Iterator[Figure]:
    """Let some of the bays in progress end."""
    with place(options.database) as on:
        bays = _in_progress(options)
        ready = time.time() + SETTLE_SECONDS + options.bays / 200
        ending = bays[: options.ending]
        for bay in ending:
            bay.complete_at = ready + random.uniform(0, options.seconds)  # noqa: S311 - not for secrets
        put(on, bays, time.time())
        on.start_heat(LATENCY, admin_sees_all=False)
        conductors = [on.start("magnum-conductor", {"DEFAULT": {"host": f"c{n}"}}) for n in range(options.conductors)]
        time.sleep(max(0.0, ready - time.time()))
        on.order("DELETE", "/calls")
        begun, busy = time.monotonic(), sum(map(_processor_seconds, conductors))
        time.sleep(options.seconds)
        calls, took = on.calls(), time.monotonic() - begun
        busy = sum(map(_processor_seconds, conductors)) - busy
        database = on.database
        _wait(lambda: count_done(database) >= len(ending), END_SECONDS)
        ends = ended_at(database)
        database.dispose()
        lags = sorted(ends[bay.uuid] - bay.complete_at for bay in ending if bay.uuid in ends)
    yield Figure("lag", f"bays of {options.bays} that ended in {options.seconds:g} s", len(lags), "", None, len(ending))
    for part in (0.5, 0.95, 0.99):
        value = lags[min(len(lags) - 1, int(len(lags) * part))] if lags else math.inf
        yield Figure(
            "lag", f"from COMPLETE to COMPLETE, p{part * 100:g}", value, "s", LAG_SECONDS if part == 0.95 else None
        )
    lists = calls.pop("list", 0)
    yield Figure("lag", "lists of stacks per second, all conductors", lists / took, "", 1.1 * options.projects)
    others = sum(calls.values()) / max(1, len(ending))
    yield Figure("lag", "other calls to Heat for each bay that ended", others, "", 2)
    yield Figure("lag", "processor time of the conductors", busy / took * 100, "%")


def memory(options: argparse.Namespace) -> Iterator[Figure]:
    """Work through many operations."""
    with place(options.database) as on:
        now = time.time()
        bays = [Waiting(f"project-{number % options.projects}", now) for number in range(options.operations)]
        put_stacks(on, bays, now)
        on.start_heat(0.0, admin_sees_all=True)
        conductor = on.start("magnum-conductor")
        begun, sizes = time.monotonic(), {}
        database = on.database
        fed = done = 0
        limit = begun + 60 + options.operations * 0.2
        while done < len(bays) and time.monotonic() < limit:
            if fed - done < FED_AT_ONCE and fed < len(bays):
                put_rows(on, bays[fed : fed + FED_AT_ONCE])
                fed = min(len(bays), fed + FED_AT_ONCE)
            time.sleep(0.5)
            done = count_done(database)
            clear_ended(database)
            sizes[done] = _resident_mib(conductor)
        database.dispose()
        took = time.monotonic() - begun
    warm = next((size for count, size in sizes.items() if count >= len(bays) // WARM_PART), 0.0)
    yield Figure("memory", "operations that ended", done, "", None, len(bays))
    yield Figure("memory", "operations per second of one conductor", done / took, "")
    yield Figure("memory", f"memory after {len(bays) // WARM_PART} operations", warm, "MiB")
    last = statistics.median(list(sizes.values())[-10:])
    yield Figure("memory", f"more of it after {done} operations", last - warm, "MiB", GROWTH_MIB)


def quotas(options: argparse.Namespace) -> Iterator[Figure]:
    """Ask for more bays at once than there is room for."""
    with place(options.database, {"quotas": {"max_bays_per_project": "30"}}) as on:
        codes = quota(on, had=10, asked=50)
    yield Figure("quota", "of 50 requests at once, bays where 20 are free", codes.get(201, 0), "", 20, 20)
    yield Figure("quota", "refused as over quota", codes.get(403, 0), "", 30, 30)


def hanging(options: argparse.Namespace) -> Iterator[Figure]:
    """List pods while bays of another tenant hang."""
    one, many = Hanging(bays=1, clients=4), Hanging(bays=20, clients=32)
    with place(options.database) as on:
        without, with_one, with_many = hang(on, options.turns, (one, many))
    base = _median(without, 0.99)
    noise = max(turn.percentile(0.99) for turn in without) - min(turn.percentile(0.99) for turn in without)
    for title, turns, bound in (
        ("without a bay that hangs", without, None),
        ("with one", with_one, 1000 * (1.25 * base + noise)),
        (f"with {many.bays}, asked by {many.clients} clients", with_many, MANY_HANG_MS),
    ):
        rate = sum(len(turn.latencies) for turn in turns) / sum(turn.seconds for turn in turns)
        yield Figure("hang", f"lists of pods per second {title}", rate, "")
        yield Figure("hang", f"p50 of a list of pods {title}", 1000 * _median(turns, 0.5), "ms")
        yield Figure("hang", f"p99 {title}", 1000 * _median(turns, 0.99), "ms", bound)


JOBS: dict[str, Callable[[argparse.Namespace], Iterator[Figure]]] = {
    "sweep": sweep,
    "lag": lag,
    "quota": quotas,
    "hang": hanging,
    "memory": memory,
}


def main() -> int:
    """Measure and print."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Told to stop."))
    print(f"{options.bays} bays of {options.projects} projects, Heat with {LATENCY * 1000:.0f} ms, {options.database}.")
    figures: list[Figure] = []
    try:
        for job in options.only:
            for figure in JOBS[job](options):
                figures.append(figure)
                print(figure, flush=True)
    except (BadAnswer, NotStarted, OSError, RuntimeError, sqlite3.Error, subprocess.SubprocessError) as error:
        print(f"The figures would say nothing: {error}", file=sys.stderr)
        return 2
    if options.json:
        document = [{**asdict(figure), "missed": figure.missed} for figure in figures]
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    return int(any(figure.missed for figure in figures))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--only", nargs="+", choices=JOBS, default=list(JOBS), metavar="JOB", help=f"any of {', '.join(JOBS)}")
    add("--database", choices=("sqlite", "postgresql", "mariadb"), default="sqlite", help="(default sqlite)")
    add("--bays", type=int, default=2000, help="in progress (default 2000, up to 10000)")
    add("--projects", type=int, default=20, help="that they belong to (default 20, up to 2000)")
    add("--ending", type=int, default=300, help="bays that end while the lag is measured (default 300)")
    add("--seconds", type=float, default=60, help="in which they do (default 60, up to 600)")
    add("--conductors", type=int, choices=range(1, 9), default=1, metavar="1-8", help="while it is (default 1)")
    add("--operations", type=int, default=10000, help="through which memory is measured (default 10000)")
    add("--turns", type=int, choices=range(1, 21), default=3, metavar="1-20", help="with one that hangs (default 3)")
    add("--json", type=Path, metavar="FILE", help="write the figures there as well")
    options = parser.parse_args()
    if not 1 <= options.projects <= 2000 or not options.projects <= options.bays <= 10000:
        parser.error("--projects goes from 1 to 2000, --bays from as many to 10000")
    if not 1 <= options.ending <= options.bays or not 1 <= options.seconds <= 600:
        parser.error("--ending goes from 1 to all bays, --seconds from 1 to 600")
    if not 100 <= options.operations <= 50000:
        parser.error("--operations goes from 100 to 50000")
    return options


def _in_progress(options: argparse.Namespace) -> list[Waiting]:
    complete_at = time.time() + NEVER
    return [Waiting(f"project-{number % options.projects}", complete_at) for number in range(options.bays)]


def _median(turns: Sequence[Result], part: float) -> float:
    return statistics.median(turn.percentile(part) for turn in turns)


def _wait(happened: Callable[[], bool], seconds: float) -> None:
    limit = time.monotonic() + seconds
    while not happened() and time.monotonic() < limit:
        time.sleep(0.2)


def _resident_mib(process: subprocess.Popen[bytes]) -> float:
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024.0
    raise NotStarted("the conductor has ended by itself")


def _processor_seconds(process: subprocess.Popen[bytes]) -> float:
    user, system = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / 100


if __name__ == "__main__":
    sys.exit(main())
