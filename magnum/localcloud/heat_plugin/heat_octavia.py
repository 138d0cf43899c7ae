"""OS::Octavia types."""

from typing import Any

from heat.engine.resources.openstack.octavia import health_monitor, listener, loadbalancer, pool, pool_member

from . import balancers, heat_base, inventory


class LoadBalancer(heat_base.LocalResource, loadbalancer.LoadBalancer):
    """A load balancer: an haproxy container."""

    kind = "balancer"

    def build(self, record: inventory.Record) -> None:
        """Make the container."""
        request = balancers.BalancerRequest(
            id=record.id,
            name=record.name,
            owner=record.owner,
            subnet=self.properties[self.VIP_SUBNET],
            address=self.properties[self.VIP_ADDRESS],
            data=record.data,
        )
        self.cloud.balancers.create(request)

    def check_create_complete(self, balancer_id: str) -> bool:
        """Fail when haproxy ended."""
        return self.cloud.balancers.is_running(balancer_id)

    def shown(self) -> dict[str, Any]:
        """A load balancer's attributes."""
        return self.cloud.balancers.show(self.resource_id)

    def demolish(self) -> None:
        """Remove the container."""
        self.cloud.balancers.delete(self.resource_id)


class BalancerPart(heat_base.LocalResource):
    """What the configuration of a load balancer is made of. `parent_property` names what it lives in."""

    parent_property = ""

    def build(self, record: inventory.Record) -> None:
        """Serve with it."""
        record.parent = self.properties[self.parent_property]
        self.cloud.balancers.put(record)

    def handle_update(self, _json_snippet: Any, _tmpl_diff: Any, prop_diff: dict[str, Any]) -> None:
        """Serve with it as it is now."""
        record = self.cloud.find(self.kind, self.resource_id)
        if record and prop_diff:
            record.data |= prop_diff
            record.name = prop_diff.get("name") or record.name
            self.cloud.balancers.put(record)

    def shown(self) -> dict[str, Any]:
        """A part's attributes."""
        return self.cloud.balancers.show_part(self.kind, self.resource_id)

    def demolish(self) -> None:
        """Serve without it."""
        self.cloud.balancers.remove(self.kind, self.resource_id)


class Listener(BalancerPart, listener.Listener):
    """A port of a load balancer."""

    kind = "listener"
    parent_property = listener.Listener.LOADBALANCER


class Pool(BalancerPart, pool.Pool):
    """Servers behind a listener."""

    kind = "pool"
    parent_property = pool.Pool.LOADBALANCER


class PoolMember(BalancerPart, pool_member.PoolMember):
    """A server of a pool."""

    kind = "member"
    parent_property = pool_member.PoolMember.POOL


class HealthMonitor(BalancerPart, health_monitor.HealthMonitor):
    """The watch on a pool's members."""

    kind = "monitor"
    parent_property = health_monitor.HealthMonitor.POOL


def resource_mapping() -> dict[str, type]:
    """The types of this module."""
    return {
        "OS::Octavia::LoadBalancer": LoadBalancer,
        "OS::Octavia::Listener": Listener,
        "OS::Octavia::Pool": Pool,
        "OS::Octavia::PoolMember": PoolMember,
        "OS::Octavia::HealthMonitor": HealthMonitor,
    }
