"""What the steps of operations work with, shared by all threads of a conductor."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

from oslo_config import cfg

from magnum.certificates.authority import Authority
from magnum.certificates.bootstrap import BootstrapTokens
from magnum.certificates.credentials import CredentialCache
from magnum.certificates.storage import SecretBox
from magnum.clients.cloud import Cloud
from magnum.coe.kubernetes import KubernetesBay
from magnum.coe.kubernetes_api import Access
from magnum.coe.limits import CallLimits
from magnum.common.exception import BayUnreachable
from magnum.db import models
from magnum.db.session import Database
from magnum.drivers.base import BayDriver


class BayApis(Protocol):
    """The way to the APIs of running bays."""

    def open(self, bay: models.Bay) -> AbstractContextManager[KubernetesBay]:
        """Speak to a bay.

        :raises BayUnreachable: it has no address yet, or too many speak to it already
        """


class RunningBays:
    """The bays themselves, spoken to with Magnum's own client certificates and at most a few calls at once to each."""

    def __init__(self, conf: cfg.ConfigOpts, database: Database, credentials: CredentialCache) -> None:
        self._timeout = conf.kubernetes.request_timeout
        self._limits = CallLimits(conf.kubernetes.calls_per_bay)
        self._database = database
        self._credentials = credentials

    @contextmanager
    def open(self, bay: models.Bay) -> Iterator[KubernetesBay]:
        if not bay.api_address:
            raise BayUnreachable(f"Bay {bay.uuid} has no API yet: its status is {bay.status}.")
        with self._database.reader() as session:
            held = self._credentials.get(session, bay.uuid)
        access = Access(bay.api_address, held.ca_pem, held.certificate_pem, held.key_pem)
        with self._limits.place(bay.uuid), KubernetesBay(access, self._timeout) as running:
            yield running


@dataclass(frozen=True)
class Tools:
    """Made once per conductor; nothing in it belongs to one bay."""

    conf: cfg.ConfigOpts
    database: Database
    cloud: Cloud
    authority: Authority
    secrets: SecretBox
    tokens: BootstrapTokens
    credentials: CredentialCache
    bays: BayApis
    drivers: Sequence[BayDriver]


def make_tools(conf: cfg.ConfigOpts, database: Database, cloud: Cloud, drivers: Sequence[BayDriver]) -> Tools:
    """The tools of a real conductor.

    :raises KeyProblem: no key is configured to store secrets with
    """
    authority = Authority(conf)
    credentials = CredentialCache(authority)
    return Tools(
        conf=conf,
        database=database,
        cloud=cloud,
        authority=authority,
        secrets=SecretBox(conf),
        tokens=BootstrapTokens(conf),
        credentials=credentials,
        bays=RunningBays(conf, database, credentials),
        drivers=drivers,
    )
