"""Telling the rest of the cloud what becomes of bays: CADF events on the notification bus, for billing and for audits.

Of each operation two are sent: ``pending`` once it was accepted, and at its end ``success`` or ``failure``. What is to
be told stands in the database (`magnum.db.notices`), and is noted there only once the bus has taken it. So an event
comes at least once, whatever is killed or away meanwhile, for up to a day; it comes twice only where a conductor ends
between sending and noting it, and then with the same id, by which a listener knows it.

Nothing of an operation waits for this: a thread of its own sends, and a bus that is away is left alone for a while.
"""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Protocol

from oslo_config import cfg
from oslo_log import log
from pycadf import attachment, cadftaxonomy, cadftype, event, reason, resource, timestamp

from magnum.common import clock
from magnum.common.bus import messaging
from magnum.common.states import OperationState
from magnum.db import models, notices
from magnum.db.notices import Told
from magnum.db.session import Database

LOG = log.getLogger(__name__)

BAY = "service/magnum/bay"
_EVENT_IDS = uuid.UUID("3a1f6f5e-8f0d-4f0e-9d8d-0f3d1b8a2c77")
_NEWS = timedelta(days=1)
_TURN = timedelta(seconds=60)
_AT_ONCE = 200
_LONGEST_PAUSE = 30.0
_ACTIONS = {
    "create": cadftaxonomy.ACTION_CREATE,
    "update": cadftaxonomy.ACTION_UPDATE,
    "delete": cadftaxonomy.ACTION_DELETE,
}


class Bus(Protocol):
    """Takes notifications."""

    def send(self, event_type: str, payload: dict[str, Any], *, failed: bool) -> None:
        """Hand one over.

        :raises BusAway: it may not have been taken
        """


class BusAway(Exception):
    """The notification bus has not taken what it was given."""


class _WatchedTransport(messaging.transport.NotificationTransport):
    """oslo.messaging's drivers would log what goes wrong, with all of the event each time, and not say it to us."""

    def __init__(self, driver: Any) -> None:
        super().__init__(driver)
        self.problem: Exception | None = None

    def _send_notification(self, *arguments: Any, **named: Any) -> None:
        try:
            super()._send_notification(*arguments, **named)
        except Exception as error:  # noqa: BLE001 - of whatever driver; `OsloBus.send` tells it
            self.problem = error


class OsloBus:
    """The drivers that ``[oslo_messaging_notifications]`` names."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._transport = _WatchedTransport(messaging.get_notification_transport(conf)._driver)
        # What could not be sent is sent later, so it is tried only once more: a connection may have ended unnoticed.
        self._notifier = messaging.Notifier(self._transport, f"magnum.{conf.host}", retry=1)
        self.wanted = bool(conf.oslo_messaging_notifications.driver)

    def send(self, event_type: str, payload: dict[str, Any], *, failed: bool) -> None:
        self._transport.problem = None
        (self._notifier.error if failed else self._notifier.info)({}, event_type, payload)
        if self._transport.problem is not None:
            raise BusAway(str(self._transport.problem))


class Teller:
    """Tells what is new, a round at a time; the conductors of a cloud share the work."""

    def __init__(self, database: Database, bus: Bus, stopping: Callable[[], bool] = lambda: False) -> None:
        self._database = database
        self._bus = bus
        self._stopping = stopping
        self._pause = 0.0
        self._not_before = clock.now()

    def tell(self) -> None:
        """Tell all there is to tell, unless the bus was away a moment ago."""
        if clock.now() < self._not_before:
            return
        try:
            while self._round():
                pass
        except BusAway as error:
            if not self._pause:
                LOG.warning("The notification bus does not take anything; notifications are kept for later: %s", error)
            self._pause = min(max(1.0, self._pause * 2), _LONGEST_PAUSE)
            self._not_before = clock.now() + timedelta(seconds=self._pause)

    def _round(self) -> bool:
        """Tell of some operations; whether there may be more."""
        with self._database.reader() as session:
            found = notices.untold(session, _NEWS, _AT_ONCE)
        for operation in found:
            while not self._stopping() and (notice := notices.next_notice(operation)) is not None:
                if not self._tell_one(operation, notice):
                    break
                operation.told = notice
        return len(found) == _AT_ONCE and not self._stopping()

    def _tell_one(self, operation: models.Operation, notice: Told) -> bool:
        with self._database.writer() as session:
            if not notices.take(session, operation, clock.now() + _TURN):
                return False
            why = notices.reason_of(session, operation) if notice is Told.END else None
        payload = cadf_event(operation, notice, why)
        try:
            self._bus.send(f"magnum.bay.{operation.verb}", payload, failed=_outcome(operation, notice) == "failure")
        except BusAway:
            with self._database.writer() as session:
                notices.let_go(session, operation)
            raise
        if self._pause:
            LOG.info("The notification bus takes notifications again.")
            self._pause = 0.0
        with self._database.writer() as session:
            return notices.note(session, operation, notice)


def cadf_event(operation: models.Operation, notice: Told, why: str | None) -> dict[str, Any]:
    """What is told of an operation: who wanted what of which bay, and what came of it."""
    ended = notice is Told.END
    outcome = _outcome(operation, notice)
    initiator = resource.Resource(typeURI=cadftaxonomy.ACCOUNT_USER, id=operation.user_id or "unknown")
    initiator.project_id = operation.project_id
    initiator.request_id = operation.request_id
    told = event.Event(
        eventType=cadftype.EVENTTYPE_ACTIVITY,
        id=str(uuid.uuid5(_EVENT_IDS, f"{operation.uuid} {'end' if ended else 'beginning'}")),
        eventTime=_time(operation, ended=ended),
        action=_ACTIONS.get(operation.verb, f"{cadftaxonomy.ACTION_UPDATE}/{operation.verb}"),
        outcome=outcome,
        initiator=initiator,
        target=resource.Resource(typeURI=BAY, id=operation.bay_uuid),
        observer=resource.Resource(typeURI="service/magnum", id="observer", name="magnum"),
        reason=reason.Reason("service/magnum/operation", operation.state) if outcome == "failure" else None,
    )
    content = {"uuid": operation.bay_uuid, "operation": operation.uuid, "verb": operation.verb}
    if outcome == "failure":
        content["reason"] = _why(operation, why)
    told.add_attachment(attachment.Attachment(typeURI=BAY, content=content, name="bay"))
    made: dict[str, Any] = told.as_dict()
    return made


def _outcome(operation: models.Operation, notice: Told) -> str:
    if notice is Told.BEGINNING:
        return str(cadftaxonomy.OUTCOME_PENDING)
    done = operation.state == OperationState.DONE
    return str(cadftaxonomy.OUTCOME_SUCCESS if done else cadftaxonomy.OUTCOME_FAILURE)


def _why(operation: models.Operation, why: str | None) -> str:
    if operation.state == OperationState.SUPERSEDED:
        return "Another request took its place before it ended."
    return why or "The reason is not known any more."


def _time(operation: models.Operation, *, ended: bool) -> str:
    changed = operation.updated_at if ended and operation.updated_at else operation.created_at
    return str(changed.strftime(timestamp.TIME_FORMAT))
