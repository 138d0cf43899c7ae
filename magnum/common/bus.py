"""oslo.messaging on threads. All of Magnum has it from here: oslo.messaging imports oslo.service, which takes eventlet
where nobody chose before.
"""

from oslo_service import backend

backend.init_backend(backend.BackendType.THREADING)

import oslo_messaging as messaging  # noqa: E402

__all__ = ["messaging"]
