"""OS::Nova types."""

from typing import Any

from heat.engine import resource
from heat.engine.resources.openstack.nova import keypair, server, server_group
from oslo_utils import uuidutils

from . import errors, heat_base, inventory, networks, servers


class Server(heat_base.LocalResource, server.Server):
    """A server: a container that boots."""

    kind = "server"

    def build(self, record: inventory.Record) -> None:
        """Make the container and start it."""
        self.cloud.servers.create(
            servers.ServerRequest(
                id=record.id,
                name=record.name,
                owner=record.owner,
                image=self.properties[self.IMAGE],
                user_data=self._boot_data(),
                interfaces=[self._interface(each) for each in self.properties[self.NETWORKS] or []],
                key_name=self.properties[self.KEY_NAME],
                data={
                    "flavor": self.properties[self.FLAVOR],
                    "metadata": self.properties[self.METADATA] or {},
                    "tags": self.properties[self.TAGS] or [],
                },
            )
        )

    def check_create_complete(self, server_id: str) -> bool:
        """Wait until it has come up; fail when it ended."""
        return self.cloud.servers.is_active(server_id)

    def needs_replace_failed(self) -> bool:
        """A server that is not running cannot be mended by an update."""
        return super().needs_replace_failed() or not self.cloud.servers.is_running(self.resource_id)

    def handle_update(self, json_snippet: Any, tmpl_diff: Any, prop_diff: dict[str, Any]) -> None:
        """Change what can be changed in place; a rebuild is a replacement here.

        A change of user data that is to be ignored needs nothing, nor does a flavor: sizes are not enforced.
        """
        after = json_snippet.properties(self.properties_schema, self.context)
        rebuilt = self.USER_DATA in prop_diff and after[self.USER_DATA_UPDATE_POLICY] == "REBUILD"
        if rebuilt or self.IMAGE in prop_diff or self.NETWORKS in prop_diff:
            raise resource.UpdateReplace(self.name)
        if tmpl_diff.metadata_changed():
            self.metadata_set(json_snippet.metadata())
        remembered = {key: after[key] for key in (self.FLAVOR, self.METADATA, self.TAGS) if key in prop_diff}
        self.cloud.servers.update(self.resource_id, prop_diff.get(self.NAME), remembered)

    def demolish(self) -> None:
        """Remove the container and all with it."""
        self.cloud.servers.delete(self.resource_id)

    def shown(self) -> dict[str, Any]:
        """A server's attributes."""
        return self.cloud.servers.show(self.resource_id)

    def handle_check(self) -> None:
        """Fail when the container does not run."""
        if not self.cloud.servers.is_running(self.resource_id):
            raise errors.ServerFailed(f"Server {self.chosen_name()} does not run.")

    def prepare_for_replace(self) -> None:
        """The new server takes over the ports of the old one."""
        if self.resource_id is not None:
            self.cloud.servers.detach_ports(self.resource_id)

    def chosen_name(self) -> str:
        """The server's name."""
        return str(self._server_name())

    def _boot_data(self) -> bytes:
        """The user data as Nova gets it: a software config is fetched, other formats are packed by Heat's own code."""
        content = self.properties[self.USER_DATA]
        metadata = self.metadata_get(True) or {}
        if (self.user_data_raw() or self.user_data_software_config()) and uuidutils.is_uuid_like(content):
            content = self.get_software_config(content)
        if self.user_data_software_config():
            self._create_transport_credentials(self.properties)
            self._populate_deployments_metadata(metadata, self.properties)
        packed = self.client_plugin("nova").build_userdata(
            metadata, content, instance_user=None, user_data_format=self.properties[self.USER_DATA_FORMAT]
        )
        return packed if isinstance(packed, bytes) else str(packed or "").encode()

    def _interface(self, wanted: Any) -> servers.Interface:
        fixed_ip = networks.FixedIP(wanted[self.NETWORK_SUBNET], wanted[self.NETWORK_FIXED_IP])
        return servers.Interface(wanted[self.NETWORK_PORT], wanted[self.NETWORK_ID], fixed_ip)

    def _resolve_attribute(self, name: str) -> Any:
        if name == self.OS_COLLECT_CONFIG:
            return self.metadata_get().get("os-collect-config", {})
        return super()._resolve_attribute(name)


class ServerGroup(heat_base.LocalResource, server_group.ServerGroup):
    """A group of servers: all run on this machine, so it is only remembered."""

    kind = "server_group"


class KeyPair(heat_base.LocalResource, keypair.KeyPair):
    """An SSH public key, given to the servers that name it."""

    kind = "keypair"

    def build(self, record: inventory.Record) -> None:
        """Keep a key that the template brings."""
        if not record.data.get(self.PUBLIC_KEY):
            raise errors.BadRequest("The local cloud does not make key pairs: give the public_key of one.")
        super().build(record)

    def get_reference_id(self) -> Any:
        """Servers name a key by its name."""
        return self.properties[self.NAME]


def resource_mapping() -> dict[str, type]:
    """The types of this module."""
    return {"OS::Nova::Server": Server, "OS::Nova::ServerGroup": ServerGroup, "OS::Nova::KeyPair": KeyPair}
