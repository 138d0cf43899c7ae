"""A volume for images and containers: it becomes the home of containerd."""

import glob
import subprocess
from pathlib import Path

import system

_HOME = "/var/lib/containerd"
_STAGING = Path("/run/magnum-volume")
_FSTAB = Path("/etc/fstab")
_DISKS = Path("/dev/disk/by-id")
_ID_LENGTH = 20  # as much of a volume's id as a disk's serial number holds


def mount(volume_id: str, deadline: float) -> None:
    """Wait for the volume's disk, give it a file system if it has none, and move containerd there."""
    pattern = f"*{glob.escape(volume_id[:_ID_LENGTH])}"
    found = system.wait_for(lambda: list(_DISKS.glob(pattern)) or None, deadline, f"volume {volume_id} is not attached")
    disk = str(found[0].resolve())
    if not _has_file_system(disk):
        system.run("mkfs.ext4", "-q", disk)
    system.run("systemctl", "stop", "containerd")
    _move_content(disk)
    identifier = system.run("blkid", "-o", "value", "-s", "UUID", disk).strip()
    with _FSTAB.open("a") as table:
        table.write(f"UUID={identifier} {_HOME} ext4 defaults,nofail,x-systemd.before=containerd.service 0 2\n")
    system.run("mount", disk, _HOME)


def _has_file_system(disk: str) -> bool:
    return subprocess.run(["blkid", disk], capture_output=True, check=False).returncode == 0


def _move_content(disk: str) -> None:
    """Keep the images that came with the server's own image."""
    _STAGING.mkdir(exist_ok=True)
    Path(_HOME).mkdir(exist_ok=True)
    system.run("mount", disk, str(_STAGING))
    system.run("cp", "-a", f"{_HOME}/.", str(_STAGING))
    system.run("umount", str(_STAGING))
