"""Who listens on a TCP port of this machine, as the kernel tells it."""

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

_LISTEN = "0A"


@dataclass(frozen=True)
class Listener:
    """A socket that listens, and the process that has it open (None where it cannot be seen)."""

    address: str
    port: int
    pid: int | None
    command: str


def listeners(ports: set[int]) -> list[Listener]:
    """Every listening socket on one of ``ports``."""
    sockets: list[tuple[str, int, str]] = []
    for table in ("tcp", "tcp6"):
        sockets.extend(_listening(Path("/proc/net") / table))
    wanted = [item for item in sockets if item[1] in ports]
    owners = _owners({inode for _, _, inode in wanted})
    found = []
    for address, port, inode in wanted:
        pid = owners.get(inode)
        found.append(Listener(address=address, port=port, pid=pid, command=_command(pid)))
    return found


def conflicts(listener: Listener, address: str) -> bool:
    """Whether the socket keeps another from listening on its port at ``address``."""
    return ip_address(listener.address).is_unspecified or listener.address == address


def _listening(table: Path) -> list[tuple[str, int, str]]:
    found = []
    for line in table.read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        if fields[3] == _LISTEN:
            address, port = fields[1].split(":")
            found.append((_address(address), int(port, 16), fields[9]))
    return found


def _address(text: str) -> str:
    # The kernel prints each 32-bit word of an address in the machine's own byte order.
    words = [bytes.fromhex(text[start : start + 8])[::-1] for start in range(0, len(text), 8)]
    parsed = ip_address(b"".join(words))
    mapped = getattr(parsed, "ipv4_mapped", None)
    return str(mapped or parsed)


def _owners(inodes: set[str]) -> dict[str, int]:
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    owners: dict[str, int] = {}
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or not wanted:
            continue
        try:
            targets = [str(link.readlink()) for link in (process / "fd").iterdir()]
        except OSError:
            continue  # gone meanwhile, or not ours to see
        owners.update({wanted[target]: int(process.name) for target in targets if target in wanted})
    return owners


def _command(pid: int | None) -> str:
    if pid is None:
        return "unknown"
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "unknown"
