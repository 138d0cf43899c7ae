"""What has to hold at the end of a run, looked up in the database, in Keystone and in Heat."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from keystoneauth1.identity import v3
from keystoneauth1.session import Session
from keystoneclient.v3.client import Client
from requests.adapters import HTTPAdapter
from sqlalchemy import create_engine, text
from urllib3.util.retry import Retry

from tests.chaos.cloud import ChaosCloud
from tests.chaos.requests_of_tenants import Promise

_LOST = re.compile(r"Operation (\S+) \(\w+ of bay \S+\) has gone to another")
_SHOWN = 5
_COLUMNS = "uuid, name, status, status_reason, stack_id, node_count"
GRACE = timedelta(seconds=45)
"""How long after its deadline, or after the last trouble, an operation may take to be given up."""


@dataclass(frozen=True)
class Bay:
    """A row."""

    uuid: str
    name: str
    status: str
    reason: str
    stack_id: str | None
    node_count: int


class Inspector:
    """Looks at what is there."""

    def __init__(self, cloud: ChaosCloud) -> None:
        self._cloud = cloud
        self._engine = create_engine(cloud.database_url, pool_pre_ping=True)
        session = Session(auth=v3.Password(**cloud.admin_account()), timeout=30, session=_patient())
        self._keystone: Any = Client(session=session)

    def bays(self) -> list[Bay]:
        return [Bay(*row) for row in self._rows(f"SELECT {_COLUMNS} FROM bays")]  # noqa: S608

    def in_progress(self) -> list[tuple[str, str, datetime | None]]:
        """Open operations: bay, verb and deadline."""
        query = "SELECT bay_uuid, verb, deadline FROM operations WHERE state IN ('queued', 'running')"
        return [(bay, verb, _utc(deadline)) for bay, verb, deadline in self._rows(query)]

    def ends(self) -> Counter[tuple[str, str]]:
        """How operations have ended: verb and state."""
        return Counter((verb, state) for verb, state in self._rows("SELECT verb, state FROM operations"))

    def late_owners(self) -> int:
        """How often a conductor that had lost an operation to another was refused; not to a deletion."""
        logs = self._cloud.paths.logs.glob("magnum-conductor*.log*")
        lost = [uuid for log in logs for uuid in _LOST.findall(log.read_text(errors="replace"))]
        superseded = {row[0] for row in self._rows("SELECT uuid FROM operations WHERE state = 'superseded'")}
        return sum(uuid not in superseded for uuid in lost)

    def strays(self) -> list[str]:
        """What is there without a bay, and bays that say they have what is not there."""
        bays = self.bays()
        uuids = {bay.uuid for bay in bays}
        found = {stack["id"]: stack for stack in self._cloud.order("GET", "/stacks")}
        stacks = {key: stack["name"] for key, stack in found.items()}
        endings = {uuid.replace("-", "")[:12] for uuid in uuids}
        certificates = {row[0] for row in self._rows("SELECT DISTINCT bay_uuid FROM certificates")}
        users = {name.removeprefix("bay-") for name in self._users()}
        rows = {bay.stack_id: bay for bay in bays if bay.stack_id}
        return [
            *_problem("stacks without a row", [n for n in stacks.values() if n.rpartition("-")[2] not in endings]),
            *_problem("complete bays without a stack", [_told(bay) for bay in bays if _lacks_stack(bay)]),
            *_problem("rows without their stack", [_told(bay) for key, bay in rows.items() if key not in stacks]),
            *_problem("rows whose stack is another", self._other_stacks(bays, stacks)),
            *_problem("complete bays whose stacks are not so", [_told(bay) for bay in bays if _differs(bay, found)]),
            *_problem("certificates without a row", sorted(certificates - uuids)),
            *_problem("users without a row", sorted(users - uuids)),
            *_problem("trusts", [trust.id for trust in self._keystone.trusts.list()]),
        ]

    def broken_promises(self, promises: list[Promise]) -> list[str]:
        """Accepted requests of which the bay's events know nothing."""
        told = {(row[0], row[1]) for row in self._rows("SELECT bay_uuid, request_id FROM bay_events")}
        return _problem(
            "accepted requests that are in no event",
            [f"{each.verb} {each.bay_uuid} {each.request_id}" for each in promises if _key(each) not in told],
        )

    def untold(self) -> list[str]:
        """Operations, those too whose answers were lost, that no story tells of."""
        query = (
            "SELECT o.verb, o.bay_uuid, o.request_id FROM operations o LEFT JOIN bay_events e "
            "ON e.bay_uuid = o.bay_uuid AND e.request_id = o.request_id WHERE e.id IS NULL"
        )
        return _problem("operations that are in no event", [" ".join(map(str, row)) for row in self._rows(query)])

    def twice(self) -> list[str]:
        """Steps that two owners have both finished: each is finished once in an operation."""
        query = (
            "SELECT bay_uuid, request_id, step, count(*) FROM bay_events "
            "WHERE step IS NOT NULL AND duration IS NOT NULL GROUP BY bay_uuid, request_id, step HAVING count(*) > 1"
        )
        return _problem("steps that were finished twice", [" ".join(map(str, row)) for row in self._rows(query)])

    def late_ends(self) -> list[str]:
        """Operations that had a deadline and ended long after it."""
        query = (
            "SELECT bay_uuid, verb, deadline, updated_at FROM operations "
            "WHERE state IN ('done', 'failed') AND deadline IS NOT NULL"
        )
        ends = [(bay, verb, _utc(deadline), _utc(end)) for bay, verb, deadline, end in self._rows(query)]
        return _problem(
            "operations that ended after their deadline",
            [f"{verb} of {bay} {end - due} later" for bay, verb, due, end in ends if due and end and end - due > GRACE],
        )

    def not_ended(self) -> list[str]:
        """Bays that are in progress."""
        return _problem("bays in progress", [_told(bay) for bay in self.bays() if bay.status.endswith("_IN_PROGRESS")])

    def _other_stacks(self, bays: list[Bay], stacks: dict[str, str]) -> list[str]:
        by_ending = {name.rpartition("-")[2]: key for key, name in stacks.items()}
        found = [(bay, by_ending.get(bay.uuid.replace("-", "")[:12])) for bay in bays if bay.stack_id in stacks]
        return [_told(bay) for bay, key in found if key != bay.stack_id]

    def _users(self) -> list[str]:
        domain = self._keystone.domains.list(name="magnum")[0]
        return [user.name for user in self._keystone.users.list(domain=domain)]

    def _rows(self, query: str) -> list[Any]:
        with self._engine.connect() as connection:
            return list(connection.execute(text(query)))


def _patient() -> requests.Session:
    """Asks again where Keystone has an error: each of its connections to a memcached that was restarted is one."""
    again = Retry(total=10, backoff_factor=0.2, status_forcelist=(500, 503), allowed_methods=None)
    http = requests.Session()
    http.mount("http://", HTTPAdapter(max_retries=again))
    return http


def _problem(what: str, found: list[str]) -> list[str]:
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return [f"{what}: {'; '.join(found[:_SHOWN])}{more}"] if found else []


def _lacks_stack(bay: Bay) -> bool:
    return bay.status.endswith("_COMPLETE") and not bay.stack_id


def _differs(bay: Bay, stacks: Mapping[str, Any]) -> bool:
    """Whether a bay says that it is complete, and its stack is not, or has another number of nodes."""
    stack = stacks.get(bay.stack_id or "")
    if stack is None or not bay.status.endswith("_COMPLETE"):
        return False
    return not (stack["status"].endswith("_COMPLETE") and len(stack["members"]["nodes"]) == bay.node_count)


def _told(bay: Bay) -> str:
    return f"{bay.name} {bay.uuid} {bay.status} ({bay.reason}), {bay.node_count} nodes, stack {bay.stack_id}"


def _key(promise: Promise) -> tuple[str, str]:
    return promise.bay_uuid, promise.request_id


def _utc(value: datetime | str | None) -> datetime | None:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value
