#!/usr/bin/env python3
"""How fast the API is, beside a bare WSGI application that does the same SELECT and json.dumps.

Both run on the same HTTP server, with as many processes and threads, on the same SQLite file, and take turns, so that
whatever else this machine does touches both: look at the ratio. Tokens are cached in a memcached, as in a cloud. All
that is needed is started on loopback in a folder of its own, and gone at the end. A run with nothing given takes about
three minutes.

    python benchmarks/api.py                               # everything
    python benchmarks/api.py --only list-100 --clients 1   # one line
    python benchmarks/api.py --json figures.json           # the figures for a program too

How to read a line: `req/s`, `p50` and `p99` (milliseconds) of the bare application and of Magnum; `ratio` is Magnum's
requests per second by the bare application's, the median of the turns; `own` is what Magnum adds to the median
request. It exits with 1 where an aim is missed: a list of 100 bays at least half as fast as the bare application, and
at most 5 ms of Magnum's own for one client's get and create. It exits with 2 where nothing could be measured.
"""

import argparse
import itertools
import json
import signal
import statistics
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from load import BadAnswer, Result, drive
from stage import BARE, HOST, MAGNUM, NotStarted, Stage, stage

ROWS = {"project-of-100": 100, "project-of-1000": 1000, "project-that-creates": 0, "project-that-patches": 0}
FEW, MANY, CREATES, PATCHES = ROWS
LEAST_RATIO = 0.5
MOST_OWN_MS = 5.0
ANSWER_SECONDS = 30


@dataclass(frozen=True)
class Job:
    """What is asked for again and again."""

    title: str
    make: Callable[[Stage], Iterator[tuple[str, str, str, Any]]]
    """Gives method, path, token and document of each request."""


JOBS = {
    "list-100": Job("list 100 bays", lambda _: itertools.repeat(("GET", "/v1/bays", FEW, None))),
    "list-1000": Job("list 1000 bays", lambda _: itertools.repeat(("GET", "/v1/bays", MANY, None))),
    "get": Job("get a bay", lambda on: itertools.repeat(("GET", f"/v1/bays/{on.objects.bay}", FEW, None))),
    "create": Job("create a bay", lambda on: _creations(on.objects.baymodels[CREATES][0])),
    "patch": Job("patch a baymodel", lambda on: _changes(on.objects.baymodels[PATCHES])),
}


@dataclass
class Line:
    """One job with a number of clients."""

    job: str
    clients: int
    results: dict[str, Result] = field(default_factory=lambda: {BARE: Result(), MAGNUM: Result()})
    ratios: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    @property
    def own_ms(self) -> float:
        return (self.results[MAGNUM].percentile(0.5) - self.results[BARE].percentile(0.5)) * 1000

    @property
    def aim_missed(self) -> str:
        if self.job == "list-100" and self.ratio < LEAST_RATIO:
            return f"less than {LEAST_RATIO} of the bare application"
        if self.job in ("get", "create") and self.clients == 1 and self.own_ms > MOST_OWN_MS:
            return f"more than {MOST_OWN_MS:.0f} ms of our own"
        return ""

    def figures(self) -> dict[str, Any]:
        servers = {
            name: {
                "requests": len(result.latencies),
                "requests_per_second": round(result.rate, 1),
                "p50_ms": round(result.percentile(0.5) * 1000, 3),
                "p99_ms": round(result.percentile(0.99) * 1000, 3),
                "client_busy": round(result.client_seconds / result.seconds, 2),
            }
            for name, result in self.results.items()
        }
        about = {"job": self.job, "clients": self.clients}
        return {**about, **servers, "ratio": round(self.ratio, 3), "own_ms": round(self.own_ms, 3)}

    def __str__(self) -> str:
        cells = [f"{JOBS[self.job].title:17}{self.clients:3}"]
        for name in (BARE, MAGNUM):
            result = self.results[name]
            p50, p99 = (result.percentile(part) * 1000 for part in (0.5, 0.99))
            cells.append(f"{result.rate:8.0f}{p50:7.1f}{p99:7.1f}")
        cells.append(f"{self.ratio:6.2f}{self.own_ms:+7.1f}")
        return " ".join(cells) + (f"\n    AIM MISSED: {self.aim_missed}" if self.aim_missed else "")


HEAD = (
    f"{'':20} {'bare application':>22} {'Magnum':>22}\n"
    f"{'':9}{'clients':>11} {'req/s':>8}{'p50':>7}{'p99':>7} {'req/s':>8}{'p50':>7}{'p99':>7} {'ratio':>6}{'own':>7}"
)


def main() -> int:
    """Measure and print."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Told to stop."))
    try:
        with stage(ROWS, options.workers, options.threads) as on:
            _same_answers(on)
            processes = "1 process" if options.workers == 1 else f"{options.workers} processes"
            print(f"Each server: {processes} of {options.threads} threads. Times in ms.\n{HEAD}", flush=True)
            lines = []
            for job in options.only:
                for clients in options.clients:
                    lines.append(_measure(on, job, clients, options))
                    print(lines[-1], flush=True)
    except (BadAnswer, NotStarted, OSError) as error:
        print(f"The figures would say nothing: {error}", file=sys.stderr)
        return 2
    if options.json:
        options.json.write_text(json.dumps([line.figures() for line in lines], indent=1) + "\n")
    return int(any(line.aim_missed for line in lines))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--only", nargs="+", choices=JOBS, default=list(JOBS), metavar="JOB", help=f"any of {', '.join(JOBS)}")
    add("--clients", nargs="+", type=int, choices=range(1, 65), default=[1, 4, 16], metavar="1-64", help="at once")
    add("--turns", type=int, choices=range(1, 101), default=5, metavar="1-100", help="of each server (default 5)")
    add("--seconds", type=float, default=0.8, help="of one turn at most (default 0.8, up to 10)")
    add("--requests", type=int, default=2000, help="in one turn at most (default 2000, up to 100000)")
    add("--workers", type=int, choices=range(1, 17), default=1, metavar="1-16", help="processes (default 1)")
    add("--threads", type=int, choices=range(1, 65), default=16, metavar="1-64", help="of each process (default 16)")
    add("--json", type=Path, metavar="FILE", help="write the figures there as well")
    options = parser.parse_args()
    if not 0 < options.seconds <= 10 or not 0 < options.requests <= 100_000:
        parser.error("--seconds goes up to 10, --requests up to 100000")
    return options


def _measure(on: Stage, job: str, clients: int, options: argparse.Namespace) -> Line:
    line = Line(job, clients)
    asked = {name: _requests(JOBS[job].make(on), on.ports[name]) for name in (BARE, MAGNUM)}
    for name in (BARE, MAGNUM):  # first connections, byte code, the token's way into the cache
        drive((HOST, on.ports[name]), asked[name], clients, min(2 * clients + 8, options.requests), options.seconds)
    for turn in range(options.turns):
        rates = {}
        for name in (BARE, MAGNUM) if turn % 2 else (MAGNUM, BARE):
            result = drive((HOST, on.ports[name]), asked[name], clients, options.requests, options.seconds)
            line.results[name].add(result)
            rates[name] = result.rate
        line.ratios.append(rates[MAGNUM] / rates[BARE])
    return line


def _requests(wanted: Iterator[tuple[str, str, str, Any]], port: int) -> Iterator[bytes]:
    for method, path, token, document in wanted:
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nAccept: application/json\r\nX-Auth-Token: {token}\r\n"
        )
        body = b""
        if document is not None:
            body = json.dumps(document).encode()
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        yield head.encode() + b"\r\n" + body


def _creations(baymodel: str) -> Iterator[tuple[str, str, str, Any]]:
    for number in itertools.count():
        yield "POST", "/v1/bays", CREATES, {"name": f"bay-{number}", "baymodel_id": baymodel}


def _changes(baymodels: list[str]) -> Iterator[tuple[str, str, str, Any]]:
    for number, baymodel in enumerate(itertools.cycle(baymodels)):
        document = [{"op": "replace", "path": "/name", "value": f"patched-{number}"}]
        yield "PATCH", f"/v1/baymodels/{baymodel}", PATCHES, document


def _same_answers(on: Stage) -> None:
    """See that both show the same, or it were no comparison.

    :raises BadAnswer: they do not
    """
    for job in ("list-100", "list-1000", "get"):
        _, path, token, _ = next(JOBS[job].make(on))
        bodies = [_fetch(port, path, token) for port in on.ports.values()]
        if bodies[0] != bodies[1]:
            raise BadAnswer(f"the bare application answers GET {path} otherwise than Magnum does.")


def _fetch(port: int, path: str, token: str) -> Any:
    request = urllib.request.Request(f"http://{HOST}:{port}{path}", headers={"X-Auth-Token": token})
    with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:  # noqa: S310 - loopback
        text = answer.read().decode().replace(f"{HOST}:{port}", "server")
    return json.loads(text)


if __name__ == "__main__":
    sys.exit(main())
