"""Addresses, hosts and URLs that can be used as such, not only spelled right."""

import ipaddress
import re
from urllib.parse import urlsplit

_SPECIAL = [
    ipaddress.IPv4Network(cidr) for cidr in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4")
]
_HOST = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?\.?")
_NUMBERS = re.compile(r"[0-9.]+")


def is_ordinary(network: ipaddress.IPv4Network) -> bool:
    """Whether machines can have all these addresses: none is of the host itself, local to a link, or multicast."""
    return not any(network.overlaps(special) for special in _SPECIAL)


def is_name_server(text: str) -> bool:
    """Whether this is an IPv4 address that a machine can have."""
    try:
        return is_ordinary(ipaddress.IPv4Network(f"{ipaddress.IPv4Address(text)}/32"))
    except ValueError:
        return False


def is_http_url(text: str) -> bool:
    """Whether this is an http or https URL with a host, and with a port from 1 to 65535 if it has one."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and _is_host(parts.hostname or "") and parts.port != 0
    except ValueError:
        return False


def _is_host(text: str) -> bool:
    if ":" in text or _NUMBERS.fullmatch(text):
        ipaddress.ip_address(text)
        return True
    return _HOST.fullmatch(text) is not None
