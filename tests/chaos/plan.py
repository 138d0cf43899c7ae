"""What happens in a run, and when: decided by the seed alone, before anything begins."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

TENANTS = 3
APIS = ("magnum-api", "magnum-api-2")
CONDUCTORS = ("magnum-conductor", "magnum-conductor-2", "magnum-conductor-3")
BUS, DATABASE, HEAT, KEYSTONE, CACHE = "rabbitmq", "database", "heat", "keystone", "memcached"
OTHERS = (HEAT, KEYSTONE, BUS, DATABASE, CACHE)
KINDS = (APIS, CONDUCTORS, *((name,) for name in OTHERS))
"""The processes of a run by their kind."""
LINES = ("bus", "database")

VERBS = ("create", "update", "delete", "retry", "rollback")

_AIMED = {"update": 0.5, "delete": 0.2, "retry": 0.5, "rollback": 0.5}
"""How many of the requests go to a bay for which they make sense at that time, if there is one."""
_FREEZE_SECONDS = {CONDUCTORS: (7.0, 12.0), (KEYSTONE,): (5.0, 25.0), (CACHE,): (5.0, 25.0)}
"""Of conductors for longer than a lease, which is 5 s; of what requests need for longer than a socket's timeout."""
_CALM_SECONDS = 3.0
_BETWEEN_REQUESTS = 0.9
_BETWEEN_TROUBLES = 5.0
_CALLS: tuple[list[str], ...] = (["create"], ["update"], ["delete"], ["show", "lookup"], ["list"], [])


@dataclass(frozen=True)
class Action:
    """Something that is done at a time, in seconds since the beginning."""

    at: float
    kind: str
    target: str
    values: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        values = " ".join(f"{name}={value}" for name, value in self.values.items())
        return f"{self.at:6.1f} {self.kind} {self.target} {values}".rstrip()


def make(seed: int, seconds: float) -> list[Action]:
    """All actions of a run, in order."""
    actions = [*_requests(random.Random(f"{seed} requests"), seconds), *_troubles(random.Random(f"{seed}"), seconds)]  # noqa: S311
    return sorted(actions, key=lambda action: action.at)


def _requests(dice: random.Random, seconds: float) -> Iterator[Action]:
    """Of tenants: what they ask for may make no sense at that time, as with tenants."""
    at, bays = 0.0, 0
    while (at := at + dice.expovariate(1 / _BETWEEN_REQUESTS)) < seconds:
        kind = dice.choices(VERBS, (42, 24, 18, 9, 7))[0] if bays > 3 else "create"
        values: dict[str, Any] = {"api": dice.randrange(len(APIS))}
        if kind == "create":
            number = bays
            bays += 1
            values |= {
                "nodes": dice.randint(1, 4),
                "masters": dice.choice((1, 1, 1, 3)),
                "minutes": dice.choice((1, 2, 2)),
            }
        else:
            number = dice.randrange(max(0, bays - 40), bays)
            if kind == "update":
                values |= {"nodes": dice.randint(1, 5), "rollback": dice.random() < 0.3}
            if dice.random() < _AIMED[kind]:
                values |= {"aim": round(dice.random(), 3)}  # which of those for which it makes sense by then
        yield Action(at, kind, str(number), {"tenant": number % TENANTS, **values})


def _troubles(dice: random.Random, seconds: float) -> Iterator[Action]:
    """One after the other, each kind as often as any other."""
    at = _CALM_SECONDS
    bag: list[Action] = []
    while True:
        at += dice.uniform(0.4, 1.6) * _BETWEEN_TROUBLES
        if at >= seconds:
            return
        if not bag:
            stacks = [[*_of_stacks(dice, "create", "create")], [*_of_stacks(dice, "update", "delete")]]
            bag = _spread(dice, [*_of_processes(dice), [*_of_lines(dice)], [*_of_calls(dice)], *stacks])
        action = bag.pop()
        yield Action(at, action.kind, action.target, action.values)


def _spread(dice: random.Random, groups: Sequence[Sequence[Action]]) -> list[Action]:
    """All of them at random, yet each group evenly over the whole: a short run has some of each as well."""
    placed: list[tuple[float, Action]] = []
    for group in groups:
        shuffled = dice.sample(group, len(group))
        placed += [((number + dice.random()) / len(group), action) for number, action in enumerate(shuffled)]
    return [action for _, action in sorted(placed, key=lambda each: each[0], reverse=True)]


def _of_processes(dice: random.Random) -> Iterator[list[Action]]:
    """For each kind of process all that can be done to it; where there are several, one of them is restarted."""
    for names in KINDS:
        frozen = names if names == CONDUCTORS else (dice.choice(names),)
        seconds = _FREEZE_SECONDS.get(names, (2.0, 8.0))
        yield [
            *(Action(0, "kill", name, {"away": round(dice.uniform(0, 3), 1)}) for name in names),
            Action(0, "restart", dice.choice(names)),
            *(Action(0, "freeze", name, {"seconds": round(dice.uniform(*seconds), 1)}) for name in frozen),
        ]


def _of_lines(dice: random.Random) -> Iterator[Action]:
    for name in LINES:
        yield Action(0, "cut", name, {"seconds": round(dice.uniform(1, 6), 1)})
        yield Action(0, "hold", name, {"seconds": round(dice.uniform(2, 8), 1)})


def _of_calls(dice: random.Random) -> Iterator[Action]:
    for status in (500, 503, 409, 401):
        yield _calls(dice, kind="status", status=status)
    for kind in ("silence", "lost_answer", "lost_answer", "cut"):
        yield _calls(dice, kind=kind)


def _of_stacks(dice: random.Random, *actions: str) -> Iterator[Action]:
    for action in actions:
        path = dice.choice(("nodes.0.server", "nodes.1.ready", "masters.0.server", "network"))
        yield Action(0, "stack-faults", HEAT, {"action": action, "path": path, "count": dice.randint(2, 6)})
        yield Action(0, "stack-faults", HEAT, {"action": action, "hangs": True})


def _calls(dice: random.Random, **values: Any) -> Action:
    bounds = {"calls": dice.choice(_CALLS), "count": dice.randint(2, 12), "for_seconds": round(dice.uniform(3, 10), 1)}
    return Action(0, "call-faults", HEAT, {**values, **bounds})
