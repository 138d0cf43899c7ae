"""How much memory processes use: proportional set sizes, so that what is shared counts once."""

from collections.abc import Iterable
from pathlib import Path


def of_processes(pids: Iterable[int]) -> int:
    """Bytes used by these processes together; those that are gone count nothing."""
    return sum(_proportional_set_size(pid) for pid in pids)


def processes_of_containers(ids: Iterable[str]) -> list[int]:
    """The processes in Docker containers, those of containers inside them included."""
    wanted = tuple(ids)
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            cgroups = (entry / "cgroup").read_text(encoding="utf-8")
        except OSError:
            continue  # gone meanwhile
        if any(identifier in cgroups for identifier in wanted):
            found.append(int(entry.name))
    return found


def _proportional_set_size(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
