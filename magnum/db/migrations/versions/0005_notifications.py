"""What was told of an operation, and which messages a conductor understands."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from magnum.db.types import UTCDateTime

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("operations", sa.Column("told", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("operations", sa.Column("telling_until", UTCDateTime(), nullable=True))
    op.create_index("operations_told", "operations", ["told", "state"])
    op.add_column("magnum_services", sa.Column("messages_version", sa.String(length=16), nullable=True))
