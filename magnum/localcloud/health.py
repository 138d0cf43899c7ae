"""Questions that tell whether a service is up. Each one is short, and bounded."""

import socket
import urllib.error
import urllib.request
from pathlib import Path

_SECONDS = 5.0


def answers_http(url: str) -> bool:
    """Whether something speaks HTTP at ``url`` without failing (any status below 500 will do)."""
    request = urllib.request.Request(url, headers={"Accept": "application/json"})  # noqa: S310 - our own http URL
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS):  # noqa: S310
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False


def accepts_tcp(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=_SECONDS):
            return True
    except OSError:
        return False


def accepts_unix(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_SECONDS)
        try:
            connection.connect(str(path))
        except OSError:
            return False
        return True
