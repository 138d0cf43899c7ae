"""Arithmetic on ranges and addresses; nothing here knows of Docker or of a database."""

import secrets
from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network
from itertools import chain

from . import errors


def parse_range(cidr: str) -> IPv4Network:
    """The range written as a CIDR, host bits ignored."""
    try:
        return IPv4Network(cidr, strict=False)
    except ValueError:
        raise errors.BadRequest(f"{cidr} is not an IPv4 range; the local cloud knows IPv4 alone.") from None


def free_range(wanted: IPv4Network, taken: Collection[IPv4Network], pools: Iterable[str]) -> IPv4Network:
    """The wanted range, or, when it overlaps one that is taken, a free one of the same size from the pools."""
    spare = (
        candidate
        for pool in map(IPv4Network, pools)
        if pool.prefixlen <= wanted.prefixlen
        for candidate in pool.subnets(new_prefix=wanted.prefixlen)
    )
    for candidate in chain([wanted], spare):
        if not any(candidate.overlaps(other) for other in taken):
            return candidate
    raise errors.Conflict(f"Range {wanted} is in use and no other of its size is free.")


def gateway(network: IPv4Network) -> IPv4Address:
    """The first host of a range, which Neutron too gives to the router."""
    return network[1] if network.num_addresses > 2 else network[0]


def moved(address: str, wanted: IPv4Network, actual: IPv4Network) -> IPv4Address:
    """The address of the actual range that stands where this one stood in the wanted range."""
    ip = IPv4Address(address)
    if ip in wanted:
        return actual[int(ip) - int(wanted[0])]
    if ip in actual:
        return ip
    raise errors.BadRequest(f"Address {address} is not in the subnet's range {actual}.")


def first_free(
    network: IPv4Network, used: Collection[IPv4Address], pools: Collection[tuple[IPv4Address, IPv4Address]] = ()
) -> IPv4Address:
    """An unused host address, from the allocation pools where there are some."""
    for ip in _candidates(network, pools):
        if ip not in used and ip != gateway(network):
            return ip
    raise errors.Conflict(f"No free address is left in the subnet's range {network}.")


def _candidates(network: IPv4Network, pools: Collection[tuple[IPv4Address, IPv4Address]]) -> Iterator[IPv4Address]:
    if not pools:
        yield from network.hosts()
    for start, end in pools:
        yield from map(IPv4Address, range(int(start), int(end) + 1))


def random_mac() -> str:
    """A MAC address with the prefix that Neutron uses."""
    return "fa:16:3e:" + ":".join(f"{byte:02x}" for byte in secrets.token_bytes(3))


def host_routes(table: str) -> list[IPv4Network]:
    """The ranges that this machine has routes to, default routes apart, read from the text of /proc/net/route."""
    found = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 8 or fields[7] == "00000000":
            continue
        # The kernel prints both in the byte order of the machine.
        destination, mask = (int.from_bytes(bytes.fromhex(fields[i]), "little") for i in (1, 7))
        found.append(IPv4Network((destination & mask, mask.bit_count())))
    return found
