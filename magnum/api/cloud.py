"""Whether what a baymodel names is there: asked of the cloud's own services, as the requester.

A service is asked only if the catalog that came with the requester's token has it; what could not be asked is told. The
services are asked side by side, each one question after the other, and no further once it does not answer: nobody waits
for more than one timeout of each.
"""

import json
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from magnum.api.call import Call
from magnum.api.fields import shown
from magnum.clients import glance, neutron, nova
from magnum.clients.errors import Permanent, Transient
from magnum.clients.requester import Requester
from magnum.common.exception import Problem
from magnum.common.ssh_keys import public_key_line
from magnum.drivers.kubernetes.networks import is_range

_CATALOG = "HTTP_X_SERVICE_CATALOG"
_AUTH = "keystone.token_auth"
_LONGEST_DISTRO = 255


@dataclass
class Findings:
    """What the cloud says."""

    problems: dict[str, Problem] = field(default_factory=dict)
    """What is wrong, by field."""
    cluster_distro: str | None = None
    """What is in the image, where that was asked for and is right."""
    public_keys: list[str] = field(default_factory=list)
    """That of the key pair."""

    def add(self, other: "Findings") -> None:
        """Take over what another service said."""
        self.problems |= other.problems
        self.cluster_distro = self.cluster_distro or other.cluster_distro
        self.public_keys += other.public_keys


def check(call: Call, baymodel: Mapping[str, Any], names: Collection[str] | None = None) -> Findings:
    """What the cloud says of the things that a baymodel names.

    :param names: the fields to look at, where not all
    """
    catalog = _catalog(call)
    asked: dict[str, dict[str, str]] = {}
    for name, value in _named(baymodel):
        service = _QUESTIONS[name][0]
        if service in catalog and (names is None or name in names):
            asked.setdefault(service, {})[name] = value
    found = Findings()
    if asked:
        requester = Requester(call.services.conf, call.services.keystone, call.request.environ[_AUTH])
        with ThreadPoolExecutor(len(asked)) as pool:
            for answer in pool.map(partial(_ask, requester), asked, asked.values()):
                found.add(answer)
    return found


def unchecked(call: Call, baymodel: Mapping[str, Any]) -> list[str]:
    """A sentence for each thing that a baymodel names and that cannot be asked for in this cloud."""
    catalog = _catalog(call)
    return [
        f"{name} {value} was not checked: the catalog has no {_QUESTIONS[name][0]} service."
        for name, value in _named(baymodel)
        if _QUESTIONS[name][0] not in catalog
    ]


def _catalog(call: Call) -> set[str]:
    """The types of the services in the catalog."""
    return {service.get("type") for service in json.loads(call.request.environ.get(_CATALOG) or "[]")}


def _named(baymodel: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The fields that name something of the cloud, and what they name. A range of addresses is nothing of the cloud."""
    given = [(name, baymodel.get(name)) for name in _QUESTIONS]
    return [(name, value) for name, value in given if value and not (name == "fixed_network" and is_range(value))]


@dataclass
class _Asking:
    """Questions to one service."""

    requester: Requester
    found: Findings = field(default_factory=Findings)

    @cached_property
    def flavors(self) -> frozenset[str]:
        """One call is enough for any number of flavors."""
        return nova.flavor_idents(self.requester)

    def wrong(self, name: str, sentence: str, code: int = 400) -> None:
        """Note what is wrong with a field."""
        self.found.problems[name] = Problem(f"{name}: {sentence}", code)


def _ask(requester: Requester, service: str, values: Mapping[str, str]) -> Findings:
    asking = _Asking(requester)
    away: Transient | None = None
    for name, value in values.items():
        try:
            if away is None:
                _QUESTIONS[name][1](asking, name, value)
        except Transient as error:
            away = error
        except Permanent as error:
            asking.wrong(name, *_refusal(service, value, error))
        if away is not None:
            asking.wrong(name, f"{shown(value)} could not be checked. {away.message} Try again later.", 503)
    return asking.found


def _refusal(service: str, value: str, error: Permanent) -> tuple[str, int]:
    if error.code in (401, 403):
        return f"the {service} service does not let you look at {shown(value)} (HTTP {error.code}).", 403
    if error.code == 400:
        return f"the {service} service does not take {shown(value)}. {error.message}", 400
    return f"the {service} service cannot be asked: {error.message} The operator of this cloud can mend that.", 503


def _image(asking: _Asking, name: str, value: str) -> None:
    images = glance.find_images(asking.requester, value)
    if not images:
        asking.wrong(name, f"there is no image {shown(value)} that you can use. Give the id or name of one.")
    elif len(images) > 1:
        asking.wrong(name, f"there are several images with the name {shown(value)}. Give the id of one.", 409)
    elif not _is_distro(images[0].os_distro):
        asking.wrong(
            name,
            f"image {shown(value)} does not say what is in it: it has no property os_distro. Its owner can set it, "
            f"such as: openstack image set --property os_distro=debian {images[0].id}",
        )
    else:
        asking.found.cluster_distro = images[0].os_distro


def _is_distro(value: str | None) -> bool:
    return value is not None and len(value) <= _LONGEST_DISTRO


def _flavor(asking: _Asking, name: str, value: str) -> None:
    if value not in asking.flavors:
        asking.wrong(name, f"there is no flavor {shown(value)} that you can use. Give the id or name of one.")


def _key_pair(asking: _Asking, name: str, value: str) -> None:
    key = nova.public_key(asking.requester, value)
    if key is None:
        asking.wrong(name, f"you have no key pair {shown(value)}. Make one, or use ssh_authorized_key instead.", 404)
        return
    try:
        asking.found.public_keys.append(public_key_line(key))
    except ValueError as error:
        asking.wrong(name, f"the public key of {shown(value)} cannot be used for servers. {error}")


def _network(asking: _Asking, name: str, value: str) -> neutron.Network | None:
    networks = neutron.find_networks(asking.requester, value)
    if not networks:
        asking.wrong(name, f"there is no network {shown(value)} that you can use. Give the id or name of one.")
    elif len(networks) > 1:
        asking.wrong(name, f"there are several networks with the name {shown(value)}. Give the id of one.", 409)
    else:
        return networks[0]
    return None


def _external_network(asking: _Asking, name: str, value: str) -> None:
    network = _network(asking, name, value)
    if network is not None and not network.external:
        asking.wrong(
            name,
            f"network {shown(value)} is not an external one, so no floating addresses come from it. "
            "openstack network list --external shows those that are.",
        )


_QUESTIONS: Mapping[str, tuple[str, Callable[[_Asking, str, str], Any]]] = {
    "image_id": ("image", _image),
    "flavor_id": ("compute", _flavor),
    "master_flavor_id": ("compute", _flavor),
    "keypair_id": ("compute", _key_pair),
    "external_network_id": ("network", _external_network),
    "fixed_network": ("network", _network),
}
