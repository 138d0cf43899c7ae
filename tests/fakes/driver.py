"""A driver whose stacks the fake Heat understands."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from magnum.drivers.base import ANY, BayDriver, BayOutputs, BaySpec, LabelSchema, NodeAccess, NodeOutput, Stack

BAYMODEL: dict[str, Any] = {"server_type": "vm", "cluster_distro": None, "coe": "kubernetes", "labels": {}}


class FakeDriver(BayDriver):
    """Bays of the kind that BAYMODEL describes."""

    name: ClassVar[str] = "fake"
    server_type: ClassVar[str] = "vm"
    os: ClassVar[str] = ANY
    coe: ClassVar[str] = "kubernetes"
    network_drivers: ClassVar[tuple[str, ...]] = ()
    volume_drivers: ClassVar[tuple[str, ...]] = ()

    @property
    def labels(self) -> LabelSchema:
        return LabelSchema([])

    def validate(self, baymodel: Mapping[str, Any], *, for_bay: bool = True) -> list[str]:
        return []

    def stack(self, bay: BaySpec, access: NodeAccess, nodes_to_remove: Sequence[str] = ()) -> Stack:
        parameters = {
            "node_count": bay.node_count,
            "nodes_to_remove": list(nodes_to_remove),
            "timeout": bay.timeout,
            "magnum_url": access.magnum_url,
        }
        tokens = {"bootstrap_token_master": access.master_token, "bootstrap_token_node": access.node_token}
        return Stack("template", {}, parameters, {"parameter_defaults": tokens})

    def outputs(self, outputs: Mapping[str, Any]) -> BayOutputs:
        if not outputs:
            return BayOutputs("", [], [], "", [])
        nodes = [NodeOutput(name, "node", "10.0.0.2", "10.0.0.2", name) for name in outputs["nodes"]]
        return BayOutputs("https://10.0.0.1:6443", ["10.0.0.1"], [node.address for node in nodes], "v1.20.2", nodes)
