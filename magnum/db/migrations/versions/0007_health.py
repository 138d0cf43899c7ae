"""How bays are, and when their stacks were last changed."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from magnum.db.types import UTCDateTime

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("bays", sa.Column("stack_changed_at", sa.String(length=40), nullable=True))
    op.add_column("bays", sa.Column("health_status", sa.String(length=16), nullable=True))
    op.add_column("bays", sa.Column("health_status_reason", sa.JSON(), nullable=True))
    op.add_column("bays", sa.Column("health_checked_at", UTCDateTime(), nullable=True))
    op.add_column("bays", sa.Column("health_due_at", UTCDateTime(), nullable=True))
    op.create_index("ix_bays_health_due_at", "bays", ["health_due_at"])
