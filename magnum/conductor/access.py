"""The way to a bay's own API: its address, and credentials that the bay's authority signs for Magnum."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from oslo_config import cfg
from oslo_log import log

from magnum.certificates.authority import Authority, ClientCredentials
from magnum.certificates.storage import KeyProblem
from magnum.coe.kubernetes import KubernetesBay
from magnum.coe.kubernetes_api import Access
from magnum.common import clock
from magnum.common.exception import BayUnreachable, Conflict
from magnum.common.limits import CallLimits
from magnum.common.recent import Recent
from magnum.db import models
from magnum.db.session import Database

LOG = log.getLogger(__name__)

_RENEW_BEFORE = timedelta(hours=1)
_MOST_CREDENTIALS = 1024


class BayDoor:
    """Opens bays; safe to share between threads. Credentials are kept in memory only, and made anew before they end."""

    def __init__(self, conf: cfg.ConfigOpts, database: Database, authority: Authority) -> None:
        self._timeout: float = conf.kubernetes.request_timeout
        self._database = database
        self._authority = authority
        self._limits = CallLimits(conf.kubernetes.calls_per_bay)
        self._lock = threading.Lock()
        self._credentials: Recent[str, ClientCredentials] = Recent(_MOST_CREDENTIALS)

    @contextmanager
    def open(self, bay: models.Bay) -> Iterator[KubernetesBay]:
        """The bay's API, while one of its few places is held.

        :raises BayUnreachable: the bay has no address yet, all its places are taken, or its authority has ended
        """
        if not bay.api_address:
            raise BayUnreachable(f"Bay {bay.uuid} has no API address: its status is {bay.status}.")
        with self._limits.place(bay.uuid):
            mine = self._credentials_of(bay.uuid)
            access = Access(bay.api_address, mine.ca_pem, mine.certificate_pem, mine.key_pem)
            with KubernetesBay(access, self._timeout) as opened:
                yield opened

    def forget(self, bay_uuid: str) -> None:
        """Drop what is kept of a bay that is gone."""
        with self._lock:
            self._credentials.drop(bay_uuid)

    def _credentials_of(self, bay_uuid: str) -> ClientCredentials:
        with self._lock:
            kept = self._credentials.get(bay_uuid)
        if kept is not None and kept.not_after - _RENEW_BEFORE > clock.now():
            return kept
        try:
            with self._database.reader() as session:
                made = self._authority.client_credentials(session, bay_uuid)
        except Conflict as error:  # the authority is not there yet, or has ended
            raise BayUnreachable(error.message) from error
        except KeyProblem as error:
            LOG.error("The keys of bay %s cannot be read: %s", bay_uuid, error)
            raise BayUnreachable(
                f"The keys of bay {bay_uuid} cannot be read; the operator finds why in the log."
            ) from error
        with self._lock:
            self._credentials.put(bay_uuid, made)
        return made
