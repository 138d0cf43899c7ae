"""Nodes: the machines of bays, which conductors keep, and machines that tenants register by hand."""

from typing import Any

from magnum.api.call import Call
from magnum.api.fields import Dated, Field, Use
from magnum.api.resources.workloads import InBay
from magnum.api.types import Text, Uuid, Words
from magnum.common.exception import Invalid
from magnum.db import models


class NodeFields(Dated):
    """A node."""

    uuid = Field(Uuid())
    type = Field(Text(20))
    image_id = Field(Text(255))
    ironic_node_id = Field(Text(36))
    bay_uuid = Field(Uuid(), use=Use.SHOWN)
    name = Field(Text(255), use=Use.IGNORED)
    role = Field(Text(20), use=Use.SHOWN)
    status = Field(Text(20), use=Use.SHOWN)
    addresses = Field(Words(), use=Use.SHOWN)
    version = Field(Text(255), use=Use.SHOWN)
    status_reason = Field(Text(65535), use=Use.SHOWN)


class Nodes(InBay[models.Node]):
    """Nodes. Those of a bay come and go with its node_count."""

    noun = "node"
    plural = "nodes"
    model = models.Node
    fields = NodeFields
    short = (
        "uuid",
        "type",
        "image_id",
        "ironic_node_id",
        "bay_uuid",
        "name",
        "role",
        "status",
        "addresses",
        "version",
    )
    ignored_parameters = ("node_uuid",)

    def patched(self, call: Call, row: models.Node, document: Any) -> models.Node:
        _refuse_bays_own(row)
        return super().patched(call, row, document)

    def remove(self, call: Call, row: models.Node) -> None:
        _refuse_bays_own(row)
        super().remove(call, row)


def _refuse_bays_own(row: models.Node) -> None:
    if row.bay_uuid is not None:
        raise Invalid(f"Node {row.uuid} belongs to bay {row.bay_uuid}: change the bay's node_count instead.")
