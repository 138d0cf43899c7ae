"""Bays: clusters. A change is accepted here, in one transaction, and carried out by a conductor."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from wsme import types as wtypes

from magnum.api import cloud, paging, patch, views
from magnum.api.call import Answer, Call
from magnum.api.controller import Fields, ResourceController
from magnum.api.fields import Dated, Field, Use, fields_of, read
from magnum.api.resources.baymodels import BayModelFields, driver_problems
from magnum.api.shapes import Listing, Object, Parameter, Reply
from magnum.api.types import (
    Boolean,
    Choice,
    HttpUrl,
    Labels,
    Name,
    Objects,
    Shown,
    Text,
    Timestamp,
    Uuid,
    Whole,
    Words,
)
from magnum.api.versions import Feature
from magnum.common import clock, states
from magnum.common.exception import Conflict, Invalid, NotFound, Problem
from magnum.common.idents import is_uuid, new_uuid
from magnum.common.states import BayStatus, Health, Verb
from magnum.db import models, operations, quotas, resources, stories
from magnum.db.resources import Page

_MOST_NODES = 10000
_MOST_MASTERS = 100
_LONGEST_MINUTES = 525600
_WAYS_ON = (Verb.RETRY, Verb.ROLLBACK)
_FRESH_INTERVALS = 3
_LOOK_SECONDS = 30
_SNAPSHOT = ("project_id", "user_id", *(name for name in fields_of(BayModelFields) if name not in fields_of(Dated)))


class BayFields(Dated):
    """A bay. Its uuid is Magnum's to choose; one that is sent is ignored, as it always was."""

    uuid = Field(Uuid(), use=Use.IGNORED)
    name = Field(Name(), example="web")
    baymodel_id = Field(Text(255), mandatory=True, text="Uuid or name of the baymodel it is made by.", example="small")
    node_count = Field(Whole(1, _MOST_NODES), default=1)
    master_count = Field(Whole(1, _MOST_MASTERS), default=1)
    bay_create_timeout = Field(Whole(0, _LONGEST_MINUTES), text="Minutes; 0 is for ever.")
    status = Field(Choice(*BayStatus), use=Use.SHOWN)
    status_reason = Field(Text(65535), use=Use.SHOWN)
    discovery_url = Field(HttpUrl(), example="https://discovery.example.com/1")
    api_address = Field(Text(255), use=Use.SHOWN)
    coe_version = Field(Text(255), use=Use.SHOWN)
    node_addresses = Field(Words(), use=Use.SHOWN)
    master_addresses = Field(Words(), use=Use.SHOWN)
    stack_id = Field(Text(255), use=Use.SHOWN)
    faults = Field(Objects(), use=Use.SHOWN)
    health_status = Field(Choice(*Health), use=Use.SHOWN)
    health_status_reason = Field(Labels(), use=Use.SHOWN, text="What was looked at, and what it said.")
    health_checked_at = Field(Timestamp(), use=Use.SHOWN)


class AcceptedFields(wtypes.Base):
    """What is said of a bay whose change was accepted."""

    uuid = Field(Uuid(), use=Use.SHOWN)


class EventFields(wtypes.Base):
    """A line of a bay's story."""

    created_at = Field(Timestamp(), use=Use.SHOWN)
    id = Field(Whole(1, 2**63 - 1), use=Use.SHOWN)
    level = Field(Text(8), use=Use.SHOWN)
    verb = Field(Text(16), use=Use.SHOWN)
    step = Field(Text(64), use=Use.SHOWN)
    text = Field(Text(65535), use=Use.SHOWN)
    request_id = Field(Text(255), use=Use.SHOWN)
    duration = Field(Shown({"type": "number", "minimum": 0}), use=Use.SHOWN)


EVENT_PARAMETERS = (paging.LIMIT, Parameter("marker", Whole(0, 10**18 - 1), "Id of the last event of the page before."))
ACCEPTED = (Reply(202, Object(AcceptedFields)),)
EVENTS = (Reply(200, Listing("events", Object(EventFields))),)


class Bays(ResourceController[models.Bay]):
    """Bays, and their story."""

    noun = "bay"
    plural = "bays"
    model = models.Bay
    fields = BayFields
    short = ("uuid", "name", "baymodel_id", "node_count", "master_count", "bay_create_timeout", "status")
    update_parameters = (
        Parameter("rollback", Boolean(), "Whether an update that fails is undone by itself.", feature=Feature.ROLLBACK),
    )
    ignored_parameters = ("bay_uuid",)
    created_replies = (
        Reply(201, Object(BayFields), located=True, until=Feature.ASYNC_BAYS),
        Reply(202, Object(AcceptedFields), located=True, since=Feature.ASYNC_BAYS),
    )
    changed_replies = (
        Reply(200, Object(BayFields), until=Feature.ASYNC_BAYS),
        Reply(202, Object(AcceptedFields), since=Feature.ASYNC_BAYS),
    )

    def events(self, call: Call) -> Answer:
        """The story of a bay, oldest first, page by page; by uuid also of one that is gone."""
        call.allow("bay:get")
        limit = paging.read_limit(call.query, call.services.conf.api.max_limit)
        after = call.query.get("marker", 0)
        bay_uuid = self._uuid(call, call.arguments["ident"])
        with call.services.database.reader() as session:
            rows = stories.events(session, call.context, bay_uuid, after, limit)
            if not rows and not (after and stories.events(session, call.context, bay_uuid, 0, 1)):
                resources.find(session, call.context, models.Bay, bay_uuid)
        body: dict[str, Any] = {"events": [_event(row) for row in rows]}
        if len(rows) == limit:
            query = f"limit={limit}&marker={rows[-1].id}"
            body["next"] = f"{call.host_url}/v1/bays/{bay_uuid}/events?{query}"
        return Answer(body)

    def rows(self, call: Call, names: Sequence[str], page: Page) -> Sequence[Fields]:
        rows = super().rows(call, names, page)
        return [_with_health(call, row) for row in rows] if "health_status" in names else rows

    def view(self, call: Call, row: models.Bay) -> dict[str, Any]:
        fields = _with_health(call, {name: getattr(row, name) for name in self.full()})
        return views.represent(fields, call.host_url, self.plural)

    def created(self, call: Call, row: models.Bay) -> Answer:
        return Answer({"uuid": row.uuid}, 202) if call.has(Feature.ASYNC_BAYS) else super().created(call, row)

    def changed(self, call: Call, row: models.Bay) -> Answer:
        return Answer({"uuid": row.uuid}, 202) if call.has(Feature.ASYNC_BAYS) else super().changed(call, row)

    def checked(
        self, call: Call, values: dict[str, Any], problems: Sequence[str], row: models.Bay | None = None
    ) -> dict[str, Any]:
        found = list(problems)
        made_of = _made_of(call, values["baymodel_id"], found) if "baymodel_id" in values else {}
        return super().checked(call, values | made_of, found, row)

    def store(self, call: Call, values: dict[str, Any]) -> models.Bay:
        if values.get("bay_create_timeout") is None:
            values["bay_create_timeout"] = call.services.conf.bay.create_timeout
        bay = models.Bay(**values, uuid=new_uuid())
        notes = cloud.unchecked(call, bay.baymodel)
        with call.services.database.writer() as session:
            quotas.take_bay(session, call.services.conf, call.context.project_id)
            operations.accept_create(session, call.context, bay, {}, _limit(bay), notes)
        call.services.conductor.operation_queued(call.context, bay.uuid)
        return bay

    def patched(self, call: Call, row: models.Bay, document: Any) -> models.Bay:
        before = {name: getattr(row, name) for name in self.patchable()}
        after = patch.apply(document, before, internal=self.internal(), mandatory=self.mandatory())
        problems: list[str] = []
        given = read(BayFields, after, problems)
        if problems:
            raise Invalid(problems)
        values = {**dict.fromkeys(before), **self.defaults(), **given}
        changed = [name for name, value in values.items() if value != before[name]]
        others = [name for name in changed if name != "node_count"]
        if others:
            raise Invalid(f"cannot change bay property(ies) {', '.join(others)}. Only node_count can be changed.")
        if not changed and not _means_change(row, document):
            return row
        asked: dict[str, Any] = {"node_count": values["node_count"]}
        if call.query.get("rollback"):
            asked["rollback"] = True
        return self._ask(call, row, Verb.UPDATE, asked)

    def remove(self, call: Call, row: models.Bay) -> None:
        self._ask(call, row, Verb.DELETE)

    def retry(self, call: Call) -> Answer:
        """Do again what failed: the creation, the last update or the deletion of a bay."""
        return self._act(call, Verb.RETRY)

    def rollback(self, call: Call) -> Answer:
        """Take a bay whose update failed back to the nodes it had before."""
        return self._act(call, Verb.ROLLBACK)

    def _act(self, call: Call, verb: Verb) -> Answer:
        row = self._allowed(call, "get")
        return Answer({"uuid": self._ask(call, row, verb).uuid}, 202)

    def _ask(
        self, call: Call, row: models.Bay, verb: Verb, arguments: Mapping[str, Any] = MappingProxyType({})
    ) -> models.Bay:
        """Have it accepted, if whoever asks may have done what it starts with the bay as it is now."""
        with call.services.database.writer() as session:
            current = resources.find(session, call.context, models.Bay, row.uuid, to_change=True)
            start = states.start(current.status, verb)
            starts = start.operation if start else Verb.UPDATE
            call.allow(f"bay:{starts if verb in _WAYS_ON else verb}", self.target(current))
            timeout = _delete_limit(call) if starts is Verb.DELETE else _limit(current)
            operations.accept(session, call.context, current, verb, arguments, timeout)
            session.refresh(current)
        call.services.conductor.operation_queued(call.context, row.uuid)
        return current

    def _uuid(self, call: Call, ident: str) -> str:
        return ident if is_uuid(ident) else self.find(call).uuid


def _with_health(call: Call, fields: Fields) -> dict[str, Any]:
    """What was found counts for a while only: nobody is told that a bay is well because somebody once looked."""
    interval = call.services.conf.kubernetes.health_interval
    checked_at = fields["health_checked_at"]
    if not interval:
        doubt = "Nobody looks at the health of bays in this cloud."
    elif fields["status"] not in states.USABLE:
        doubt = f"Not looked at while the bay is {fields['status']}."
    elif checked_at is None:
        doubt = "Not looked at yet."
    elif clock.now() - checked_at > timedelta(seconds=_FRESH_INTERVALS * interval + _LOOK_SECONDS):
        doubt = f"Not looked at since {views.timestamp(checked_at)}."
    else:
        return dict(fields)
    return {**fields, "health_status": Health.UNKNOWN, "health_status_reason": {"magnum": doubt}}


def find_parent(call: Call, ident: str) -> models.Bay:
    """The bay that a body names.

    :raises Invalid: there is none; the path of the request is right, so this is not a 404
    """
    with call.services.database.reader() as session:
        try:
            return resources.find(session, call.context, models.Bay, ident)
        except NotFound as error:
            raise Invalid(f"bay_uuid: {error.message} Name a bay by its uuid or name.") from error


def _means_change(row: models.Bay, document: Any) -> bool:
    """Whether the number a bay already has is asked for in earnest.

    It is after a change that failed, as the bay may count nodes that did not come up, and during one, as the bay has
    the old number until its end: then the answer is that a change is in progress.
    """
    named = any(item["path"] == "/node_count" for item in document)
    return named and row.status in states.CHANGING | states.HALF_CHANGED


def _made_of(call: Call, ident: str, problems: list[str]) -> dict[str, Any]:
    """The columns of a bay that come from its baymodel, and from the cloud's things that this names.

    :param problems: gets a sentence for all that keeps a bay from being made of it
    """
    try:
        with call.services.database.reader() as session:
            row = resources.find(session, call.context, models.BayModel, ident)
    except NotFound as error:
        problems.append(f"baymodel_id: {error.message} Name a baymodel by its uuid or name.")
        return {}
    except Conflict as error:
        problems.append(Problem(f"baymodel_id: {error.message}", error.code))
        return {}
    baymodel = {name: getattr(row, name) for name in _SNAPSHOT}
    said = cloud.check(call, baymodel)
    baymodel["cluster_distro"] = said.cluster_distro or baymodel["cluster_distro"]
    problems += [*said.problems.values(), *driver_problems(call.services, baymodel, said, for_bay=True)]
    return {"baymodel_id": row.uuid, "baymodel": baymodel, "ssh_authorized_keys": said.public_keys}


def _delete_limit(call: Call) -> timedelta:
    return timedelta(minutes=call.services.conf.bay.delete_timeout)


def _limit(bay: models.Bay) -> timedelta | None:
    return timedelta(minutes=bay.bay_create_timeout) if bay.bay_create_timeout else None


def _event(row: models.BayEvent) -> Mapping[str, Any]:
    return {name: getattr(row, name) for name in fields_of(EventFields)} | {
        "created_at": views.timestamp(row.created_at)
    }
