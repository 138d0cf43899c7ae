"""A lock for each project's quota, duties one conductor has for all, and indexes of what is overdue or held."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from magnum.db.types import UTCDateTime

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table("project_locks", sa.Column("project_id", sa.String(255), primary_key=True))
    op.create_table(
        "duties",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("lease_until", UTCDateTime(), nullable=False),
    )
    op.create_index("operations_overdue", "operations", ["state", "deadline"])
    op.create_index("operations_held", "operations", ["lease_until"])
