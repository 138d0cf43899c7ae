"""A slow bay holds its own few places and no other's."""

import threading
import time
from contextlib import ExitStack
from types import SimpleNamespace

import pytest

from magnum.common import limits as limits_module
from magnum.common.exception import BayUnreachable
from magnum.common.limits import CallLimits


def test_a_bay_with_all_places_taken_is_busy_and_others_are_not() -> None:
    limits = CallLimits(places=2, wait=0.01)
    with ExitStack() as held:
        held.enter_context(limits.place("slow"))
        held.enter_context(limits.place("slow"))
        with pytest.raises(BayUnreachable, match="Bay slow is busy: 2 calls"), limits.place("slow"):
            pytest.fail("there was a third place")
        with limits.place("other"):
            pass
    with limits.place("slow"):
        pass


def test_a_place_that_gets_free_in_time_is_taken() -> None:
    limits = CallLimits(places=1, wait=5)
    inside, leave, second = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        with limits.place("bay"):
            inside.set()
            leave.wait(5)

    def next_one() -> None:
        with limits.place("bay"):
            second.set()

    threads = [threading.Thread(target=first), threading.Thread(target=next_one)]
    threads[0].start()
    assert inside.wait(5)
    threads[1].start()
    assert not second.wait(0.05)
    leave.set()
    assert second.wait(5)
    for thread in threads:
        thread.join(5)


def test_where_calls_are_slow_only_so_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    now, waited = 0.0, []

    class Places(threading.BoundedSemaphore):
        def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
            nonlocal now
            if super().acquire(blocking=False):
                return True
            waited.append(timeout)
            now += (timeout or 0) + 0.1
            return False

    monkeypatch.setattr(limits_module, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(limits_module, "threading", SimpleNamespace(BoundedSemaphore=Places, Lock=threading.Lock))
    limits = CallLimits(places=1, wait=4, queue=0)
    with limits.place("bay"):
        for _ in range(2):
            with pytest.raises(BayUnreachable), limits.place("bay"):
                pytest.fail("there was a second place")
    assert waited == [2, 0], "the first call may have been about to end"


def test_many_quick_calls_at_once_take_turns() -> None:
    limits, done = CallLimits(places=1, wait=20, queue=0), []

    def call() -> None:
        with limits.place("bay"):
            time.sleep(0.01)
        done.append(1)

    threads = [threading.Thread(target=call) for _ in range(20)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(20)
    assert len(done) == 20


def test_an_error_inside_gives_the_place_back() -> None:
    limits = CallLimits(places=1, wait=0.01)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), limits.place("bay"):
            _ = 1 / 0
