"""How Alembic runs a migration; called by `magnum.db.schema` with a connection."""

from typing import Any, Literal

from alembic import context

from magnum.db.models import Base
from magnum.db.types import UTCDateTime


def _render(kind: str, item: Any, autogen: Any) -> str | Literal[False]:
    if kind == "type" and isinstance(item, UTCDateTime):
        autogen.imports.add("from magnum.db.types import UTCDateTime")
        return "UTCDateTime()"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_item=_render,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
