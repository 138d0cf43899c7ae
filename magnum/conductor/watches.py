"""What a conductor does beside its operations, now and then: looking after bays, and forgetting old stories."""

from collections.abc import Callable
from datetime import timedelta
from itertools import takewhile

from oslo_log import log

from magnum.clients.errors import ServiceError, Transient
from magnum.common import clock
from magnum.conductor.drift import DriftWatch
from magnum.conductor.health import HealthWatch
from magnum.conductor.threads import Periodic
from magnum.conductor.tools import Tools
from magnum.db import duties, operations, stories
from magnum.db.operations import Event

LOG = log.getLogger(__name__)

_DRIFT = "drift"
_PURGE = "purge"
_REPORT = "report"
_REPORT_INTERVAL = 600.0
_LONG = timedelta(hours=1)
_HEALTH_TICK = 5.0
_PURGE_INTERVAL = 3600.0
_PURGED_AT_ONCE = 100


def watches(tools: Tools, owner: str) -> list[Periodic]:
    """All of them that the operator wants, not yet started.

    :param owner: this conductor, by a name of its own
    """
    wanted = []
    health_interval, drift_interval = tools.conf.kubernetes.health_interval, tools.conf.conductor.drift_interval
    if health_interval:
        tick = min(health_interval, _HEALTH_TICK)
        wanted.append(Periodic("health", tick, HealthWatch(tools, health_interval).look))
        silent = HealthWatch(tools, health_interval, silent=True)
        wanted.append(Periodic("health of silent bays", tick, silent.look))
    if drift_interval:
        look = DriftWatch(tools).look
        wanted.append(Periodic(_DRIFT, drift_interval, _for_all(tools, owner, _DRIFT, drift_interval, look)))
    tell = _for_all(tools, owner, _REPORT, _REPORT_INTERVAL, lambda: report(tools))
    wanted.append(Periodic(_REPORT, _REPORT_INTERVAL, tell))
    if tools.conf.bay.retention_days:
        forget = _for_all(tools, owner, _PURGE, _PURGE_INTERVAL, lambda: purge(tools))
        wanted.append(Periodic(_PURGE, _PURGE_INTERVAL, forget))
    return wanted


def report(tools: Tools) -> None:
    """Tell, now and then, of what nothing will end by itself: who asked for no limit may have forgotten it."""
    now = clock.now()
    with tools.database.writer() as session:
        for operation in operations.without_limit(session, now - _LONG, now - _LONG):
            hours = round((now - operation.created_at) / timedelta(hours=1))
            text = (
                f"{operation.verb.capitalize()} is in progress for {hours} h, and has no limit. The last finished step "
                f"is {operation.step or 'none'}. Deleting the bay ends it."
            )
            LOG.warning("Bay %s: %s", operation.bay_uuid, text)
            operations.tell(session, operation, Event(text, "warning"))


def purge(tools: Tools) -> None:
    """Forget what is older than the operator wants it to be.

    Before that each bay's user is looked for once more: a conductor that was paused while the bay was deleted, and was
    killed as soon as it went on, may have left one, and after this nobody would know its name.
    """
    before = clock.now() - timedelta(days=tools.conf.bay.retention_days)
    while True:
        with tools.database.reader() as session:
            gone = stories.long_gone(session, before, _PURGED_AT_ONCE)
        over = list(takewhile(lambda bay_uuid: _was_seen_to(tools, bay_uuid), gone))
        if over:
            with tools.database.writer() as session:
                stories.forget(session, over)
            LOG.info("The stories of %d bays that are gone since %s were forgotten.", len(over), before.date())
        if len(over) < _PURGED_AT_ONCE:
            return


def _was_seen_to(tools: Tools, bay_uuid: str) -> bool:
    """Whether the user of a bay that is gone was looked for; it is not while Keystone is away."""
    try:
        tools.cloud.keystone.delete_user(bay_uuid)
    except ServiceError as error:
        if isinstance(error, Transient) and error.tries is None:
            LOG.warning("Old stories are not forgotten yet: %s", error.message)
            return False
        LOG.warning("A user of bay %s, which is gone, may be left: %s", bay_uuid, error.message)
    return True


def _for_all(tools: Tools, owner: str, name: str, interval: float, function: Callable[[], None]) -> Callable[[], None]:
    """The function, done by one conductor for all."""

    def in_turn() -> None:
        if duties.take(tools.database, name, owner, timedelta(seconds=2 * interval)):
            function()

    return in_turn
