"""Limits of the kernel that many servers on one machine come up against.

Every server of a bay runs systemd, containerd and kubelet, and each of these watches files: about ten inotify instances
a server, all counted for this machine's root. With Debian's limit of 128 a dozen servers are too many, and the next
systemd ends without a word. The limits are raised while there is a cloud, and put back when the last one is reset.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from magnum.localcloud.files import write_atomically
from magnum.localcloud.paths import state_root
from magnum.localcloud.processes import ServiceError

_WANTED = {"max_user_instances": 8192, "max_user_watches": 524288}
_FOLDER = Path("/proc/sys/fs/inotify")


def raise_limits(folder: Path = _FOLDER, wanted: Mapping[str, int] = _WANTED) -> None:
    """Have the limits at least as high as wanted, and note what they were."""
    before = {name: int((folder / name).read_text()) for name in wanted}
    low = {name: value for name, value in before.items() if value < wanted[name]}
    if not low:
        return
    if not _note().exists():
        state_root().mkdir(parents=True, exist_ok=True)
        write_atomically(_note(), json.dumps(low) + "\n")
    for name in low:
        try:
            (folder / name).write_text(str(wanted[name]))
        except OSError as error:
            raise ServiceError(
                f"fs.inotify.{name} is {low[name]}, too low for several servers, and cannot be raised here "
                f"({error.strerror}). On the machine itself: sysctl -w fs.inotify.{name}={wanted[name]}"
            ) from error


def restore(folder: Path = _FOLDER) -> None:
    """Put back what `raise_limits` found."""
    if _note().exists():
        for name, value in json.loads(_note().read_text()).items():
            (folder / name).write_text(str(value))
        _note().unlink()


def _note() -> Path:
    return state_root() / "kernel-limits.json"
