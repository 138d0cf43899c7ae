"""Figures for Prometheus, as [metrics] wants them."""

import os
import shutil
import socket
import sys
import tempfile
from pathlib import Path

from oslo_config import cfg

from magnum.common import metrics


class Figures:
    """Those of one service; made before it works, and before it has any process but its first.

    :param port_option: which of [metrics] says where they can be fetched
    :param forks: whether its work is done by processes that it forks
    """

    def __init__(self, conf: cfg.ConfigOpts, port_option: str, *, forks: bool) -> None:
        self._listening: socket.socket | None = None
        self._folder: Path | None = None
        if conf.metrics.enabled:
            self._listening = _listen(conf.metrics.host, conf.metrics[port_option], port_option)
            self._folder = Path(tempfile.mkdtemp(prefix="magnum-metrics-")) if forks else None
            metrics.start(self._folder)

    def serve(self) -> None:
        """Let Prometheus fetch them from this process."""
        if self._listening is not None:
            metrics.serve(self._listening)

    def remove(self) -> None:
        """Drop the files they are kept in."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _listen(host: str, port: int, option: str) -> socket.socket:
    try:
        return metrics.listen(host, port)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        sys.exit(
            f"Prometheus cannot be served at {host}, port {port}: {reason}. "
            f"Services on one host need a [metrics] {option} of their own."
        )
