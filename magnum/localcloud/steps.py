"""What the local cloud is doing right now, told to whoever waits for it.

Steps may run beside each other. On a terminal one line that changes names those under way, how long each has taken and
what it is at; elsewhere a line is written now and then. Every step ends with a line of its own.
"""

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_TICK_SECONDS = 0.5
_QUIET_TICK_SECONDS = 10.0
_SHORT_SECONDS = 2.0


class Step:
    """Something under way."""

    def __init__(self, title: str, started: float) -> None:
        self.title = title
        self.started = started
        self.detail = ""

    def at(self, detail: str) -> None:
        """Say what the step is at."""
        self.detail = detail

    def line(self, now: float) -> str:
        seconds = f"{now - self.started:.0f} s"
        return f"{self.title} ({seconds}{', ' + self.detail if self.detail else ''})"


class Steps:
    """Shows the steps of a command. Use as a context manager, so that its line is closed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._lock = threading.Lock()
        self._active: list[Step] = []
        self.seconds: dict[str, float] = {}
        """How long each step that succeeded took."""
        self._ended = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="progress", daemon=True)

    def __enter__(self) -> "Steps":
        self._ticker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._ticker.join()
        with self._lock:
            self._clear()

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Do something under this title. What is already so should take no step, or end within an instant."""
        step = Step(title, time.monotonic())
        with self._lock:
            self._active.append(step)
        outcome = "failed"
        try:
            yield step
            outcome = "ready"
        except KeyboardInterrupt:
            outcome = "interrupted"
            raise
        finally:
            seconds = time.monotonic() - step.started
            with self._lock:
                if outcome == "ready":
                    self.seconds[title] = seconds
                self._active.remove(step)
                self._write(f"  {title}: {outcome}" + (f" ({seconds:.1f} s)" if seconds >= 0.1 else ""))

    def say(self, text: str) -> None:
        with self._lock:
            self._write(text)

    def _tick(self) -> None:
        period = _TICK_SECONDS if self._live else _QUIET_TICK_SECONDS
        while not self._ended.wait(period):
            with self._lock:
                self._show()

    def _show(self) -> None:
        now = time.monotonic()
        lines = [step.line(now) for step in self._active if now - step.started >= _SHORT_SECONDS or self._live]
        if not lines:
            return
        text = "  … " + " · ".join(lines)
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write(f"\r{text[:width]}\x1b[K")
        else:
            self._stream.write(text + "\n")
        self._stream.flush()

    def _write(self, text: str) -> None:
        self._clear()
        self._stream.write(text + "\n")
        self._stream.flush()

    def _clear(self) -> None:
        if self._live:
            self._stream.write("\r\x1b[K")
