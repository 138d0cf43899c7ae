"""How a driver is found."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from magnum.common.exception import Invalid
from magnum.drivers import base


class _Driver(base.BayDriver):
    server_type = "vm"
    coe = "kubernetes"
    network_drivers = ()
    volume_drivers = ()

    def __init__(self, name: str, os: str) -> None:
        self.name, self.os = name, os  # type: ignore[misc]

    @property
    def labels(self) -> base.LabelSchema:
        return base.LabelSchema([])

    def validate(self, baymodel: Mapping[str, Any], *, for_bay: bool = True) -> list[str]:
        return []

    def stack(self, bay: base.BaySpec, access: base.NodeAccess, nodes_to_remove: Sequence[str] = ()) -> base.Stack:
        raise NotImplementedError

    def outputs(self, outputs: Mapping[str, Any]) -> base.BayOutputs:
        raise NotImplementedError


def test_the_kubernetes_driver_is_installed_for_any_image() -> None:
    for os in (None, "ubuntu", "fedora-coreos"):
        assert base.find_driver("vm", os, "kubernetes").name == "kubernetes"


def test_a_driver_for_just_this_image_goes_first() -> None:
    drivers = [_Driver("any", base.ANY), _Driver("flatcar", "flatcar")]

    assert base.find_driver("vm", "flatcar", "kubernetes", drivers).name == "flatcar"
    assert base.find_driver("vm", "debian", "kubernetes", drivers).name == "any"


def test_what_is_not_offered_is_refused_with_what_is() -> None:
    with pytest.raises(Invalid) as caught:
        base.find_driver("bm", "debian", "mesos", [_Driver("any", base.ANY)])

    assert "'mesos'" in caught.value.message
    assert "kubernetes on vm (any image)" in caught.value.message


def test_secrets_do_not_show_in_logs() -> None:
    access = base.NodeAccess("http://magnum", "", "MASTERSECRET", "NODESECRET")

    assert "SECRET" not in repr(access) + repr(base.Stack("", {}, {"a": "SECRET"}, {"b": "SECRET"}))
