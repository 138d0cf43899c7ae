"""Baymodels: kinds of bays."""

from collections.abc import Mapping, Sequence
from typing import Any

from magnum.api import cloud
from magnum.api.call import Call, Services
from magnum.api.controller import Fields, ResourceController
from magnum.api.fields import Dated, Field, Use
from magnum.api.types import Boolean, Choice, IPv4, Labels, Name, PublicKey, Text, Uuid, Whole
from magnum.common.exception import Forbidden, Invalid
from magnum.db import models, resources
from magnum.drivers.base import BayDriver, find_driver

_COES = ("kubernetes", "swarm", "mesos")
_LARGEST_VOLUME = 2**20
_LONGEST_KEY = 16384
_EXAMPLE_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILpW9Vvd4evMV+SMKKviCzM4ayy3dSpWLLF91pQOYTNV alice@example.com"


class BayModelFields(Dated):
    """A baymodel."""

    uuid = Field(Uuid())
    name = Field(Name(), example="small")
    coe = Field(Choice(*_COES), mandatory=True, example="kubernetes")
    image_id = Field(Text(255), mandatory=True, example="debian-kubernetes")
    flavor_id = Field(Text(255), example="m1.small")
    master_flavor_id = Field(Text(255), example="m1.small")
    keypair_id = Field(Text(255))
    external_network_id = Field(Text(255))
    fixed_network = Field(Text(255))
    dns_nameserver = Field(IPv4(), example="8.8.8.8")
    apiserver_port = Field(Whole(1024, 65535))
    docker_volume_size = Field(Whole(1, _LARGEST_VOLUME))
    ssh_authorized_key = Field(PublicKey(_LONGEST_KEY), example=_EXAMPLE_KEY)
    cluster_distro = Field(Text(255), use=Use.IGNORED)
    network_driver = Field(Text(255), example="flannel")
    volume_driver = Field(Text(255))
    http_proxy = Field(Text(255), example="http://proxy.example.com:3128")
    https_proxy = Field(Text(255), example="http://proxy.example.com:3128")
    no_proxy = Field(Text(255), example="10.0.0.0/8,.example.com")
    labels = Field(Labels(), default={})
    registry_enabled = Field(Boolean(), default=False)
    tls_disabled = Field(Boolean(), default=False)
    public = Field(Boolean(), default=False)
    server_type = Field(Text(255), default="vm")


class BayModels(ResourceController[models.BayModel]):
    """Baymodels. What a bay was made of does not change while there is such a bay."""

    noun = "baymodel"
    plural = "baymodels"
    model = models.BayModel
    fields = BayModelFields
    short = ("uuid", "name", "image_id", "apiserver_port", "coe")
    ignored_parameters = ("baymodel_uuid",)

    def target(self, row: models.BayModel) -> Fields:
        return {**super().target(row), "public": row.public}

    def checked(
        self, call: Call, values: dict[str, Any], problems: Sequence[str], row: models.BayModel | None = None
    ) -> dict[str, Any]:
        if values.get("coe") == "kubernetes" and not values.get("network_driver"):
            values = {**values, "network_driver": call.services.conf.baymodel.kubernetes_default_network_driver}
        new = [name for name, value in values.items() if row is None or value != getattr(row, name)]
        said = cloud.check(call, values, new)
        same_image = row is not None and "image_id" not in new
        values = {**values, "cluster_distro": row.cluster_distro if row and same_image else said.cluster_distro}
        found = [*problems, *said.problems.values()]
        if "coe" in values and "server_type" in values:
            found += driver_problems(call.services, values, said, for_bay=False)
        return super().checked(call, values, found, row)

    def store(self, call: Call, values: dict[str, Any]) -> models.BayModel:
        if values["public"]:
            call.allow("baymodel:publish")
        return super().store(call, values)

    def change(self, call: Call, row: models.BayModel, changed: Fields) -> models.BayModel:
        _refuse_of_others(call, row)
        if changed.get("public"):
            call.allow("baymodel:publish", self.target(row))
        with call.services.database.writer() as session:
            _refuse_if_in_use(session, row)
            return self.write(session, call, row, changed)

    def remove(self, call: Call, row: models.BayModel) -> None:
        _refuse_of_others(call, row)
        with call.services.database.writer() as session:
            _refuse_if_in_use(session, row)
            resources.remove(session, call.context, self.model, row.uuid)


def driver_problems(
    services: Services, baymodel: Mapping[str, Any], said: cloud.Findings, *, for_bay: bool
) -> list[str]:
    """What keeps the driver from building bays of this baymodel, or that there is none.

    :param said: what the cloud says of it; for the right image there may be a driver
    :param for_bay: one is to be built now
    """
    server_type, coe = baymodel["server_type"], baymodel["coe"]
    try:
        driver = find_driver(server_type, baymodel["cluster_distro"], coe, drivers=services.drivers)
    except Invalid as error:
        some = any((each.server_type, each.coe) == (server_type, coe) for each in services.drivers)
        return [] if some and "image_id" in said.problems else error.problems
    return [
        *driver.validate(baymodel, for_bay=for_bay),
        *_not_allowed(services, driver, baymodel.get("network_driver")),
    ]


def _refuse_of_others(call: Call, row: models.BayModel) -> None:
    """A public one is there for everybody, so that this is no 404; policy lets operators come this far."""
    if row.project_id != call.context.project_id:
        raise Forbidden(f"Baymodel {row.uuid} belongs to another project, and only that one changes it.")


def _refuse_if_in_use(session: Any, row: models.BayModel) -> None:
    if resources.baymodel_in_use(session, row.uuid):
        raise Invalid(f"Baymodel {row.uuid} is referenced by one or multiple bays.")


def _not_allowed(services: Services, driver: BayDriver, network_driver: str | None) -> list[str]:
    allowed = services.conf.baymodel.kubernetes_allowed_network_drivers
    if network_driver not in driver.network_drivers or "all" in allowed or network_driver in allowed:
        return []
    return [f"network_driver {network_driver} is not allowed in this cloud. Allowed are {', '.join(allowed)}."]
