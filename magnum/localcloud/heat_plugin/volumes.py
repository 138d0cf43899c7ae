"""Volumes: files of this machine that a server sees as disks, by way of loop devices.

A disk appears in a running server as Nova's virtio disks do: under /dev/disk/by-id, with the first twenty characters of
the volume's id. Nothing tells the server's udev of it, so the name is made together with the device.
"""

import subprocess
from pathlib import Path

from . import engine, errors, inventory, settings

_TIMEOUT = 60
_BY_ID = "/dev/disk/by-id"
_SERIAL_LENGTH = 20


class Volumes:
    """Cinder, in small."""

    def __init__(self, config: settings.Settings, store: inventory.Inventory, docker: engine.Engine) -> None:
        self._config = config
        self._store = store
        self._docker = docker

    def create(self, record: inventory.Record, gigabytes: int) -> None:
        """Make an empty volume; it takes space only where it is written."""
        record.data |= {"size": gigabytes, "attached_to": None}
        with self._store.transaction() as rows:
            rows.put(record)
        path = self._file(record.id)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.touch(mode=0o600)
        self.resize(record.id, gigabytes)

    def resize(self, volume_id: str, gigabytes: int) -> None:
        """Make a volume larger."""
        with self._store.transaction() as rows:
            volume = rows.get("volume", volume_id)
            if gigabytes < volume.data["size"]:
                raise errors.BadRequest(f"Volume {volume.name} cannot be made smaller.")
            volume.data["size"] = gigabytes
            rows.put(volume)
        with self._file(volume_id).open("r+b") as file:
            file.truncate(gigabytes * 1024**3)
        for device in self._devices(volume_id):
            _run("losetup", "--set-capacity", device)

    def delete(self, volume_id: str) -> None:
        """Remove a volume, if it is there."""
        self._release_devices(volume_id)
        self._file(volume_id).unlink(missing_ok=True)
        with self._store.transaction() as rows:
            rows.remove(volume_id)

    def attach(self, volume: str, project: str, server_id: str, container: str) -> str:
        """Show a volume to a server as a disk; its id."""
        with self._store.transaction() as rows:
            record = rows.resolve("volume", project, volume)
            rows.get("server", server_id)
            if record.data["attached_to"] not in (None, server_id):
                raise errors.Conflict(f"Volume {record.name} is in use by server {record.data['attached_to']}.")
            record.data["attached_to"] = server_id
            rows.put(record)
        devices = self._devices(record.id) or [_run("losetup", "--find", "--show", str(self._file(record.id)))]
        node = f"/dev/{Path(devices[0]).name}"
        number = devices[0].removeprefix("/dev/loop")
        link = disk_path(record.id)
        script = f"mkdir -p {_BY_ID} && (test -b {node} || mknod {node} b 7 {number}) && ln -sfn {node} {link}"
        self._docker.run(container, ["sh", "-c", script])
        return record.id

    def detach(self, volume_id: str, container: str) -> None:
        """Take a volume from the server it is attached to; a server that is gone is no error."""
        found = self._docker.inspect(container)
        if found and found["State"]["Running"]:
            self._docker.run(container, ["rm", "-f", disk_path(volume_id)])
        self._release_devices(volume_id)
        with self._store.transaction() as rows:
            volume = rows.find("volume", volume_id)
            if volume:
                volume.data["attached_to"] = None
                rows.put(volume)

    def _release_devices(self, volume_id: str) -> None:
        # A device that is still mounted somewhere goes when its last user does.
        for device in self._devices(volume_id):
            _run("losetup", "--detach", device)

    def _devices(self, volume_id: str) -> list[str]:
        path = self._file(volume_id)
        if not path.exists():
            return []
        lines = _run("losetup", "--noheadings", "--output", "NAME", "--associated", str(path)).splitlines()
        return [line.strip() for line in lines if line.strip()]

    def _file(self, volume_id: str) -> Path:
        return self._config.state / "volumes" / f"{volume_id}.img"


def disk_path(volume_id: str) -> str:
    """Where a server finds a volume."""
    return f"{_BY_ID}/virtio-{volume_id[:_SERIAL_LENGTH]}"


def _run(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise errors.LocalCloudError(f"{command[0]} could not be run on this machine: {error}") from error
    if done.returncode != 0:
        raise errors.LocalCloudError(f"{command[0]} failed: {done.stderr.strip()[:300]}")
    return done.stdout.strip()
