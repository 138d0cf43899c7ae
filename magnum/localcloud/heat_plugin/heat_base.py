"""What the local resource types have in common, and the constraints that this cloud does not check.

Each type is a subclass of Heat's own, so its schemas, dependencies and rules of replacement are Heat's. What is
replaced is every place where Heat would call the service's API.
"""

import uuid
from typing import Any

from heat.engine import resource, translation

from . import errors, inventory, local_cloud

# The names a template uses for things outside it (an image, a flavor, a public network) are taken as they are; what
# does not exist is found out when something is made of it, as in any cloud.
_SERVICES = (
    "cinder.backup",
    "cinder.qos_specs",
    "cinder.snapshot",
    "cinder.volume",
    "cinder.vtype",
    "glance.image",
    "neutron.address_scope",
    "neutron.network",
    "neutron.port",
    "neutron.qos_policy",
    "neutron.router",
    "neutron.security_group",
    "neutron.segment",
    "neutron.subnet",
    "neutron.subnetpool",
    "nova.flavor",
    "nova.host",
    "nova.keypair",
    "nova.network",
    "nova.server",
    "octavia.availabilityzone",
    "octavia.flavor",
    "octavia.listener",
    "octavia.loadbalancer",
    "octavia.pool",
)


class Accepted:
    """A constraint that every value meets."""

    def validate(self, _value: Any, _context: Any, _template: Any = None) -> bool:
        """True."""
        return True

    def error(self, _value: Any) -> str:
        """Never asked for."""
        return ""


def constraint_mapping() -> dict[str, type]:
    """The constraints that take the place of Heat's."""
    return dict.fromkeys(_SERVICES, Accepted)


class LocalResource:
    """Mixed in before one of Heat's classes, it makes the type local.

    `kind` is the kind of the type's rows. A subclass says in `build`, `shown` and `demolish` what its thing is; without
    them a thing is only remembered.
    """

    kind = ""

    @classmethod
    def is_service_available(cls, _context: Any) -> tuple[bool, None]:
        """The service is this plugin, whatever the catalog says."""
        return True, None

    @property
    def cloud(self) -> local_cloud.LocalCloud:
        """The local cloud."""
        return local_cloud.cloud()

    @property
    def owner(self) -> inventory.Owner:
        """Whose this resource is."""
        return inventory.Owner(self.context.project_id, self.stack.root_stack_id())

    def build(self, record: inventory.Record) -> None:
        """Make the thing whose id stands in the record."""
        self.cloud.remember(record)

    def shown(self) -> dict[str, Any]:
        """The attributes of the thing."""
        record = self.cloud.find(self.kind, self.resource_id)
        if record is None:
            raise errors.NotFound(f"{self.name} ({self.resource_id}) does not exist any more.")
        defaults = {"status": "ACTIVE", "admin_state_up": True, "tenant_id": record.owner.project}
        return {**defaults, **record.data, "id": record.id, "name": record.name}

    def demolish(self) -> None:
        """Remove the thing; what is already gone is no error."""
        self.cloud.forget(self.resource_id)

    def data_of(self, properties: Any) -> dict[str, Any]:
        """The values of the template that are kept."""
        return {key: value for key, value in properties.items() if value is not None and key != "value_specs"}

    def chosen_name(self) -> str:
        """The name of the thing: the template's, or one that Heat makes."""
        return (self.properties.get("name") if "name" in self.properties_schema else None) or (
            self.physical_resource_name()
        )

    # From here on: what Heat calls.

    def translation_rules(self, properties: Any) -> list[Any]:
        """Old names of properties are still translated; names of things are not looked up in services."""
        rules = super().translation_rules(properties) or []
        return [rule for rule in rules if rule.rule != translation.TranslationRule.RESOLVE]

    def validate(self) -> Any:
        """Check against the schema alone."""
        return resource.Resource.validate(self)

    def handle_create(self) -> Any:
        """Store an id, then make the thing: whatever comes between, deleting finds what was made."""
        self.resource_id_set(str(uuid.uuid4()))
        record = inventory.Record(
            self.resource_id, self.kind, self.owner, self.chosen_name(), None, self.data_of(self.properties)
        )
        self.build(record)
        return self.resource_id

    def check_create_complete(self, *_args: Any) -> bool:
        """Most things are there at once."""
        return True

    def handle_update(self, _json_snippet: Any, _tmpl_diff: Any, prop_diff: dict[str, Any]) -> None:
        """Keep the new values."""
        if prop_diff:
            self.cloud.change(self.kind, self.resource_id, prop_diff.get("name"), self.data_of(prop_diff))

    def check_update_complete(self, *_args: Any) -> bool:
        """Nothing to wait for."""
        return True

    def handle_delete(self) -> None:
        """Remove the thing, if its making ever began."""
        if self.resource_id is not None:
            self.demolish()

    def check_delete_complete(self, *_args: Any) -> bool:
        """Removing returns when all is removed."""
        return True

    def handle_check(self) -> None:
        """Fail when the thing is gone."""
        self.shown()

    def needs_replace_failed(self) -> bool:
        """What failed to be made is made anew."""
        return self.resource_id is None or self.cloud.find(self.kind, self.resource_id) is None

    def prepare_for_replace(self) -> None:
        """Nothing to free."""

    def restore_prev_rsrc(self, convergence: bool = False) -> None:
        """Nothing was freed."""

    def get_reference_id(self) -> Any:
        """What `get_resource` gives; a name until there is an id."""
        return self.resource_id or super().get_reference_id()

    def _show_resource(self) -> dict[str, Any]:
        return self.shown()

    def _resolve_attribute(self, name: str) -> Any:
        if self.resource_id is None:
            return None
        return self.shown().get(name)
