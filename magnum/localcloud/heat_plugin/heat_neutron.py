"""OS::Neutron types."""

from typing import Any

from heat.engine import resource
from heat.engine.resources.openstack.neutron import (
    floatingip,
    net,
    port,
    router,
    security_group,
    security_group_rule,
    subnet,
)

from . import heat_base, inventory, networks


class Net(heat_base.LocalResource, net.Net):
    """A network: a name that subnets belong to."""

    kind = "network"

    def shown(self) -> dict[str, Any]:
        """A network's attributes."""
        return self.cloud.networks.show_network(self.resource_id)


class Subnet(heat_base.LocalResource, subnet.Subnet):
    """A subnet: a bridge."""

    kind = "subnet"

    def build(self, record: inventory.Record) -> None:
        """Make the bridge."""
        self.cloud.networks.create_subnet(record, self.properties[self.NETWORK], self.properties[self.CIDR] or "")

    def shown(self) -> dict[str, Any]:
        """A subnet's attributes."""
        return self.cloud.networks.show_subnet(self.resource_id)

    def demolish(self) -> None:
        """Remove the bridge."""
        self.cloud.networks.delete_subnet(self.resource_id)


class Port(heat_base.LocalResource, port.Port):
    """A port: a reserved address."""

    kind = "port"

    def build(self, record: inventory.Record) -> None:
        """Reserve the addresses."""
        wanted = [
            networks.FixedIP(fixed[self.FIXED_IP_SUBNET], fixed[self.FIXED_IP_IP_ADDRESS])
            for fixed in self.properties[self.FIXED_IPS] or []
        ]
        request = networks.PortRequest(
            id=record.id,
            name=record.name,
            network=self.properties[self.NETWORK],
            fixed_ips=wanted,
            mac=self.properties[self.MAC_ADDRESS],
            device=self.properties[self.DEVICE_ID] or "",
        )
        self.cloud.networks.create_port(record.owner, request, record.data)

    def handle_update(self, json_snippet: Any, tmpl_diff: Any, prop_diff: dict[str, Any]) -> None:
        """Other addresses need another port."""
        if self.FIXED_IPS in prop_diff:
            raise resource.UpdateReplace(self.name)
        super().handle_update(json_snippet, tmpl_diff, prop_diff)

    def shown(self) -> dict[str, Any]:
        """A port's attributes."""
        return self.cloud.networks.show_port(self.resource_id)

    def demolish(self) -> None:
        """Give the addresses back."""
        self.cloud.networks.delete_port(self.resource_id)


class Router(heat_base.LocalResource, router.Router):
    """A router: the host routes, so it is only remembered."""

    kind = "router"


class RouterInterface(heat_base.LocalResource, router.RouterInterface):
    """A router's interface: only remembered."""

    kind = "router_interface"


class RouterGateway(heat_base.LocalResource, router.RouterGateway):
    """A router's gateway: only remembered."""

    kind = "router_gateway"


class SecurityGroup(heat_base.LocalResource, security_group.SecurityGroup):
    """A security group: remembered, not enforced."""

    kind = "security_group"


class SecurityGroupRule(heat_base.LocalResource, security_group_rule.SecurityGroupRule):
    """A rule of a security group: remembered, not enforced."""

    kind = "security_group_rule"


class FloatingIP(heat_base.LocalResource, floatingip.FloatingIP):
    """A floating IP: the address of the port it is associated with."""

    kind = "floating_ip"

    def shown(self) -> dict[str, Any]:
        """A floating IP's attributes."""
        return self.cloud.networks.show_floating_ip(self.resource_id) | {
            "floating_network_id": self.properties[self.FLOATING_NETWORK]
        }

    def _add_router_interface_dependencies(self, deps: Any, interface: Any) -> None:
        # Heat asks Neutron here whether the interface is on the way to the port; waiting for it always does no harm.
        deps += (self, interface)


class FloatingIPAssociation(heat_base.LocalResource, floatingip.FloatingIPAssociation):
    """The association of a floating IP with a port."""

    kind = "floating_ip_association"

    def build(self, record: inventory.Record) -> None:
        """Associate."""
        super().build(record)
        self._associate(self.properties[self.PORT_ID], self.properties[self.FIXED_IP_ADDRESS])

    def handle_update(self, json_snippet: Any, tmpl_diff: Any, prop_diff: dict[str, Any]) -> None:
        """Associate otherwise."""
        if self.FLOATINGIP_ID in prop_diff:
            raise resource.UpdateReplace(self.name)
        super().handle_update(json_snippet, tmpl_diff, prop_diff)
        after = {**self.properties, **prop_diff}
        self._associate(after[self.PORT_ID], after[self.FIXED_IP_ADDRESS])

    def demolish(self) -> None:
        """Dissociate, if the floating IP is still there."""
        if self.cloud.find(FloatingIP.kind, self.properties[self.FLOATINGIP_ID] or ""):
            self._associate(None, None)
        super().demolish()

    def _associate(self, port_id: str | None, address: str | None) -> None:
        floating_id = self.properties[self.FLOATINGIP_ID]
        self.cloud.change(FloatingIP.kind, floating_id, None, {"port_id": port_id, "fixed_ip_address": address})


def resource_mapping() -> dict[str, type]:
    """The types of this module."""
    return {
        "OS::Neutron::Net": Net,
        "OS::Neutron::Subnet": Subnet,
        "OS::Neutron::Port": Port,
        "OS::Neutron::Router": Router,
        "OS::Neutron::RouterInterface": RouterInterface,
        "OS::Neutron::RouterGateway": RouterGateway,
        "OS::Neutron::SecurityGroup": SecurityGroup,
        "OS::Neutron::SecurityGroupRule": SecurityGroupRule,
        "OS::Neutron::FloatingIP": FloatingIP,
        "OS::Neutron::FloatingIPAssociation": FloatingIPAssociation,
    }
