"""Fetching the manifest that a tenant's `manifest_url` names.

The API does this with its own place in the network, which a tenant must not borrow. So the name is resolved once, all
its addresses must be public, and the connection goes to an address that was looked at, not to the name again; to a
redirect all of that applies anew. One deadline bounds the whole, and reading stops at the largest size allowed.
"""

import http.client
import ipaddress
import socket
import ssl
from typing import Any
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from magnum.coe.sockets import BoundedContext, BoundedSocket, Deadline
from magnum.common.exception import Invalid

_PORTS = {"http": 80, "https": 443}
_REDIRECTS = (301, 302, 303, 307, 308)
_MAX_REDIRECTS = 3
_AS_IS = "/%:@!$&'()*+,;=~?"  # what may stand in a path or query, and escapes that are there already
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NOT_PUBLIC = [ipaddress.IPv6Network(text) for text in ("::/96", "64:ff9b:1::/48", "fec0::/10")]
"""What Python counts among the public ones: IPv4 in a form given up, NAT64 of one's own, and site-local."""

_Address = tuple[socket.AddressFamily, Any]  # as socket.connect wants it: a host's address comes first


def fetch_manifest(url: str, max_size: int, allow_private: bool, timeout: float = 10.0) -> str:
    """The text behind a URL; `Invalid` says why there is none."""
    deadline = Deadline(timeout)
    for _ in range(_MAX_REDIRECTS + 1):
        try:
            answer = _get(_split(url), max_size, allow_private, deadline)
            if isinstance(answer, bytes):
                return _decoded(answer, max_size)
            url = urljoin(url, answer)
        except UnicodeDecodeError as error:
            raise Invalid("manifest_url leads to something that is not text in UTF-8.") from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise Invalid(f"manifest_url cannot be fetched: {_plainly(error, deadline)}.") from error
    raise Invalid(f"manifest_url leads to more than {_MAX_REDIRECTS} redirects: give the address they end at.")


def _split(url: str) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise Invalid("manifest_url must begin with http:// or https:// and a host's name.")
    if parts.username is not None or parts.password is not None:
        raise Invalid("manifest_url must not hold a user name or password: send the text as manifest instead.")
    return parts


def _get(parts: SplitResult, max_size: int, allow_private: bool, deadline: Deadline) -> bytes | str:
    """The body, one byte longer than allowed if there is more of it, or where a redirect points."""
    host = _ascii(parts.hostname or "")
    addresses = _resolve(host, parts.port or _PORTS[parts.scheme])
    if not allow_private and not all(_is_public(address[1][0]) for address in addresses):
        raise Invalid(f"manifest_url names {host}, a host of no public network: send the text as manifest instead.")
    connection = http.client.HTTPConnection(host)
    connection.sock = _connect(addresses, deadline)
    try:
        if parts.scheme == "https":
            connection.sock = _tls(deadline).wrap_socket(connection.sock, server_hostname=host)
        connection.request("GET", _target(parts), headers={"Host": _ascii(parts.netloc), "Accept-Encoding": "identity"})
        response = connection.getresponse()
        location = response.headers.get("Location")
        if response.status in _REDIRECTS and location:
            return location
        if response.status != 200:
            raise Invalid(f"manifest_url cannot be fetched: {host} answers with code {response.status}.")
        return response.read(max_size + 1)
    finally:
        connection.close()


def _ascii(name: str) -> str:
    return name.encode("idna").decode()


def _target(parts: SplitResult) -> str:
    path = quote(parts.path or "/", safe=_AS_IS)
    return f"{path}?{quote(parts.query, safe=_AS_IS)}" if parts.query else path


def _resolve(host: str, port: int) -> list[_Address]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [(family, address) for family, _, _, _, address in found if family in (socket.AF_INET, socket.AF_INET6)]


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if any(address in network for network in _NOT_PUBLIC):
            return False
        embedded = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if embedded is None and address in _NAT64:
            embedded = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if embedded is not None:
            address = embedded
    return address.is_global and not address.is_multicast


def _connect(addresses: list[_Address], deadline: Deadline) -> BoundedSocket:
    failure: OSError = socket.gaierror("no address")
    for family, address in addresses:
        try:
            return BoundedSocket.connect_to(family, address, deadline)
        except OSError as error:
            failure = error
    raise failure


def _tls(deadline: Deadline) -> BoundedContext:
    context = BoundedContext()
    context.load_default_certs()
    context.deadline = deadline
    return context


def _decoded(body: bytes, max_size: int) -> str:
    if len(body) > max_size:
        raise Invalid(f"manifest_url leads to more than the {max_size} bytes a manifest may have.")
    return body.decode()


def _plainly(error: BaseException, deadline: Deadline) -> str:
    if isinstance(error, TimeoutError):
        return f"it was not there within {deadline.seconds:g} seconds"
    if isinstance(error, socket.gaierror):
        return "its host's name cannot be resolved"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its host's certificate is not valid ({error.verify_message.rstrip('.')})"
    if isinstance(error, ConnectionRefusedError):
        return "its host refuses connections"
    if isinstance(error, ValueError):
        return "it is not a valid URL"
    return "the connection failed"
