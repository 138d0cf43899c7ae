"""A volume for images and containers: it becomes the home of containerd."""

import glob
import subprocess
from pathlib import Path

import system

_HOME = "/var/lib/containerd"
_DISKS = Path("/dev/disk/by-id")
_ID_LENGTH = 20  # as much of a volume's id as a disk's serial number holds


def mount(volume_id: str, deadline: float) -> None:
    """Wait for the volume's disk, give it a file system if it has none, and move containerd there."""
    pattern = f"*{glob.escape(volume_id[:_ID_LENGTH])}"
    found = system.wait_for(lambda: list(_DISKS.glob(pattern)) or None, deadline, f"volume {volume_id} is not attached")
    disk = str(found[0].resolve())
    if subprocess.run(["blkid", disk], capture_output=True, check=False).returncode:
        system.run("mkfs.ext4", "-q", disk)
    system.run("systemctl", "stop", "containerd")
    with Path("/etc/fstab").open("a") as table:
        identifier = system.run("blkid", "-o", "value", "-s", "UUID", disk).strip()
        table.write(f"UUID={identifier} {_HOME} ext4 defaults,nofail,x-systemd.before=containerd.service 0 2\n")
    _move_content(disk)
    system.run("mount", _HOME)


def _move_content(disk: str) -> None:
    """Keep the images that came with the server's own image."""
    staging = Path("/run/magnum-volume")
    staging.mkdir(exist_ok=True)
    system.run("mount", disk, str(staging))
    Path(_HOME).mkdir(exist_ok=True)
    system.run("cp", "-a", f"{_HOME}/.", str(staging))
    system.run("umount", str(staging))
