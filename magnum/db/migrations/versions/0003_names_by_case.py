"""On MariaDB, tell names apart by case as other databases do."""

from collections.abc import Sequence

from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_TABLES = (
    "baymodels",
    "bays",
    "nodes",
    "pods",
    "services",
    "replicationcontrollers",
    "containers",
    "certificates",
    "operations",
    "bay_events",
    "quotas",
    "magnum_services",
)
_BY_CASE = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"


def upgrade() -> None:
    if op.get_bind().dialect.name not in ("mysql", "mariadb"):
        return
    op.execute(f"ALTER DATABASE {_BY_CASE}")  # for tables that are yet to come
    for table in _TABLES:
        op.execute(f"ALTER TABLE {table} CONVERT TO {_BY_CASE}")
