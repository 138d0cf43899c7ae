"""Tables of Magnum.

Timestamps are UTC. What belongs to a tenant carries ``project_id`` and ``user_id``; the query layer adds the tenant's
predicate to every statement (`magnum.db.resources`).
"""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, Boolean, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column, synonym

from magnum.common import clock
from magnum.common.idents import new_uuid
from magnum.db.types import UTCDateTime


class Base(DeclarativeBase):
    """All tables."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UTCDateTime,
        str: String(255),
        dict[str, Any]: JSON,
        dict[str, str]: JSON,
        list[str]: JSON,
        list[dict[str, Any]]: JSON,
    }


class Timestamps:
    """When a row was made and last changed."""

    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime | None] = mapped_column(onupdate=clock.now)


class Owned(Timestamps):
    """A tenant's object, known by uuid."""

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=new_uuid)
    project_id: Mapped[str | None] = mapped_column(index=True)
    user_id: Mapped[str | None]


class BayModel(Owned, Base):
    """A kind of bay."""

    __tablename__ = "baymodels"

    name: Mapped[str | None]
    coe: Mapped[str]
    image_id: Mapped[str | None]
    flavor_id: Mapped[str | None]
    master_flavor_id: Mapped[str | None]
    keypair_id: Mapped[str | None]
    external_network_id: Mapped[str | None]
    fixed_network: Mapped[str | None]
    dns_nameserver: Mapped[str | None]
    apiserver_port: Mapped[int | None]
    docker_volume_size: Mapped[int | None]
    ssh_authorized_key: Mapped[str | None] = mapped_column(Text)
    cluster_distro: Mapped[str | None]
    network_driver: Mapped[str | None]
    volume_driver: Mapped[str | None]
    http_proxy: Mapped[str | None]
    https_proxy: Mapped[str | None]
    no_proxy: Mapped[str | None]
    labels: Mapped[dict[str, str]] = mapped_column(default=dict)
    registry_enabled: Mapped[bool] = mapped_column(default=False)
    tls_disabled: Mapped[bool] = mapped_column(default=False)
    public: Mapped[bool] = mapped_column(default=False)
    server_type: Mapped[str] = mapped_column(default="vm")


class Bay(Owned, Base):
    """A cluster. ``baymodel`` is its baymodel as it was when the bay was asked for."""

    __tablename__ = "bays"

    name: Mapped[str | None]
    baymodel_id: Mapped[str] = mapped_column(String(36), index=True)
    baymodel: Mapped[dict[str, Any]]
    node_count: Mapped[int] = mapped_column(default=1)
    master_count: Mapped[int] = mapped_column(default=1)
    bay_create_timeout: Mapped[int | None]
    discovery_url: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(24), index=True)
    status_reason: Mapped[str | None] = mapped_column(Text)
    faults: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    stack_id: Mapped[str | None]
    stack_changed_at: Mapped[str | None] = mapped_column(String(40))
    """When the stack was last changed, in Heat's words, as far as Magnum knows."""
    health_status: Mapped[str | None] = mapped_column(String(16))
    health_status_reason: Mapped[dict[str, str] | None]
    health_checked_at: Mapped[datetime | None]
    health_due_at: Mapped[datetime | None] = mapped_column(index=True)
    api_address: Mapped[str | None]
    coe_version: Mapped[str | None]
    master_addresses: Mapped[list[str]] = mapped_column(default=list)
    node_addresses: Mapped[list[str]] = mapped_column(default=list)
    ssh_authorized_keys: Mapped[list[str]] = mapped_column(default=list)
    trustee_user_id: Mapped[str | None]
    trustee_secret: Mapped[str | None] = mapped_column(Text)
    """Password of the bay's own user, encrypted."""


class Node(Owned, Base):
    """A machine of a bay, or one a tenant registered by hand (no ``bay_uuid``)."""

    __tablename__ = "nodes"
    # Of the project's nodes only: a conflict must not tell anybody what another project has.
    __table_args__ = (UniqueConstraint("project_id", "ironic_node_id", name="uniq_nodes0project_id0ironic_node_id"),)

    type: Mapped[str | None] = mapped_column(String(20))
    image_id: Mapped[str | None]
    ironic_node_id: Mapped[str | None] = mapped_column(String(36))
    bay_uuid: Mapped[str | None] = mapped_column(String(36), index=True)
    name: Mapped[str | None]
    role: Mapped[str | None] = mapped_column(String(20))
    status: Mapped[str | None] = mapped_column(String(20))
    status_reason: Mapped[str | None] = mapped_column(Text)
    addresses: Mapped[list[str]] = mapped_column(default=list)
    version: Mapped[str | None]


class Workload(Owned):
    """A copy of an object in a bay; its uuid is the one the bay gave it, and so unique in that bay only."""

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> tuple[UniqueConstraint, ...]:
        return (UniqueConstraint("bay_uuid", "uuid"),)

    uuid: Mapped[str] = mapped_column(String(36), index=True)
    bay_uuid: Mapped[str] = mapped_column(String(36), index=True)
    name: Mapped[str]
    labels: Mapped[dict[str, str]] = mapped_column(default=dict)
    status: Mapped[str | None] = mapped_column(String(24))


class Pod(Workload, Base):
    """A Kubernetes pod."""

    __tablename__ = "pods"

    desc: Mapped[str | None]
    images: Mapped[list[str]] = mapped_column(default=list)
    host: Mapped[str | None]


class Service(Workload, Base):
    """A Kubernetes service."""

    __tablename__ = "services"

    selector: Mapped[dict[str, str]] = mapped_column(default=dict)
    ip: Mapped[str | None] = mapped_column(String(45))
    ports: Mapped[list[dict[str, Any]]] = mapped_column(default=list)


class ReplicationController(Workload, Base):
    """A Kubernetes replication controller."""

    __tablename__ = "replicationcontrollers"

    images: Mapped[list[str]] = mapped_column(default=list)
    replicas: Mapped[int] = mapped_column(default=0)


class Container(Owned, Base):
    """A container of a Swarm bay."""

    __tablename__ = "containers"

    name: Mapped[str | None]
    bay_uuid: Mapped[str] = mapped_column(String(36), index=True)
    image: Mapped[str]
    command: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str | None] = mapped_column(String(24))
    memory: Mapped[str | None]
    environment: Mapped[dict[str, str]] = mapped_column(default=dict)

    image_id: Mapped[str] = synonym("image")
    """The image, as it was called before."""


class Certificate(Timestamps, Base):
    """A key pair of a bay's authority; the private key is encrypted."""

    __tablename__ = "certificates"
    __table_args__ = (UniqueConstraint("bay_uuid", "kind"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    bay_uuid: Mapped[str] = mapped_column(String(36))
    kind: Mapped[str] = mapped_column(String(24))
    certificate: Mapped[str] = mapped_column(Text)
    private_key: Mapped[str] = mapped_column(Text)


class Operation(Timestamps, Base):
    """A verb on a bay that was accepted; `magnum.db.operations` says how it is owned and driven."""

    __tablename__ = "operations"
    __table_args__ = (
        Index("operations_due", "state", "due_at"),
        Index("operations_overdue", "state", "deadline"),
        Index("operations_held", "lease_until"),
        Index("operations_told", "told", "state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=new_uuid)
    bay_uuid: Mapped[str] = mapped_column(String(36), index=True)
    project_id: Mapped[str | None]
    user_id: Mapped[str | None]
    request_id: Mapped[str | None]
    verb: Mapped[str] = mapped_column(String(16))
    arguments: Mapped[dict[str, Any]] = mapped_column(default=dict)
    state: Mapped[str] = mapped_column(String(16))
    step: Mapped[str | None] = mapped_column(String(64))
    """The last finished step."""
    attempts: Mapped[int] = mapped_column(default=0)
    """Failed tries of the step that is next."""
    keys_given: Mapped[int] = mapped_column(default=0, server_default="0")
    """How often masters that it builds have asked for the keys of the control plane."""
    owner: Mapped[str | None]
    fence: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None]
    due_at: Mapped[datetime]
    deadline: Mapped[datetime | None]
    told: Mapped[int] = mapped_column(default=0, server_default="0")
    """What was told of it to those who listen; `magnum.db.notices` says more."""
    telling_until: Mapped[datetime | None]


class BayEvent(Base):
    """One line of the story of a bay; append-only, and kept when the bay is gone."""

    __tablename__ = "bay_events"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    bay_uuid: Mapped[str] = mapped_column(String(36), index=True)
    project_id: Mapped[str | None] = mapped_column(index=True)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    level: Mapped[str] = mapped_column(String(8), default="info")
    verb: Mapped[str | None] = mapped_column(String(16))
    step: Mapped[str | None] = mapped_column(String(64))
    text: Mapped[str] = mapped_column(Text)
    request_id: Mapped[str | None]
    duration: Mapped[float | None]
    """Seconds the step took."""


class Quota(Timestamps, Base):
    """How many of a resource a project may have."""

    __tablename__ = "quotas"
    __table_args__ = (UniqueConstraint("project_id", "resource"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    project_id: Mapped[str]
    resource: Mapped[str] = mapped_column(String(64))
    hard_limit: Mapped[int] = mapped_column(Integer)


class ProjectLock(Base):
    """What is locked by whoever counts a project's objects to add one: two at once would both find room."""

    __tablename__ = "project_locks"

    project_id: Mapped[str] = mapped_column(primary_key=True)


class Duty(Base):
    """What one of all conductors does for all, until the time its lease ends; `magnum.db.duties`."""

    __tablename__ = "duties"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner: Mapped[str]
    lease_until: Mapped[datetime]


class MagnumService(Timestamps, Base):
    """The heartbeat of a conductor."""

    __tablename__ = "magnum_services"
    __table_args__ = (UniqueConstraint("host", "binary"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    host: Mapped[str]
    binary: Mapped[str] = mapped_column(String(64))
    disabled: Mapped[bool] = mapped_column(Boolean, default=False)
    disabled_reason: Mapped[str | None]
    last_seen_up: Mapped[datetime | None]
    forced_down: Mapped[bool] = mapped_column(Boolean, default=False)
    report_count: Mapped[int] = mapped_column(default=0)
    messages_version: Mapped[str | None] = mapped_column(String(16))
    """Up to which version it understands the messages of APIs."""
