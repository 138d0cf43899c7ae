"""Waiting for a bay: what happens is told on standard error while it happens."""

import shutil
import time
from collections.abc import Callable
from itertools import takewhile
from typing import Any, TextIO

from magnum.cli.client import Client, Row
from magnum.cli.errors import EndedInFailureError, NotReachedError, RefusedError
from magnum.cli.text import clean_line

POLL_SECONDS = 2.0
SIGN_OF_LIFE_SECONDS = 15.0
PATIENCE_SECONDS = 180.0
"""How long the API may be away before waiting for it is given up; it is restarted in less."""

_TAKEN_BACK = "ROLLBACK_COMPLETE"
"""The bay is whole, but as it was before: what was asked for failed."""


class BayWait:
    """Waits for the end of an operation on a bay.

    :param stream: where progress is shown; a terminal gets one line that changes, anything else a line per change
    :param quiet: show no progress
    """

    def __init__(
        self,
        client: Client,
        stream: TextIO,
        *,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._clock = clock
        self._sleep = sleep
        self._progress = _Progress(stream, quiet)

    def for_change(self, bay: Row) -> Row:
        """Wait for a create or update.

        :returns: the bay as it is then
        :raises EndedInFailureError: it failed
        """
        last = self._until_settled(bay)
        if last is None:
            raise EndedInFailureError(f"Bay {_name(bay)} is gone: it was deleted meanwhile.")
        _raise_if_failed(last)
        return last

    def for_end(self, bay: Row) -> None:
        """Wait until a bay that is being deleted is gone.

        :raises EndedInFailureError: it could not be deleted
        """
        last = self._until_settled(bay)
        if last is not None:
            _raise_if_failed(last)

    def _until_settled(self, bay: Row) -> Row | None:
        """The bay when nothing is in progress any more; None when there is no such bay."""
        begun, story = self._clock(), _Story(self._client, bay["uuid"])
        try:
            while True:
                row = self._look(bay["uuid"])
                if row is None:
                    return None
                elapsed, busy = self._clock() - begun, str(row.get("status")).endswith("_IN_PROGRESS")
                status = f"{_name(row)} {row.get('status')}"
                if busy:
                    self._progress.show(elapsed, status)
                for step in story.news(busy=busy):
                    self._progress.tell(elapsed, step)
                if not busy:
                    self._progress.show(elapsed, status)
                    return row
                self._sleep(POLL_SECONDS)
        except KeyboardInterrupt:
            self._progress.end()
            self._progress.note(f"No longer waiting; the work goes on. See: magnum bay-show {_name(bay)}")
            raise
        finally:
            self._progress.end()

    def _look(self, uuid: str) -> Row | None:
        """The bay, asked for again while the API is away."""
        give_up = self._clock() + PATIENCE_SECONDS
        while True:
            try:
                return self._client.get("bays", uuid)
            except RefusedError as error:
                if error.status == 404:
                    return None
                if error.status < 500 or self._clock() > give_up:
                    raise
                away: Exception = error
            except NotReachedError as error:
                if self._clock() > give_up:
                    raise
                away = error
            self._progress.note(f"The API is away, asking again: {away}")
            self._sleep(POLL_SECONDS)


class _Story:
    """The bay's events as they come in. They are a help in reading its status: without them waiting goes on."""

    def __init__(self, client: Client, uuid: str) -> None:
        self._client = client
        self._uuid = uuid
        self._marker: Any = None

    def news(self, *, busy: bool) -> list[str]:
        """What happened since it was asked last.

        :param busy: something is in progress; where nothing is when it is asked first, all has happened before
        """
        first, found = self._marker is None, self._ask()
        if found:
            self._marker = found[-1]["id"]
        if first:
            found = _of_one_request(found) if busy else []
        return [_told(event) for event in found]

    def _ask(self) -> list[Row]:
        params = {} if self._marker is None else {"marker": self._marker}
        try:
            return list(self._client.list("bays", self._uuid, "events", key="events", params=params))
        except (RefusedError, NotReachedError):
            return []


def _of_one_request(events: list[Row]) -> list[Row]:
    """Those at the end that belong to the same request: at first there is all that ever happened to the bay."""
    same = list(takewhile(lambda event: event.get("request_id") == events[-1].get("request_id"), reversed(events)))
    return same[::-1]


class _Progress:
    """Shows how it goes: what happened in lines that stay, and how it stands in one line after them."""

    def __init__(self, stream: TextIO, quiet: bool) -> None:
        self._stream = stream
        self._quiet = quiet
        self._live = stream.isatty()
        self._open = False
        self._said, self._said_at = "", 0.0

    def tell(self, elapsed: float, text: str) -> None:
        """Tell what happened."""
        if self._quiet:
            return
        begin = "\r\x1b[K" if self._open else ""
        self._stream.write(f"{begin}{_minutes(elapsed)}  {text}\n")
        self._stream.flush()
        self._open, self._said_at = False, elapsed

    def show(self, elapsed: float, text: str) -> None:
        """Show how it stands; elsewhere than on a terminal when that is new, or a sign of life is due."""
        line = f"{_minutes(elapsed)}  {text}"
        due = self._live or text != self._said or elapsed - self._said_at >= SIGN_OF_LIFE_SECONDS
        if self._quiet or not due:
            return
        self._said, self._said_at = text, elapsed
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write(f"\r{line[:width]}\x1b[K")
            self._open = True
        else:
            self._stream.write(line + "\n")
        self._stream.flush()

    def note(self, line: str) -> None:
        """Say something beside, once."""
        if self._quiet or line == self._said:
            return
        self.end()
        self._said = line
        self._stream.write(line + "\n")
        self._stream.flush()

    def end(self) -> None:
        """Close the line that changes."""
        if self._open:
            self._stream.write("\n")
            self._stream.flush()
            self._open = False


def _raise_if_failed(bay: Row) -> None:
    status = str(bay.get("status"))
    if status.endswith("_FAILED") or status == _TAKEN_BACK:
        reason = clean_line(str(bay.get("status_reason") or "the server gives no reason"))
        name = _name(bay)
        raise EndedInFailureError(f"Bay {name}: {status}: {reason}\nMore is told by: magnum bay-event-list {name}")


def _name(bay: Row) -> str:
    return clean_line(str(bay.get("name") or bay["uuid"]))


def _told(event: Row) -> str:
    level = event.get("level")
    text = clean_line(str(event.get("text") or event.get("step") or ""))
    return text if level in (None, "info") else f"{clean_line(str(level))}: {text}"


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60:d}:{int(seconds) % 60:02d}"
