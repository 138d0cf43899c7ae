"""The first tables."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from magnum.db.types import UTCDateTime

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "bay_events",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("bay_uuid", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("level", sa.String(length=8), nullable=False),
        sa.Column("verb", sa.String(length=16), nullable=True),
        sa.Column("step", sa.String(length=64), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("request_id", sa.String(length=255), nullable=True),
        sa.Column("duration", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_bay_events_bay_uuid"), "bay_events", ["bay_uuid"], unique=False)
    op.create_index(op.f("ix_bay_events_project_id"), "bay_events", ["project_id"], unique=False)
    op.create_table(
        "baymodels",
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("coe", sa.String(length=255), nullable=False),
        sa.Column("image_id", sa.String(length=255), nullable=True),
        sa.Column("flavor_id", sa.String(length=255), nullable=True),
        sa.Column("master_flavor_id", sa.String(length=255), nullable=True),
        sa.Column("keypair_id", sa.String(length=255), nullable=True),
        sa.Column("external_network_id", sa.String(length=255), nullable=True),
        sa.Column("fixed_network", sa.String(length=255), nullable=True),
        sa.Column("dns_nameserver", sa.String(length=255), nullable=True),
        sa.Column("apiserver_port", sa.Integer(), nullable=True),
        sa.Column("docker_volume_size", sa.Integer(), nullable=True),
        sa.Column("ssh_authorized_key", sa.Text(), nullable=True),
        sa.Column("cluster_distro", sa.String(length=255), nullable=True),
        sa.Column("network_driver", sa.String(length=255), nullable=True),
        sa.Column("volume_driver", sa.String(length=255), nullable=True),
        sa.Column("http_proxy", sa.String(length=255), nullable=True),
        sa.Column("https_proxy", sa.String(length=255), nullable=True),
        sa.Column("no_proxy", sa.String(length=255), nullable=True),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("registry_enabled", sa.Boolean(), nullable=False),
        sa.Column("tls_disabled", sa.Boolean(), nullable=False),
        sa.Column("public", sa.Boolean(), nullable=False),
        sa.Column("server_type", sa.String(length=255), nullable=False),
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=True),
        sa.Column("user_id", sa.String(length=255), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("uuid"),
    )
    op.create_index(op.f("ix_baymodels_project_id"), "baymodels", ["project_id"], unique=False)
    op.create_table(
        "bays",
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("baymodel_id", sa.String(length=36), nullable=False),
        sa.Column("baymodel", sa.JSON(), nullable=False),
        sa.Column("node_count", sa.Integer(), nullable=False),
        sa.Column("master_count", sa.Integer(), nullable=False),
        sa.Column("bay_create_timeout", sa.Integer(), nullable=True),
        sa.Column("discovery_url", sa.Text(), nullable=True),
        sa.Column("status", sa.String(length=24), nullable=False),
        sa.Column("status_reason", sa.Text(), nullable=True),
        sa.Column("faults", sa.JSON(), nullable=False),
        sa.Column("stack_id", sa.String(length=255), nullable=True),
        sa.Column("api_address", sa.String(length=255), nullable=True),
        sa.Column("coe_version", sa.String(length=255), nullable=True),
        sa.Column("master_addresses", sa.JSON(), nullable=False),
        sa.Column("node_addresses", sa.JSON(), nullable=False),
        sa.Column("ssh_authorized_keys", sa.JSON(), nullable=False),
        sa.Column("trustee_user_id", sa.String(length=255), nullable=True),
        sa.Column("trustee_secret", sa.Text(), nullable=True),
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=True),
        sa.Column("user_id", sa.String(length=255), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("uuid"),
    )
    op.create_index(op.f("ix_bays_baymodel_id"), "bays", ["baymodel_id"], unique=False)
    op.create_index(op.f("ix_bays_project_id"), "bays", ["project_id"], unique=False)
    op.create_index(op.f("ix_bays_status"), "bays", ["status"], unique=False)
    op.create_table(
        "certificates",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("bay_uuid", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("certificate", sa.Text(), nullable=False),
        sa.Column("private_key", sa.Text(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("bay_uuid", "kind"),
    )
    op.create_table(
        "containers",
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("bay_uuid", sa.String(length=36), nullable=False),
        sa.Column("image", sa.String(length=255), nullable=False),
        sa.Column("command", sa.Text(), nullable=True),
        sa.Column("status", sa.String(length=24), nullable=True),
        sa.Column("memory", sa.String(length=255), nullable=True),
        sa.Column("environment", sa.JSON(), nullable=False),
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=True),
        sa.Column("user_id", sa.String(length=255), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("uuid"),
    )
    op.create_index(op.f("ix_containers_bay_uuid"), "containers", ["bay_uuid"], unique=False)
    op.create_index(op.f("ix_containers_project_id"), "containers", ["project_id"], unique=False)
    op.create_table(
        "magnum_services",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("binary", sa.String(length=64), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("disabled_reason", sa.String(length=255), nullable=True),
        sa.Column("last_seen_up", UTCDateTime(), nullable=True),
        sa.Column("report_count", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("host", "binary"),
    )
    op.create_table(
        "nodes",
        sa.Column("type", sa.String(length=20), nullable=True),
        sa.Column("image_id", sa.String(length=255), nullable=True),
        sa.Column("ironic_node_id", sa.String(length=36), nullable=True),
        sa.Column("bay_uuid", sa.String(length=36), nullable=True),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("role", sa.String(length=20), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=True),
        sa.Column("status_reason", sa.Text(), nullable=True),
        sa.Column("addresses", sa.JSON(), nullable=False),
        sa.Column("version", sa.String(length=255), nullable=True),
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=True),
        sa.Column("user_id", sa.String(length=255), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("ironic_node_id"),
        sa.UniqueConstraint("uuid"),
    )
    op.create_index(op.f("ix_nodes_bay_uuid"), "nodes", ["bay_uuid"], unique=False)
    op.create_index(op.f("ix_nodes_project_id"), "nodes", ["project_id"], unique=False)
    op.create_table(
        "operations",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("bay_uuid", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=True),
        sa.Column("user_id", sa.String(length=255), nullable=True),
        sa.Column("request_id", sa.String(length=255), nullable=True),
        sa.Column("verb", sa.String(length=16), nullable=False),
        sa.Column("arguments", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("step", sa.String(length=64), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(length=255), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("lease_until", UTCDateTime(), nullable=True),
        sa.Column("due_at", UTCDateTime(), nullable=False),
        sa.Column("deadline", UTCDateTime(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("uuid"),
    )
    op.create_index(op.f("ix_operations_bay_uuid"), "operations", ["bay_uuid"], unique=False)
    op.create_index("operations_due", "operations", ["state", "due_at"], unique=False)
    op.create_table(
        "pods",
        sa.Column("desc", sa.String(length=255), nullable=True),
        sa.Column("images", sa.JSON(), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=True),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("bay_uuid", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(length=24), nullable=True),
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=True),
        sa.Column("user_id", sa.String(length=255), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("bay_uuid", "uuid"),
    )
    op.create_index(op.f("ix_pods_bay_uuid"), "pods", ["bay_uuid"], unique=False)
    op.create_index(op.f("ix_pods_project_id"), "pods", ["project_id"], unique=False)
    op.create_index(op.f("ix_pods_uuid"), "pods", ["uuid"], unique=False)
    op.create_table(
        "quotas",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("resource", sa.String(length=64), nullable=False),
        sa.Column("hard_limit", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project_id", "resource"),
    )
    op.create_table(
        "replicationcontrollers",
        sa.Column("images", sa.JSON(), nullable=False),
        sa.Column("replicas", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("bay_uuid", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(length=24), nullable=True),
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=True),
        sa.Column("user_id", sa.String(length=255), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("bay_uuid", "uuid"),
    )
    op.create_index(op.f("ix_replicationcontrollers_bay_uuid"), "replicationcontrollers", ["bay_uuid"], unique=False)
    op.create_index(
        op.f("ix_replicationcontrollers_project_id"), "replicationcontrollers", ["project_id"], unique=False
    )
    op.create_index(op.f("ix_replicationcontrollers_uuid"), "replicationcontrollers", ["uuid"], unique=False)
    op.create_table(
        "services",
        sa.Column("selector", sa.JSON(), nullable=False),
        sa.Column("ip", sa.String(length=45), nullable=True),
        sa.Column("ports", sa.JSON(), nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("bay_uuid", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(length=24), nullable=True),
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=True),
        sa.Column("user_id", sa.String(length=255), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("bay_uuid", "uuid"),
    )
    op.create_index(op.f("ix_services_bay_uuid"), "services", ["bay_uuid"], unique=False)
    op.create_index(op.f("ix_services_project_id"), "services", ["project_id"], unique=False)
    op.create_index(op.f("ix_services_uuid"), "services", ["uuid"], unique=False)
