"""How bays are, as their own APIs say.

Each conductor looks at the bays whose turn it is; a turn is taken by a compare-and-swap, so that a bay is looked at by
one conductor at a time, however many there are. What is found is written with the time of the look: readers take what
is too old for unknown, so that a conductor that died leaves no healthy bay behind, and one that was paused writes
nothing over what others found since. Node rows follow what the bay lists.

Bays that did not answer are waited for by others than those who look at the rest: however many they are, what is known
of bays that answer does not grow old because of them.
"""

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta

from oslo_log import log

from magnum.coe.nodes import Node
from magnum.common import clock, states
from magnum.common.exception import BayBusy, MagnumError
from magnum.common.states import Health
from magnum.conductor import copies
from magnum.conductor.threads import tell_of_failure
from magnum.conductor.tools import Tools
from magnum.db import bay_health, models

LOG = log.getLogger(__name__)

_COE = "kubernetes"
_THREADS = 8
_AT_ONCE = 2 * _THREADS


@dataclass(frozen=True)
class Finding:
    """What a look at a bay gave: a verdict, and for each thing that was looked at what it said."""

    status: Health
    reason: dict[str, str]
    nodes: list[Node] | None = None


class HealthWatch:
    """Looks at bays in turn.

    :param interval: seconds between two looks at the same bay
    :param silent: whether at those that did not answer last time, or at the others
    """

    def __init__(self, tools: Tools, interval: int, *, silent: bool = False) -> None:
        self._tools = tools
        self._interval = timedelta(seconds=interval)
        self._silent = silent
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="health")

    def look(self) -> None:
        """Look at every bay whose turn it is. A slow one holds a thread, while the others go on to the next."""
        looking: set[Future[None]] = set()
        while True:
            if len(looking) <= _THREADS:
                looking |= {self._pool.submit(self._look_at, bay) for bay in self._whose_turn(_AT_ONCE - len(looking))}
            if not looking:
                return
            _, looking = wait(looking, return_when=FIRST_COMPLETED)

    def _whose_turn(self, most: int) -> list[models.Bay]:
        with self._tools.database.writer() as session:
            return bay_health.take_turns(session, states.USABLE, self._interval, most, silent=self._silent)

    def _look_at(self, bay: models.Bay) -> None:
        try:
            looked_at = clock.now()
            found = self._examine(bay)
            with self._tools.database.writer() as session:
                if not bay_health.write(session, bay, found.status, found.reason, looked_at):
                    return
                if found.nodes is None:
                    copies.mark_unknown(session, bay.uuid, "node")
                else:
                    copies.store(session, bay, "node", [copies.node_values(bay, n) for n in found.nodes], looked_at)
        except BayBusy:
            LOG.debug("Bay %s is looked at when fewer calls wait for it.", bay.uuid)
        except Exception:  # noqa: BLE001 - one bay, however odd, or a database that is away for a moment
            tell_of_failure(LOG, "The health of bay %s could not be found out.", bay.uuid)

    def _examine(self, bay: models.Bay) -> Finding:
        if bay.baymodel["coe"] != _COE:
            return Finding(Health.UNKNOWN, {"api": f"Magnum does not look at {bay.baymodel['coe']} bays."})
        try:
            with self._tools.bays.open(bay) as running:
                return _judge(bay, ready=running.healthy(), nodes=running.list_nodes())
        except BayBusy:
            raise
        except MagnumError as error:
            return Finding(Health.UNKNOWN, {"api": error.message})


def _judge(bay: models.Bay, *, ready: bool, nodes: list[Node]) -> Finding:
    reason = {"api": "ok" if ready else "not ready"}
    wanted = bay.master_count + bay.node_count
    if bay.status in states.RESTING and len(nodes) < wanted:
        reason[bay_health.NODES] = f"{len(nodes)} of {wanted} are there"
    well = ready and all(node.ready for node in nodes) and bay_health.NODES not in reason
    reason |= {f"{node.name}.Ready": str(node.ready) for node in nodes}  # last: of very many, not all are kept
    return Finding(Health.HEALTHY if well else Health.UNHEALTHY, reason, nodes)
