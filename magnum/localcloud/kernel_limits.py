"""Limits of the kernel that servers of bays share with this machine, and that Debian sets for one system alone.

Each server's systemd, kubelet and containerd watch files. Where there are no more watches to be had, they end without a
word. What is raised here is put back when the last cloud is removed.
"""

import json
from pathlib import Path

from magnum.localcloud.files import read_json, write_atomically
from magnum.localcloud.paths import state_root
from magnum.localcloud.processes import ServiceError

_NEEDED = {"fs.inotify.max_user_instances": 8192, "fs.inotify.max_user_watches": 524288}
_SETTINGS = Path("/proc/sys")


def raise_limits() -> list[str]:
    """Raise what is too low; the names of what was."""
    low = [name for name, needed in _NEEDED.items() if _read(name) < needed]
    if low:
        before = {name: _read(name) for name in low}
        write_atomically(_memory(), json.dumps({**before, **read_json(_memory())}) + "\n")  # the first value is theirs
        for name in low:
            _write(name, _NEEDED[name])
    return low


def put_back() -> None:
    """Set what was raised to what it was, unless somebody has changed it since."""
    for name, value in read_json(_memory()).items():
        if name in _NEEDED and _read(name) == _NEEDED[name]:
            _write(name, int(value))
    _memory().unlink(missing_ok=True)


def _memory() -> Path:
    return state_root() / "kernel-limits.json"


def _file(name: str) -> Path:
    return _SETTINGS / name.replace(".", "/")


def _read(name: str) -> int:
    return int(_file(name).read_text(encoding="ascii"))


def _write(name: str, value: int) -> None:
    try:
        _file(name).write_text(f"{value}\n", encoding="ascii")
    except OSError as error:
        raise ServiceError(
            f"The limit {name} is {_read(name)} and cannot be set to {value} here ({error.strerror}). "
            f"On the machine that this one runs on, as root: sysctl -w {name}={value}"
        ) from error
