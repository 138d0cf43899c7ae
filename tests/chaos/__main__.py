"""A run, from nothing to nothing; its exit status says whether all held.

python -m tests.chaos [--seed N] [--minutes M] [--database postgresql|mariadb]
"""

import argparse
import random
import sys
import time
from collections import Counter
from datetime import UTC, datetime

from tests.chaos import plan
from tests.chaos.cloud import ChaosCloud, make_tenants
from tests.chaos.requests_of_tenants import Tenants
from tests.chaos.trouble import Trouble
from tests.chaos.verdict import GRACE, Inspector

_LONGEST_SETTLING = 240.0
_MOST_SHOWN = 20
_DELETION_ROUNDS = 3  # hundreds at once are more than a small machine can do in time: the next deletion goes on
_LONG_RUN = 300.0
"""From so many seconds on everything that can happen in a run has to have happened."""


class Run:
    """One run."""

    def __init__(self, seed: int, seconds: float, database: str) -> None:
        self.seed = seed
        self.actions = plan.make(seed, seconds)
        self.seconds = seconds
        self.cloud = ChaosCloud(database)
        self.problems: list[str] = []

    def go(self, *, keep: bool) -> int:
        """All of it; answers the exit status."""
        begun = time.monotonic()
        print(f"chaos: seed {self.seed}, {len(self.actions)} actions in {self.seconds:.0f} s", flush=True)
        self.cloud.up()
        _say(begun, f"the cloud is up ({self.cloud.database})")
        inspector = Inspector(self.cloud)
        tenants, trouble = Tenants(self.cloud, make_tenants(self.cloud)), Trouble(self.cloud)
        self._act(tenants, trouble)
        _say(begun, "the trouble ends")
        tenants.finish()
        trouble.lift()
        self._settle(inspector)
        _say(begun, "every bay was waited for")
        made, ends = len(inspector.bays()), inspector.ends()
        self.problems += [*inspector.not_ended(), *inspector.strays()]
        for _ in range(_DELETION_ROUNDS):
            tenants.delete_all()
            self._settle(inspector)
        self.problems += [f"after the deletion of all: {each}" for each in self._left(inspector)]
        record = tenants.record
        self.problems += [*inspector.twice(), *inspector.late_ends(), *inspector.untold()]
        self.problems += [*inspector.broken_promises(record.promises), *record.problems, *trouble.problems]
        late_owners = inspector.late_owners()
        accepted = Counter(each.verb for each in record.promises)
        self.problems += [*_showed_nothing(ends), *self._never_happened(accepted, trouble.counts, late_owners)]
        _print_counts(record.outcomes)
        _print_counts(Counter({f"{verb} operations {state}": number for (verb, state), number in ends.items()}))
        _print_counts(trouble.counts)
        for problem in self.problems[:_MOST_SHOWN]:
            print(f"PROBLEM: {problem}")
        if not keep and not self.problems:
            self.cloud.down()
        print(
            f"chaos: seed {self.seed}, {time.monotonic() - begun:.0f} s, {self.cloud.database}: "
            f"{accepted['create']} bays made ({made} were left at the end of the trouble), "
            f"{len(record.promises)} requests accepted, slowest answer {record.slowest:.1f} s, "
            f"{sum(trouble.counts.values())} troubles, {late_owners} late owners refused, "
            f"{len(self.problems)} problems",
            flush=True,
        )
        return 1 if self.problems else 0

    def _never_happened(self, accepted: Counter[str], troubles: Counter[str], late_owners: int) -> list[str]:
        """What has to have happened for a run to show anything."""
        planned = Counter(action.kind for action in self.actions)
        most = accepted["create"] and 2 * accepted["create"] >= planned["create"]
        told = [] if most else [f"only {accepted['create']} creations were accepted"]
        if self.seconds >= _LONG_RUN:
            told += [f"no {verb} was ever accepted" for verb in plan.VERBS if not accepted[verb]]
            told += [f"no {kind} was ever made" for kind in {*planned} - {*plan.VERBS} if not troubles[kind]]
            told += [] if late_owners else ["no late owner was ever refused"]
        return told

    def _act(self, tenants: Tenants, trouble: Trouble) -> None:
        begun = time.monotonic()
        for action in self.actions:
            time.sleep(max(0.0, begun + action.at - time.monotonic()))
            if action.kind in plan.VERBS:
                tenants.ask(action)
            else:
                print(action, flush=True)
                trouble.make(action)
        time.sleep(max(0.0, begun + self.seconds - time.monotonic()))

    def _settle(self, inspector: Inspector) -> None:
        """Wait until nothing is in progress; each operation has until its deadline, or a moment from now."""
        begun, end = datetime.now(UTC), time.monotonic() + _LONGEST_SETTLING
        late: set[str] = set()
        while (left := inspector.in_progress()) and time.monotonic() < end:
            now = datetime.now(UTC)
            for bay, verb, deadline in left:
                if deadline is None or now > max(deadline, begun) + GRACE:
                    late.add(f"{verb} of {bay} goes on after its deadline {deadline}")
            time.sleep(1.0)
        self.problems += sorted(late)

    def _left(self, inspector: Inspector) -> list[str]:
        bays = inspector.bays()
        told = [f"{len(bays)} bays are left, such as {bays[0]}"] if bays else []
        return [*told, *inspector.strays()]


def _showed_nothing(ends: Counter[tuple[str, str]]) -> list[str]:
    """What has to have become of the tenants' requests even in a short run."""
    told = [] if ends["create", "done"] else ["no bay was ever made"]
    failed = sum(number for (_, state), number in ends.items() if state == "failed")
    return told if failed else [*told, "no operation ever failed"]


def _print_counts(counts: Counter[str]) -> None:
    for name, number in sorted(counts.items()):
        print(f"    {number:5} {name}")


def _say(begun: float, what: str) -> None:
    print(f"-- {time.monotonic() - begun:.0f} s: {what}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser("chaos", description="Magnum under fire.")
    parser.add_argument("--seed", type=int, default=None, help="of a run to do again (default: a new one)")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long there is trouble (default: %(default)s)")
    parser.add_argument("--database", choices=("postgresql", "mariadb"), default="postgresql")
    parser.add_argument("--keep", action="store_true", help="leave the cloud as it is at the end")
    parser.add_argument("--show", action="store_true", help="show the plan, and do nothing")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    if options.show:
        print("\n".join(map(str, plan.make(seed, options.minutes * 60))))
        return 0
    return Run(seed, options.minutes * 60, options.database).go(keep=options.keep)


if __name__ == "__main__":
    sys.exit(main())
