"""Nodes: the machines of bays, which conductors keep, and machines that tenants register by hand."""

from typing import Any, ClassVar

from wsme import types as wtypes

from magnum.api.call import Call
from magnum.api.controller import DATES
from magnum.api.resources.workloads import InBay
from magnum.api.types import Text, Uuid
from magnum.common.exception import Invalid
from magnum.db import models


class NodeInput(wtypes.Base):
    """What may be said of a node."""

    uuid = Uuid()
    type = Text(20)
    image_id = Text(255)
    ironic_node_id = Text(36)
    links = wtypes.wsattr(wtypes.text, readonly=True)
    created_at = wtypes.wsattr(wtypes.text, readonly=True)
    updated_at = wtypes.wsattr(wtypes.text, readonly=True)


class Nodes(InBay[models.Node]):
    """Nodes. Those of a bay come and go with its node_count."""

    noun = "node"
    plural = "nodes"
    model = models.Node
    input_type = NodeInput
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
    full = (*short, "status_reason", *DATES)
    internal: ClassVar[tuple[str, ...]] = (
        "bay_uuid",
        "name",
        "role",
        "status",
        "status_reason",
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
