"""The schema's versions: bringing a database up to date, and asking where it is."""

from pathlib import Path

from alembic import autogenerate, command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from magnum.db.models import Base
from magnum.db.session import Database


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the schema to this revision; the newest by default. Doing it twice changes nothing."""
    with database.engine.begin() as connection:
        command.upgrade(_config(connection), revision)


def stamp(database: Database, revision: str) -> None:
    """Note a revision without changing any table."""
    with database.engine.begin() as connection:
        command.stamp(_config(connection), revision)


def revise(database: Database, message: str) -> None:
    """Write a new migration from the difference between the models and this database."""
    number = int(newest() or 0) + 1
    with database.engine.begin() as connection:
        command.revision(_config(connection), message, autogenerate=True, rev_id=f"{number:04}")


def current(database: Database) -> str | None:
    """The revision the database is at; None for an empty one."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest() -> str | None:
    """The revision this code wants."""
    return _scripts().get_current_head()


def is_known(revision: str) -> bool:
    """Whether this code knows this revision; it does not know those of newer versions."""
    return revision in {script.revision for script in _scripts().walk_revisions()}


def differences(database: Database) -> list[object]:
    """What stands between the database and the models; empty when the migrations say what the models say."""
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(autogenerate.compare_metadata(context, Base.metadata))


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(Path(__file__).parent / "migrations"))


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config
