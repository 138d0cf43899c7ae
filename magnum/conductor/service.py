"""A conductor: the sweep, the poll of stacks, the calls of the API and a heartbeat, started and stopped together."""

import os
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

from oslo_config import cfg
from oslo_log import log
from sqlalchemy import select

from magnum.clients.cloud import Cloud
from magnum.common import clock, metrics, rpc
from magnum.common.bus_door import reach
from magnum.conductor.containers import Containers
from magnum.conductor.endpoints import ConductorEndpoint
from magnum.conductor.notifications import OsloBus, Teller
from magnum.conductor.polling import StackPoll
from magnum.conductor.sweep import Sweep
from magnum.conductor.threads import Periodic
from magnum.conductor.tools import Tools, make_tools
from magnum.conductor.watches import watches
from magnum.conductor.workloads import Workloads
from magnum.db import duties, models
from magnum.db.session import Database
from magnum.drivers.base import load_drivers

LOG = log.getLogger(__name__)

BINARY = "magnum-conductor"
_TURN_SECONDS = 20.0
_THREAD_SECONDS = 4.0
_GIVE_UP_SECONDS = 2.0
_NOTIFICATION_SECONDS = 1.0


class Conductor:
    """All that a conductor does, in threads of this process.

    :param tools: what to work with; the real ones where not given
    """

    def __init__(self, conf: cfg.ConfigOpts, database: Database, bus: Any, tools: Tools | None = None) -> None:
        self._conf = conf
        self._database = database
        self._tools = tools or make_tools(conf, database, Cloud(conf), load_drivers())
        self._owner = f"{conf.host}:{os.getpid()}:{secrets.token_hex(4)}"
        self._sweep = Sweep(self._tools, self._owner)
        self._stacks = StackPoll(self._tools, self._sweep.wake, self._owner)
        if metrics.started():
            from magnum.conductor.gauges import Gauges  # needs prometheus_client, which must come after `metrics.start`

            metrics.collect(Gauges(database))
        self._stopping = threading.Event()
        self._told = 0.0
        self._periodics = [
            Periodic("stack poll", conf.conductor.poll_interval, self._stacks.poll),
            Periodic("heartbeat", conf.conductor.heartbeat_interval, self._beat),
            *watches(self._tools, self._owner),
            *_tellers(conf, database, self._stopping),
        ]
        workloads = Workloads(conf, database, self._tools.bays)
        containers = Containers(conf, database, engines={})  # no driver of ours makes bays that have one
        endpoint = ConductorEndpoint(self._sweep, workloads, containers, conf.conductor.rpc_threads)
        self._server = rpc.server(conf, bus, [endpoint])

    def start(self) -> None:
        """Start working."""
        self._sweep.start()
        for periodic in self._periodics:
            periodic.start()
        # In a thread, as oslo.messaging waits here for a bus that is away, and what is accepted is found by the sweep.
        threading.Thread(target=reach, args=(self._listen, self._stopping), name="rpc start", daemon=True).start()
        LOG.info("The conductor on %s works.", self._conf.host)

    def _listen(self) -> None:
        try:
            self._server.start()
        except Exception:
            self._server.stop()  # without this the next start would do nothing
            raise

    def finish_up(self) -> None:
        """Begin nothing more by itself; what the API calls for is still done."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._told = time.monotonic()
        self._sweep.end()
        for periodic in self._periodics:
            periodic.end()
        self._begin_to("give up duties", self._give_up)  # at once, as a look may take long

    def stop(self) -> None:
        """Take no more work, finish or hand over what runs, and end 24 seconds after `finish_up`, or in 4."""
        self.finish_up()
        closing = self._begin_to("rpc stop", self._close)
        left = self._sweep.stop(max(0.0, self._told + _TURN_SECONDS - time.monotonic()))
        # None of these may end while the database or the bus is away, so they have their time together.
        end = time.monotonic() + _THREAD_SECONDS
        handing_over = self._begin_to("hand over", lambda: self._sweep.leave(left))
        for periodic in self._periodics:
            periodic.stop(max(0.0, end - _GIVE_UP_SECONDS - time.monotonic()))
        giving_up = self._begin_to("give up duties", self._give_up)  # one may have been taken in between
        for thread in (handing_over, giving_up, closing):
            thread.join(max(0.0, end - time.monotonic()))
        LOG.info("The conductor on %s has stopped.", self._conf.host)

    @staticmethod
    def _begin_to(name: str, function: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=function, name=name, daemon=True)
        thread.start()
        return thread

    def _give_up(self) -> None:
        """Let other conductors have the duties of this one."""
        self._stacks.stop()
        duties.give_up(self._database, self._owner)

    def _close(self) -> None:
        self._server.stop()
        self._server.wait()

    def _beat(self) -> None:
        with self._database.writer() as session:
            query = select(models.MagnumService).where(
                models.MagnumService.host == self._conf.host, models.MagnumService.binary == BINARY
            )
            row = session.scalars(query).one_or_none()
            if row is None:
                row = models.MagnumService(host=self._conf.host, binary=BINARY, report_count=0)
                session.add(row)
            row.report_count += 1
            row.messages_version = rpc.NAMESPACE_VERSION
            row.last_seen_up = clock.now()


def _tellers(conf: cfg.ConfigOpts, database: Database, stopping: threading.Event) -> list[Periodic]:
    """Who sends notifications, where the operator wants any."""
    bus = OsloBus(conf)
    if not bus.wanted:
        return []
    return [Periodic("notifications", _NOTIFICATION_SECONDS, Teller(database, bus, stopping.is_set).tell)]
