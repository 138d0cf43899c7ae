"""What the steps of operations work with, shared by all threads of a conductor."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from oslo_config import cfg

from magnum.certificates.authority import Authority
from magnum.certificates.bootstrap import BootstrapTokens
from magnum.certificates.storage import SecretBox
from magnum.clients.cloud import Cloud
from magnum.coe.kubernetes import KubernetesBay
from magnum.conductor.access import BayDoor
from magnum.db import models
from magnum.db.session import Database
from magnum.drivers.base import BayDriver


class BayApis(Protocol):
    """The way to the APIs of running bays."""

    def open(self, bay: models.Bay) -> AbstractContextManager[KubernetesBay]:
        """Speak to a bay.

        :raises BayUnreachable: it has no address yet, or too many speak to it already
        """

    def forget(self, bay_uuid: str) -> None:
        """Drop what is kept of a bay that is gone."""


@dataclass(frozen=True)
class Tools:
    """Made once per conductor; nothing in it belongs to one bay."""

    conf: cfg.ConfigOpts
    database: Database
    cloud: Cloud
    authority: Authority
    secrets: SecretBox
    tokens: BootstrapTokens
    bays: BayApis
    drivers: Sequence[BayDriver]


def make_tools(conf: cfg.ConfigOpts, database: Database, cloud: Cloud, drivers: Sequence[BayDriver]) -> Tools:
    """The tools of a real conductor.

    :raises KeyProblem: no key is configured to store secrets with
    """
    authority = Authority(conf)
    return Tools(
        conf=conf,
        database=database,
        cloud=cloud,
        authority=authority,
        secrets=SecretBox(conf),
        tokens=BootstrapTokens(conf),
        bays=BayDoor(conf, database, authority),
        drivers=drivers,
    )
