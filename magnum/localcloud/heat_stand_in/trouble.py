"""What is ordered of the stand-in: how long things take, and what goes wrong."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from magnum.localcloud.heat_stand_in.stacks import Course, Leaf

CALLS = ("create", "update", "delete", "show", "lookup", "list", "resources", "events", "other")
KINDS = ("status", "silence", "cut", "lost_answer")
ACTIONS = ("create", "update", "delete")
_NO_HOST = 'Went to status ERROR due to "Message: No valid host was found., Code: 500"'


class BadOrder(ValueError):
    """What was ordered makes no sense; the message says why."""


@dataclass(frozen=True)
class Settings:
    """How it plays when nothing goes wrong."""

    create_seconds: float = 5.0
    update_seconds: float = 4.0
    delete_seconds: float = 3.0
    spread: float = 0.3
    """By which part of them these differ between stacks."""
    latency: float = 0.0
    """Seconds that each call takes."""
    admin_sees_all: bool = True
    """Whether a user with the role admin sees the stacks of all projects, as Heat's default policy has it."""
    api_address: str = "127.0.0.1"
    api_port: int = 1
    """Where bays claim to have their API. As nothing listens there, a call to it fails at once."""


@dataclass
class CallFault:
    """Trouble with calls: an HTTP status as answer, no answer at all, or one that is lost after the work is done."""

    kind: str
    status: int = 503
    calls: list[str] = field(default_factory=list)
    """Only these; all where empty."""
    count: int | None = None
    """So often; None for until it is lifted or its time is over."""
    seconds: float = 30.0
    """How long silence is kept."""
    until: float | None = None


@dataclass
class StackFault:
    """Trouble with stacks: an action that fails at a resource, or hangs until its time is over."""

    action: str
    path: str = "nodes.0.server"
    message: str = _NO_HOST
    hangs: bool = False
    count: int = 1


class Trouble:
    """All that is ordered; safe to share between threads."""

    def __init__(self, keep: Callable[[dict[str, Any]], None], kept: Mapping[str, Any] | None) -> None:
        data = kept or {}
        self._keep = keep
        self._lock = threading.Lock()
        self._settings = Settings(**data.get("settings", {}))
        self._call_faults = [CallFault(**item) for item in data.get("call_faults", ())]
        self._stack_faults = [StackFault(**item) for item in data.get("stack_faults", ())]
        self._calls: Counter[str] = Counter()

    @property
    def settings(self) -> Settings:
        return self._settings

    def change(self, values: Mapping[str, Any]) -> None:
        """Change some settings."""
        with self._lock:
            self._settings = replace(self._settings, **_known(Settings, values))
            self._store()

    def order_call_fault(self, values: Mapping[str, Any]) -> None:
        known = _known(CallFault, {name: value for name, value in values.items() if name != "for_seconds"})
        fault = CallFault(**known) if "kind" in known else CallFault(kind="status", **known)
        if fault.kind not in KINDS or not set(fault.calls) <= set(CALLS):
            raise BadOrder(f"kind is one of {', '.join(KINDS)}, and calls are some of {', '.join(CALLS)}")
        if "for_seconds" in values:
            fault.until = time.time() + float(values["for_seconds"])
        with self._lock:
            self._call_faults.append(fault)
            self._store()

    def order_stack_fault(self, values: Mapping[str, Any]) -> None:
        known = _known(StackFault, values)
        if known.get("action") not in ACTIONS:
            raise BadOrder(f"action is one of {', '.join(ACTIONS)}")
        with self._lock:
            self._stack_faults.append(StackFault(**known))
            self._store()

    def lift(self, *, calls: bool = False, stacks: bool = False) -> None:
        """Let go well from now on what has not begun yet."""
        with self._lock:
            self._call_faults = [] if calls else self._call_faults
            self._stack_faults = [] if stacks else self._stack_faults
            self._store()

    def count(self, call: str, outcome: str) -> None:
        with self._lock:
            self._calls[f"{call} {outcome}"] += 1

    def forget_counts(self) -> None:
        with self._lock:
            self._calls.clear()

    def counts(self) -> dict[str, int]:
        """How often what was called, by kind and outcome."""
        with self._lock:
            return dict(sorted(self._calls.items()))

    def for_call(self, call: str) -> CallFault | None:
        """What goes wrong with this call; it is counted."""
        if not self._call_faults:
            return None
        with self._lock:
            now = time.time()
            self._call_faults = [fault for fault in self._call_faults if fault.until is None or fault.until > now]
            fault = next((fault for fault in self._call_faults if not fault.calls or call in fault.calls), None)
            if fault is not None and fault.count is not None:
                fault.count -= 1
                if fault.count <= 0:
                    self._call_faults.remove(fault)
                self._store()
            return fault

    def course(self, action: str) -> Course:
        """How the next such action goes; what goes wrong with it is counted."""
        settings = self._settings
        seconds: float = getattr(settings, f"{action}_seconds")
        course = Course(seconds=seconds, spread=settings.spread)
        with self._lock:
            fault = next((fault for fault in self._stack_faults if fault.action == action), None)
            if fault is None:
                return course
            fault.count -= 1
            if fault.count <= 0:
                self._stack_faults.remove(fault)
            self._store()
        if fault.hangs:
            return replace(course, hangs=True)
        return replace(course, leaf=Leaf(tuple(fault.path.split(".")), fault.message))

    def as_data(self) -> dict[str, Any]:
        return {
            "settings": asdict(self._settings),
            "call_faults": [asdict(fault) for fault in self._call_faults],
            "stack_faults": [asdict(fault) for fault in self._stack_faults],
        }

    def _store(self) -> None:
        self._keep(self.as_data())


def _known(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    names = {each.name for each in fields(kind)}
    unknown = sorted(set(values) - names)
    if unknown:
        raise BadOrder(f"unknown: {', '.join(unknown)}; there are {', '.join(sorted(names))}")
    return dict(values)
