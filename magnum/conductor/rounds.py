"""A round of questions: many bays are asked at once, and none of them can hold up or fail the others."""

import concurrent.futures
from collections.abc import Callable, Sequence

from oslo_log import log

from magnum.common.exception import MagnumError
from magnum.db import models

LOG = log.getLogger(__name__)
_BAYS_AT_ONCE = 8


def ask_all(bays: Sequence[models.Bay], ask: Callable[[models.Bay], None], patience: float) -> list[models.Bay]:
    """Ask every bay, each in a thread; answers those that failed, or were not done after ``patience`` seconds.

    The threads of the latter go on, and end by themselves.
    """
    if not bays:
        return []
    pool = concurrent.futures.ThreadPoolExecutor(min(len(bays), _BAYS_AT_ONCE), thread_name_prefix="round")
    try:
        asked = {pool.submit(ask, bay): bay for bay in bays}
        _, late = concurrent.futures.wait(asked, timeout=patience)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return [bay for future, bay in asked.items() if future in late or _failed(future, bay)]


def _failed(future: concurrent.futures.Future[None], bay: models.Bay) -> bool:
    error = future.exception()
    if isinstance(error, MagnumError):
        LOG.info("Bay %s did not answer: %s", bay.uuid, error.message)
    elif error is not None:
        LOG.error("Asking bay %s failed, as nobody expected.", bay.uuid, exc_info=error)
    return error is not None
