"""What must be so before anything on the machine is changed; each problem comes with the command that helps."""

import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from magnum.localcloud import processes
from magnum.localcloud.listeners import Listener, conflicts, listeners
from magnum.localcloud.paths import CloudPaths, Ports, cache_root, state_root

_GIB = 1 << 30
_CLOUD_MEMORY = 5 * _GIB // 2  # 1.2 GiB for the cloud, as much for a first bay
_BUILD_MEMORY = 4 * _GIB  # Go's compiler on two cores, beside the cloud being set up
_CLOUD_DISK = 3 * _GIB
_BUILD_DISK = 12 * _GIB
_CAP_NET_ADMIN = 12
_CAP_SYS_ADMIN = 21
_LINGER_SECONDS = 2.0
_LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Problem:
    """Something that keeps the cloud from coming up, and what to do about it."""

    what: str
    remedy: str


class PreflightError(Exception):
    """The machine is not ready; nothing was changed."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{problem.what}\n    {problem.remedy}" for problem in self.problems))


def check(paths: CloudPaths, ports: Ports, addresses: dict[str, tuple[str, int]], *, builds: bool) -> None:
    """Raise PreflightError naming every problem at once; for root.

    ``addresses`` says for each service where it will listen; ``builds`` whether Kubernetes and images have to be made.
    """
    problems = [*_operating_system(), *_privileges()]
    if not problems:
        problems = [*_resources(paths, builds=builds), *_ports(paths, ports, addresses)]
    if problems:
        raise PreflightError(problems)


def _operating_system() -> Iterable[Problem]:
    release = _os_release()
    families = {release.get("ID", ""), *release.get("ID_LIKE", "").split()}
    if "debian" not in families or shutil.which("apt-get") is None:
        yield Problem(
            f"This is {release.get('PRETTY_NAME', 'an unknown system')}; the local cloud is made of Debian's packages.",
            "Run it in Debian 12: a virtual machine, or a privileged container "
            "(docker run -it --privileged debian:bookworm).",
        )


def _privileges() -> Iterable[Problem]:
    held = _capabilities()
    for number, name, use in (
        (_CAP_SYS_ADMIN, "CAP_SYS_ADMIN", "start containers"),
        (_CAP_NET_ADMIN, "CAP_NET_ADMIN", "make networks"),
    ):
        if not held >> number & 1:
            yield Problem(
                f"Docker Engine cannot run here: this root may not {use} ({name} is missing).",
                "Inside a container, start that one with --privileged; else use a virtual machine.",
            )


def _resources(paths: CloudPaths, *, builds: bool) -> Iterable[Problem]:
    if not processes.members(paths.run):
        wanted, has = (_BUILD_MEMORY if builds else _CLOUD_MEMORY), _available_memory()
        if has < wanted:
            yield Problem(
                f"{_gib(has)} GiB of memory are free, {_gib(wanted)} GiB are needed.",
                "End what uses most of it (ps aux --sort=-rss | head), or give the machine more.",
            )
    wanted = _BUILD_DISK if builds else _CLOUD_DISK
    for folder, variable in ((cache_root(), "MAGNUM_LOCAL_CACHE"), (state_root(), "MAGNUM_LOCAL_STATE")):
        free = shutil.disk_usage(_nearest_existing(folder)).free
        if free < wanted:
            yield Problem(
                f"{_gib(free)} GiB of disk are free at {folder}, {_gib(wanted)} GiB are needed.",
                f"Make room (du -xh --max-depth=2 / | sort -h | tail), or use another disk: export {variable}=FOLDER",
            )


def _ports(paths: CloudPaths, ports: Ports, addresses: dict[str, tuple[str, int]]) -> Iterable[Problem]:
    for service, address, taken in _in_the_way(paths, addresses):
        who, stop = _holder(taken)
        yield Problem(
            f"Port {taken.port} of {address}, for {service}, is taken by {who}.",
            f"{stop}, or use other ports: magnum-local up --name {paths.name} --port-offset {ports.offset + 1000}",
        )


def _in_the_way(paths: CloudPaths, addresses: dict[str, tuple[str, int]]) -> list[tuple[str, str, Listener]]:
    """For each port that others have: the service that wants it, where, and who has it.

    A process that is just ending may not be told from others (its environment and its files are gone before its sockets
    are, and it may be one of ours that was killed), so only what stays for a while counts.
    """
    deadline = time.monotonic() + _LINGER_SECONDS
    while True:
        ours = set(processes.members(paths.run))
        found = [item for item in listeners({port for _, port in addresses.values()}) if item.pid not in ours]
        taken = [
            (service, address, item)
            for service, (address, port) in addresses.items()
            for item in found
            if item.port == port and conflicts(item, address)
        ]
        if not taken or time.monotonic() > deadline:
            return taken
        time.sleep(_LOOK_SECONDS)


def _holder(listener: Listener) -> tuple[str, str]:
    """Who has a port, and how to make them let go of it."""
    if listener.pid is None:
        return "a process that cannot be seen", "Stop it"
    mark = processes.mark_of(listener.pid)
    if mark is not None:
        cloud = mark.parent.parent.name
        return f"the local cloud {cloud!r}", f"Stop it (magnum-local down --name {cloud})"
    return f"process {listener.pid} ({listener.command})", f"Stop it (kill {listener.pid})"


def _os_release() -> dict[str, str]:
    try:
        lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {name: value.strip('"') for name, _, value in pairs}


def _capabilities() -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


def _available_memory() -> int:
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def _nearest_existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def _gib(number: int) -> str:
    return f"{number / _GIB:.1f}"
