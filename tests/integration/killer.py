"""Conductors that kill themselves, as `kill -9` would, right before or after a step is written as finished.

    python -m tests.integration.killer POINTS --config-file=...

One dies at the point ``VERB-STEP-before`` or ``VERB-STEP-after`` if the folder POINTS has a file of this name, and
removes the file first; so one dies at each point, once. There are always two: another takes the place of one that died.
They are forks of a process that has loaded all there is to load, so that many deaths cost little time.
"""

import os
import signal
import sys
from pathlib import Path
from types import FrameType

from magnum.cmd import conductor
from magnum.conductor.job import Job
from magnum.conf.conductor import OPTS
from magnum.db.operations import Progress

LEASE = 3
HOSTS = ("first", "second")
KILLED = "A conductor has killed itself."
"""Said of each by the process that they are forks of."""


def arm(points: Path) -> None:
    """Have this process die at the points that the folder names."""
    write = Job.write

    def die(point: str) -> None:
        try:
            (points / point).unlink()
        except FileNotFoundError:
            return
        os.kill(os.getpid(), signal.SIGKILL)

    def writing(job: Job, progress: Progress) -> None:
        step = progress.operation.get("step")
        if step is None:
            write(job, progress)
            return
        die(f"{job.claim.verb}-{step}-before")
        write(job, progress)
        die(f"{job.claim.verb}-{step}-after")

    Job.write = writing  # type: ignore[method-assign]


def shorten_lease() -> None:
    """Let others take over sooner than an operator may have it."""
    (lease,) = (option for option in OPTS if option.name == "lease")
    lease.type.min = lease.default = LEASE


def fork(points: Path, host: str) -> int:
    """A conductor on a host of this name; answers its pid."""
    pid = os.fork()
    if pid == 0:
        own = points.parent / f"{host}.conf"
        own.write_text(f"[DEFAULT]\nhost = {host}\n")
        sys.argv.append(f"--config-file={own}")
        os._exit(conductor.main())
    return pid


def main() -> None:
    """Keep the conductors until SIGTERM, or until one ends in another way than it should."""
    points = Path(sys.argv.pop(1))
    arm(points)
    shorten_lease()
    running: dict[int, str] = {}

    def end(_number: int, _frame: FrameType | None) -> None:
        for pid in running:
            os.kill(pid, signal.SIGKILL)
        os._exit(0)

    running.update({fork(points, host): host for host in HOSTS})
    while True:
        signal.signal(signal.SIGTERM, end)
        pid, status = os.wait()
        host = running.pop(pid)
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            print(f"the conductor on {host} ended by itself", file=sys.stderr)
            end(0, None)
        print(KILLED, flush=True)  # or the next would have it in its own buffer as well
        running[fork(points, host)] = host


if __name__ == "__main__":
    main()
