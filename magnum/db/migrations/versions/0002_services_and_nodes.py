"""A conductor can be forced down, and an ironic_node_id is unique in its project only."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_SQLITE_NAMES = {"uq": "uq_%(table_name)s_%(column_0_name)s"}  # there, what was made without a name has none


def upgrade() -> None:
    op.add_column("magnum_services", sa.Column("forced_down", sa.Boolean(), nullable=False, server_default=sa.false()))
    constraints = sa.inspect(op.get_bind()).get_unique_constraints("nodes")
    (old,) = (found["name"] for found in constraints if found["column_names"] == ["ironic_node_id"])
    with op.batch_alter_table("nodes", naming_convention=_SQLITE_NAMES) as nodes:
        nodes.drop_constraint(old or "uq_nodes_ironic_node_id", type_="unique")
        nodes.create_unique_constraint("uniq_nodes0project_id0ironic_node_id", ["project_id", "ironic_node_id"])
