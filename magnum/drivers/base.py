"""What a kind of bay is: the interface between Magnum and its drivers.

A driver turns a bay into a Heat stack and the stack's outputs back into attributes of the bay. It talks to nobody: what
it is given and what it returns are plain values, and the conductor does the rest. A driver is found by the
triple (server_type, os, coe) among the entry points of the group ``magnum.drivers``, so others can ship their own.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from stevedore import ExtensionManager

from magnum.common.exception import Invalid
from magnum.drivers.labels import Label, LabelSchema

__all__ = [
    "ANY",
    "BayDriver",
    "BayOutputs",
    "BaySpec",
    "Label",
    "LabelSchema",
    "NodeAccess",
    "NodeOutput",
    "Stack",
    "find_driver",
    "load_drivers",
]

ENTRY_POINTS = "magnum.drivers"
ANY = "*"  # as a driver's os: any image that runs cloud-init


@dataclass(frozen=True)
class BaySpec:
    """A bay as its driver sees it; ``baymodel`` is the copy taken when the bay was created.

    ``timeout`` is the number of seconds its nodes may take to come up.
    """

    uuid: str
    name: str
    node_count: int
    master_count: int
    baymodel: Mapping[str, Any]
    timeout: int = 3600


@dataclass(frozen=True)
class NodeAccess:
    """What nodes need to reach Magnum and people to reach nodes; the tokens are the only secrets a stack gets.

    ``master_token`` is empty where no master will be made.
    """

    magnum_url: str
    magnum_ca: str
    master_token: str = field(repr=False)
    node_token: str = field(repr=False)
    ssh_authorized_keys: Sequence[str] = ()


@dataclass(frozen=True)
class Stack:
    """Arguments of Heat's stack create and update.

    Secrets go into the environment's ``parameter_defaults``, for hidden parameters of the template that needs them, as
    Heat masks these in environments. It does not mask all that is made of them: secrets have to be short-lived.
    """

    template: str
    files: Mapping[str, str]
    parameters: Mapping[str, Any] = field(repr=False)
    environment: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def arguments(self) -> dict[str, Any]:
        """All of it by Heat's names."""
        return {
            "template": self.template,
            "files": dict(self.files),
            "parameters": dict(self.parameters),
            "environment": dict(self.environment),
        }


@dataclass(frozen=True)
class NodeOutput:
    """A server of a bay; its name is its hostname and its name in the cluster. ``role`` is master or node."""

    name: str
    role: str
    address: str
    private_address: str
    server_id: str


@dataclass(frozen=True)
class BayOutputs:
    """What a built stack says about its bay. Addresses are those a tenant uses: floating ones where there are any."""

    api_address: str
    master_addresses: list[str]
    node_addresses: list[str]
    coe_version: str
    nodes: list[NodeOutput]

    def columns(self) -> dict[str, Any]:
        """What of it stands in the bay's row."""
        return {
            "api_address": self.api_address,
            "master_addresses": self.master_addresses,
            "node_addresses": self.node_addresses,
            "coe_version": self.coe_version,
        }


class BayDriver(ABC):
    """One kind of bay. Instances hold no state."""

    name: ClassVar[str]
    server_type: ClassVar[str]
    os: ClassVar[str]
    coe: ClassVar[str]
    network_drivers: ClassVar[tuple[str, ...]]
    volume_drivers: ClassVar[tuple[str, ...]]

    @property
    @abstractmethod
    def labels(self) -> LabelSchema:
        """The labels of this kind of bay, with the defaults of this installation.

        Raises ValueError, naming the option, where these are wrong.
        """

    @abstractmethod
    def validate(self, baymodel: Mapping[str, Any], *, for_bay: bool = True) -> list[str]:
        """Return what keeps bays of this baymodel from being built, a sentence each; its labels are included.

        Unless it is ``for_bay``, a baymodel may still lack what the API lets it lack, and have the flags that the API
        has for other kinds of bays.
        """

    @abstractmethod
    def stack(self, bay: BaySpec, access: NodeAccess, nodes_to_remove: Sequence[str] = ()) -> Stack:
        """Return the stack that is to exist for ``bay``, for create and for update.

        An update leaves every running node as it is. When it lowers node_count, ``nodes_to_remove`` names the nodes
        that go.
        """

    @abstractmethod
    def outputs(self, outputs: Mapping[str, Any]) -> BayOutputs:
        """Read the outputs of a stack, by output_key; what a half-built stack lacks is left empty."""

    def supports(self, server_type: str, os: str | None, coe: str) -> bool:
        return (server_type, coe) == (self.server_type, self.coe) and self.os in (ANY, os)


def load_drivers() -> list[BayDriver]:
    """Return every installed driver.

    One that cannot be imported, or whose configuration is wrong (ValueError), is an error, not a gap.
    """
    manager = ExtensionManager(ENTRY_POINTS, invoke_on_load=True, on_load_failure_callback=_fail)
    drivers: list[BayDriver] = [extension.obj for extension in manager]
    for driver in drivers:
        _ = driver.labels
    return drivers


def find_driver(server_type: str, os: str | None, coe: str, drivers: Iterable[BayDriver] | None = None) -> BayDriver:
    """Return the driver for bays of that kind. One made for just this os goes before one for any.

    Raises Invalid, naming what there is, when there is none.
    """
    installed = list(load_drivers() if drivers is None else drivers)
    matching = [driver for driver in installed if driver.supports(server_type, os, coe)]
    if not matching:
        raise Invalid(_no_driver(server_type, os, coe, installed))
    return min(matching, key=lambda driver: driver.os == ANY)


def _no_driver(server_type: str, os: str | None, coe: str, installed: Sequence[BayDriver]) -> str:
    known = sorted(
        f"{driver.coe} on {driver.server_type} ({'any image' if driver.os == ANY else driver.os})"
        for driver in installed
    )
    images = f" with images of {os!r}" if os else ""
    return (
        f"Bays of coe {coe!r} on server_type {server_type!r}{images} are not offered; "
        f"there is {'; '.join(known) or 'no driver at all'}."
    )


def _fail(_manager: ExtensionManager, _entry_point: Any, error: Exception) -> None:
    raise error
