"""Pods, services and replication controllers, and what they have in common with nodes: they live in bays.

The bay's own API is the truth and our rows are a copy, which a conductor brings up to date before it is shown. Where
no conductor answers, the copy is shown as it is, with the status Unknown.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from magnum.api import patch
from magnum.api.call import Answer, Call
from magnum.api.controller import Fields, ResourceController
from magnum.api.fields import Dated, Field, Use
from magnum.api.resources.bays import find_parent
from magnum.api.shapes import Parameter
from magnum.api.types import Labels, Objects, Text, Uuid, Whole, Words
from magnum.coe.manifest_url import fetch_manifest
from magnum.coe.manifests import Kind, Manifest, parse_manifest
from magnum.common import states
from magnum.common.exception import Conflict, Invalid, NotFound, Unavailable
from magnum.db import models, resources
from magnum.db.resources import Page

UNKNOWN = "Unknown"
_LONGEST_URL = 2048
_LONGEST_MANIFEST = 2**20
_CONTAINERS = {"containers": [{"name": "redis", "image": "redis"}]}

Row = TypeVar("Row", models.Pod, models.Service, models.ReplicationController, models.Node, models.Container)
Work = TypeVar("Work", models.Pod, models.Service, models.ReplicationController)


class InBay(ResourceController[Row]):
    """Something that lives in a bay. Which bay is meant can be said in the path or in the query."""

    coe: ClassVar[str] = "kubernetes"
    """What a bay has to be to have any."""
    filters = (
        Parameter("bay_ident", Text(255, shortest=0), "Only in this bay, by uuid or name."),
        Parameter("bay_uuid", Text(255, shortest=0), "The same, as it was called before."),
    )

    def show(self, call: Call) -> Answer:
        """One object, as its bay has it."""
        rule = f"{self.noun}:get"
        call.allow(rule)
        bay = self.chosen_bay(call)
        if bay is None:
            return super().show(call)
        known = self.refresh(call, self._usable([bay]))  # before looking: others may have made it in the bay just now
        row = self._find_in(call, bay)
        call.allow(rule, self.target(row))
        return Answer(self.view(call, row if bay.uuid in known else _unknown(row)))

    def find(self, call: Call) -> Row:
        bay = self.chosen_bay(call)
        try:
            return self._find_in(call, bay)
        except NotFound:  # by us; others may have made it in a bay
            self.refresh(call, self._usable([bay] if bay else _bays(call)))
            return self._find_in(call, bay)

    def _find_in(self, call: Call, bay: models.Bay | None) -> Row:
        bay_uuid = bay.uuid if bay else None
        with call.services.database.reader() as session:
            return resources.find(session, call.context, self.model, call.arguments["ident"], bay_uuid=bay_uuid)

    def chosen_bay(self, call: Call) -> models.Bay | None:
        """The bay that the path or the query names, if they name one.

        :raises NotFound: they name one that is not there
        """
        ident = call.arguments.get("bay_ident") or call.query.get("bay_ident") or call.query.get("bay_uuid")
        if not ident:
            return None
        with call.services.database.reader() as session:
            return resources.find(session, call.context, models.Bay, ident)

    def refreshed(self, call: Call, row: Row) -> Row:
        if row.bay_uuid is None:
            return row
        known = self.refresh(call, [row.bay_uuid])
        with call.services.database.reader() as session:
            current = resources.find(session, call.context, self.model, row.uuid)
        return current if current.bay_uuid in known else _unknown(current)

    def rows(self, call: Call, names: Sequence[str], page: Page) -> Sequence[Mapping[str, Any]]:
        bay = self.chosen_bay(call)
        known: Sequence[str] = self.refresh(call, self._usable([bay] if bay else _bays(call)))
        filters = {"bay_uuid": bay.uuid} if bay else None
        with call.services.database.reader() as session:
            rows = resources.page(session, call.context, self.model, names, page, filters)
        vouched: set[str | None] = {*known, None}  # of what is in no bay the row itself is the truth
        return [
            row if row["bay_uuid"] in vouched or "status" not in row else {**row, "status": UNKNOWN} for row in rows
        ]

    def refresh(self, call: Call, bay_uuids: Sequence[str]) -> Sequence[str]:
        """Bring the rows in these bays up to date; answers which bays' rows are: none where nobody could be asked."""
        try:
            if bay_uuids:
                self.ask(call, [*bay_uuids])
        except Unavailable:
            return []
        return bay_uuids

    def ask(self, call: Call, bay_uuids: list[str]) -> None:
        """Have a conductor ask these bays about all there is in them.

        :raises Unavailable: there is none
        """
        call.services.conductor.workload_refresh(call.context, self.noun, bay_uuids)

    def check_bay(self, bay: models.Bay) -> None:
        """Make sure that the bay can be asked to do something.

        :raises Invalid: it is of the wrong kind
        :raises Conflict: it is not ready
        """
        coe = bay.baymodel["coe"]
        if coe != self.coe:
            raise Invalid(f"Cannot fulfill request with a {coe} bay, expecting a {self.coe} bay.")
        if bay.status not in states.USABLE:
            raise Conflict(
                f"Bay {bay.name or bay.uuid} has the status {bay.status}: it can be asked to do something when it is "
                f"{states.BayStatus.CREATE_COMPLETE} or {states.BayStatus.UPDATE_COMPLETE}."
            )

    def _usable(self, bays: Sequence[models.Bay]) -> list[str]:
        return [bay.uuid for bay in bays if bay.status in states.USABLE and bay.baymodel["coe"] == self.coe]


def _manifest(example: Mapping[str, Any]) -> Field:
    kind = Text(_LONGEST_MANIFEST, shortest=0)
    return Field(kind, use=Use.GIVEN, text="The manifest, as JSON or YAML.", example=json.dumps(example))


class WorkloadFields(Dated):
    """What all that is made from a manifest has: it is sent a bay and a manifest, and the rest is read from these."""

    uuid = Field(Uuid(), use=Use.IGNORED)
    name = Field(Text(255), use=Use.SHOWN)
    bay_uuid = Field(Text(255), mandatory=True, text="Uuid or name of the bay to put it in.", example="web")
    manifest_url = Field(
        Text(_LONGEST_URL),
        use=Use.GIVEN,
        text="Where the manifest is, if it is not given.",
        example="https://example.com/manifest.yaml",
    )
    labels = Field(Labels(), use=Use.SHOWN)
    status = Field(Text(24), use=Use.SHOWN)


class Workloads(InBay[Work]):
    """What is made from a manifest. Its name, labels and the rest are read from that."""

    kind: ClassVar[Kind]
    any_of = ("manifest", "manifest_url")

    def store(self, call: Call, values: dict[str, Any]) -> Work:
        bay = find_parent(call, values["bay_uuid"])
        manifest = self._manifest(call, values)
        self.check_bay(bay)
        uuid = call.services.conductor.workload_create(call.context, self.noun, bay.uuid, manifest)
        return self._row(call, uuid)

    def patched(self, call: Call, row: Work, document: Any) -> Work:
        before = {"bay_uuid": row.bay_uuid, "manifest": None, "manifest_url": None}
        after = patch.apply(document, before, internal=self.internal(), mandatory=self.mandatory())
        if after["bay_uuid"] != row.bay_uuid and find_parent(call, str(after["bay_uuid"])).uuid != row.bay_uuid:
            raise Invalid(f"A {self.noun} cannot move to another bay: /bay_uuid can not be changed.")
        if after["manifest"] is None and after["manifest_url"] is None:
            raise Invalid("Only /manifest and /manifest_url can be changed: replace one of them.")
        manifest = self._manifest(call, _texts(after))
        name = manifest["metadata"]["name"]
        if name != row.name:
            raise Invalid(f"manifest: metadata.name is {name!r}, but the {self.noun} to change is named {row.name!r}.")
        call.services.conductor.workload_update(call.context, self.noun, row.uuid, manifest)
        return self._row(call, row.uuid)

    def remove(self, call: Call, row: Work) -> None:
        call.services.conductor.workload_delete(call.context, self.noun, row.uuid)

    def _manifest(self, call: Call, values: Fields) -> Manifest:
        options = call.services.conf.api
        text = values.get("manifest")
        if not text and values.get("manifest_url"):
            text = fetch_manifest(values["manifest_url"], options.max_manifest_size, options.manifest_url_allow_private)
        if not text:
            raise Invalid("'manifest' can't be empty: give the text as manifest, or its address as manifest_url.")
        return parse_manifest(text, self.kind, options.max_manifest_size)

    def _row(self, call: Call, uuid: str) -> Work:
        with call.services.database.reader() as session:
            return resources.find(session, call.context, self.model, uuid)


def _texts(after: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in ("manifest", "manifest_url"):
        if after[name] is not None and not isinstance(after[name], str):
            raise Invalid(f"/{name} should be a string.")
    return after


def _bays(call: Call) -> Sequence[models.Bay]:
    with call.services.database.reader() as session:
        return resources.every(session, call.context, models.Bay, {"status": list(states.USABLE)})


def _unknown(row: Row) -> Row:
    """A row nobody vouches for. It belongs to no session any more, so this stays here."""
    row.status = UNKNOWN
    return row


class PodFields(WorkloadFields):
    """A pod."""

    manifest = _manifest({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "redis"}, "spec": _CONTAINERS})
    desc = Field(Text(255), use=Use.SHOWN)
    images = Field(Words(), use=Use.SHOWN)
    host = Field(Text(255), use=Use.SHOWN)


class Pods(Workloads[models.Pod]):
    """Pods."""

    noun = "pod"
    plural = "pods"
    kind: ClassVar[Kind] = "Pod"
    model = models.Pod
    fields = PodFields
    short = ("uuid", "name", "bay_uuid", "desc", "images", "labels", "status", "host")
    ignored_parameters = ("pod_uuid",)


class ServiceFields(WorkloadFields):
    """A service."""

    manifest = _manifest(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "redis"},
            "spec": {"selector": {"app": "redis"}, "ports": [{"port": 6379}]},
        }
    )
    selector = Field(Labels(), use=Use.SHOWN)
    ip = Field(Text(45), use=Use.SHOWN)
    ports = Field(Objects(), use=Use.SHOWN)


class Services(Workloads[models.Service]):
    """Services."""

    noun = "service"
    plural = "services"
    kind: ClassVar[Kind] = "Service"
    model = models.Service
    fields = ServiceFields
    short = ("uuid", "name", "bay_uuid", "labels", "selector", "ip", "ports", "status")
    ignored_parameters = ("service_uuid",)


class ReplicationControllerFields(WorkloadFields):
    """A replication controller."""

    manifest = _manifest(
        {
            "apiVersion": "v1",
            "kind": "ReplicationController",
            "metadata": {"name": "redis"},
            "spec": {
                "selector": {"app": "redis"},
                "template": {"metadata": {"labels": {"app": "redis"}}, "spec": _CONTAINERS},
            },
        }
    )
    images = Field(Words(), use=Use.SHOWN)
    replicas = Field(Whole(0, 2**31 - 1), use=Use.SHOWN)


class ReplicationControllers(Workloads[models.ReplicationController]):
    """Replication controllers."""

    noun = "rc"
    plural = "rcs"
    kind: ClassVar[Kind] = "ReplicationController"
    model = models.ReplicationController
    fields = ReplicationControllerFields
    short = ("uuid", "name", "bay_uuid", "images", "labels", "replicas", "status")
    ignored_parameters = ("rc_uuid",)
