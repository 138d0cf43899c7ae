"""Neutron: networks, as whoever makes a request sees them."""

from dataclasses import dataclass

from magnum.clients.requester import Requester, members
from magnum.common.idents import is_uuid

_SERVICE = "network"


@dataclass(frozen=True)
class Network:
    """A network; ``external`` is one that floating addresses come from."""

    id: str
    external: bool


def find_networks(requester: Requester, ident: str) -> list[Network]:
    """The networks with this id or name."""
    query = {"id" if is_uuid(ident) else "name": ident, "fields": ["id", "router:external"]}
    found = requester.get(_SERVICE, "/networks", query)
    return [
        Network(id=str(each.get("id")), external=each.get("router:external") is True)
        for each in members(_SERVICE, found, "networks")
    ]
