"""``magnum-db-manage``: the database's schema, and keys for what is stored encrypted."""

import argparse
from collections.abc import Sequence

from cryptography.fernet import Fernet

from magnum import conf
from magnum.db import schema
from magnum.db.session import Database


def _upgrade(options: argparse.Namespace, database: Database) -> None:
    schema.upgrade(database, options.revision)
    print(f"The database {_address(database)} is at {schema.current(database)}.")


def _version(_options: argparse.Namespace, database: Database) -> None:
    print(f"database: {schema.current(database) or 'empty'} ({_address(database)})\ncode:     {schema.newest()}")


def _address(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=True)


def _stamp(options: argparse.Namespace, database: Database) -> None:
    schema.stamp(database, options.revision)


def _revision(options: argparse.Namespace, database: Database) -> None:
    schema.revise(database, options.message)


def _generate_key(_options: argparse.Namespace, _database: Database) -> None:
    print(Fernet.generate_key().decode())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("magnum-db-manage", description=__doc__)
    parser.add_argument("--config-file", action="append", metavar="FILE", help="default: magnum.conf where it is found")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("upgrade", help="bring the schema up to date")
    command.add_argument("revision", nargs="?", default="head", help="default: the newest")
    command.set_defaults(run=_upgrade)
    command = commands.add_parser("version", help="show the schema's revision and the one this code wants")
    command.set_defaults(run=_version)
    command = commands.add_parser("stamp", help="note a revision without changing a table")
    command.add_argument("revision")
    command.set_defaults(run=_stamp)
    command = commands.add_parser("revision", help="write a migration from what the models say and the database lacks")
    command.add_argument("message", help="what changes, in a few words")
    command.set_defaults(run=_revision)
    command = commands.add_parser("generate-key", help="print a new [certificates] encryption_key")
    command.set_defaults(run=_generate_key)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    options = _parser().parse_args(arguments)
    database = Database(conf.load(files=options.config_file))
    try:
        options.run(options, database)
    finally:
        database.dispose()
    return 0
