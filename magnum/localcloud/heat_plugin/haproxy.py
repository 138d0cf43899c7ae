"""The configuration of a load balancer, written out of what Octavia would know of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from . import errors

_HEAD = """\
global
    maxconn 4096
    log stdout format raw local0 notice

defaults
    mode tcp
    log global
    timeout connect 5s
    # Watches of a Kubernetes API are silent for long.
    timeout client 1h
    timeout server 1h

# Something to serve before there is a listener.
frontend idle
    bind 127.0.0.1:65535
    mode http
    http-request return status 204
"""
_ALGORITHMS = {
    "ROUND_ROBIN": "roundrobin",
    "LEAST_CONNECTIONS": "leastconn",
    "SOURCE_IP": "source",
    "SOURCE_IP_PORT": "source",
}
# TLS is passed through as it is, so HTTPS is TCP to a balancer that does not end it.
_MODES = {"TCP": "tcp", "HTTPS": "tcp", "HTTP": "http"}


@dataclass(frozen=True)
class Member:
    """A server of a pool."""

    id: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Pool:
    """A pool, its members and the monitor that watches them."""

    id: str
    data: dict[str, Any]
    members: Sequence[Member]
    monitor: dict[str, Any] | None = None


@dataclass(frozen=True)
class Listener:
    """A port of the balancer's address, and the pool behind it."""

    id: str
    data: dict[str, Any]
    pool: Pool | None = None


def render(address: str, listeners: Sequence[Listener]) -> str:
    """The configuration file of a balancer at that address."""
    parts = [_HEAD]
    for listener in listeners:
        if not listener.data.get("admin_state_up", True):
            continue
        parts.append(_frontend(address, listener))
        if listener.pool:
            parts.append(_backend(listener, listener.pool))
    return "\n".join(parts)


def _frontend(address: str, listener: Listener) -> str:
    lines = [
        f"frontend {listener.id}",
        f"    bind {address}:{listener.data['protocol_port']}",
        f"    mode {_mode(listener.data['protocol'])}",
    ]
    limit = listener.data.get("connection_limit", -1)
    if limit >= 0:
        lines.append(f"    maxconn {limit}")
    cidrs = listener.data.get("allowed_cidrs") or []
    if cidrs:
        lines.append(f"    tcp-request connection reject unless {{ src {' '.join(cidrs)} }}")
    if listener.pool:
        lines.append(f"    default_backend {listener.id}-{listener.pool.id}")
    return "\n".join(lines) + "\n"


def _backend(listener: Listener, pool: Pool) -> str:
    lines = [
        f"backend {listener.id}-{pool.id}",
        f"    mode {_mode(listener.data['protocol'])}",
        f"    balance {_ALGORITHMS[pool.data['lb_algorithm']]}",
    ]
    if (pool.data.get("session_persistence") or {}).get("type") == "SOURCE_IP":
        lines += ["    stick-table type ip size 10k expire 30m", "    stick on src"]
    checks = _checks(pool.monitor)
    lines += checks.lines
    for member in pool.members:
        if not member.data.get("admin_state_up", True):
            continue
        target = f"{member.data['address']}:{member.data['protocol_port']}"
        lines.append(f"    server {member.id} {target} weight {member.data['weight']}{checks.suffix}")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class _Checks:
    lines: list[str]
    suffix: str


def _checks(monitor: dict[str, Any] | None) -> _Checks:
    if monitor is None or not monitor.get("admin_state_up", True) or monitor["type"] == "PING":
        return _Checks([], "")
    retries, delay = monitor["max_retries"], max(1, monitor["delay"])
    suffix = f" check inter {delay}s rise {retries} fall {retries}"
    lines = [f"    timeout check {max(1, monitor['timeout'])}s"]
    if monitor["type"] in ("HTTP", "HTTPS"):
        method, path = monitor.get("http_method") or "GET", monitor.get("url_path") or "/"
        codes = (monitor.get("expected_codes") or "200").replace(" ", "")
        lines += [f"    option httpchk {method} {path}", f"    http-check expect status {codes}"]
    if monitor["type"] == "HTTPS":
        suffix += " check-ssl verify none"
    return _Checks(lines, suffix)


def _mode(protocol: str) -> str:
    mode = _MODES.get(protocol)
    if mode is None:
        raise errors.BadRequest(f"The local cloud's load balancer does not know protocol {protocol}.")
    return mode
