"""OS::Cinder types."""

import json
from typing import Any

from heat.engine import resource
from heat.engine.resources.openstack.cinder import volume

from . import errors, heat_base, inventory

_SOURCES = ("snapshot_id", "backup_id", "image", "source_volid")


class Volume(heat_base.LocalResource, volume.CinderVolume):
    """A volume: a sparse file."""

    kind = "volume"

    def build(self, record: inventory.Record) -> None:
        """Make an empty volume."""
        for source in _SOURCES:
            if record.data.get(source):
                raise errors.BadRequest(f"The local cloud makes empty volumes alone, without {source}.")
        self.cloud.volumes.create(record, self.properties[self.SIZE])

    def handle_update(self, json_snippet: Any, tmpl_diff: Any, prop_diff: dict[str, Any]) -> None:
        """A volume can grow."""
        size = prop_diff.get(self.SIZE)
        if size:
            self.cloud.volumes.resize(self.resource_id, size)
        super().handle_update(json_snippet, tmpl_diff, prop_diff)

    def shown(self) -> dict[str, Any]:
        """A volume's attributes."""
        shown = super().shown()
        server_id = shown.pop("attached_to")
        attachments = [{"server_id": server_id}] if server_id else []
        metadata = shown.get("metadata") or {}
        return shown | {
            "status": "in-use" if server_id else "available",
            "display_name": shown["name"],
            "display_description": shown.get("description", ""),
            "metadata": json.dumps(metadata),
            "metadata_values": metadata,
            "attachments": json.dumps(attachments),
            "attachments_list": attachments,
            "bootable": "false",
            "encrypted": "False",
        }

    def demolish(self) -> None:
        """Remove the file."""
        self.cloud.volumes.delete(self.resource_id)


class VolumeAttachment(heat_base.LocalResource, volume.CinderVolumeAttachment):
    """A volume shown to a server as a disk."""

    kind = "attachment"

    def build(self, record: inventory.Record) -> None:
        """Show the disk."""
        server_id = self.properties[self.INSTANCE_ID]
        container = self.cloud.servers.container(server_id)
        super().build(record)
        volume_id = self.cloud.volumes.attach(
            self.properties[self.VOLUME_ID], record.owner.project, server_id, container
        )
        self.cloud.change(self.kind, record.id, None, {"attached": volume_id, "server": server_id})

    def handle_update(self, _json_snippet: Any, _tmpl_diff: Any, prop_diff: dict[str, Any]) -> None:
        """Another volume or server needs another attachment."""
        if prop_diff:
            raise resource.UpdateReplace(self.name)

    def demolish(self) -> None:
        """Take the disk away."""
        record = self.cloud.find(self.kind, self.resource_id)
        if record and record.data.get("attached"):
            self.cloud.volumes.detach(record.data["attached"], self.cloud.servers.container(record.data["server"]))
        super().demolish()


def resource_mapping() -> dict[str, type]:
    """The types of this module."""
    return {"OS::Cinder::Volume": Volume, "OS::Cinder::VolumeAttachment": VolumeAttachment}
