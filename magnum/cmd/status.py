"""``magnum-status upgrade check``: whether what is there is fit for this version, before its services are started.

Exit status: 0 all is well, 1 there is a warning, 2 services of this version would not work, 255 the check itself broke.
"""

import functools
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from oslo_config import cfg
from oslo_db import exception as db_exc
from oslo_policy import policy
from oslo_upgradecheck import common_checks, upgradecheck
from oslo_upgradecheck.upgradecheck import Code, Result
from sqlalchemy import exc, make_url, select
from sqlalchemy.orm import Session

from magnum import conf as configuration
from magnum import policies
from magnum.certificates.storage import KeyProblem, SecretBox
from magnum.clients.errors import Permanent, ServiceError
from magnum.clients.keystone import Keystone
from magnum.common import clock, rpc, states
from magnum.common.bus import messaging
from magnum.common.states import Verb
from magnum.conductor.operations import PLANS
from magnum.conf import CONF
from magnum.db import models, schema
from magnum.db.session import Database

_FIRST_MESSAGES = "1.0"  # of conductors that did not say yet what they understand
_MOST_NAMED = 5
_BROKEN = 255

Check = Callable[["Checks"], Result]


def _of_database(check: Check) -> Check:
    """The check needs a database with tables; where there is none, another check has said so."""

    @functools.wraps(check)
    def checked(checks: "Checks") -> Result:
        try:
            return check(checks)
        except (db_exc.DBError, exc.SQLAlchemyError):
            return Result(Code.WARNING, "Not looked at, as the database is not fit to be asked.")

    return checked


class Checks(upgradecheck.UpgradeCommands):
    """All checks, each of which says what to do about what it finds."""

    def __init__(self, conf: cfg.ConfigOpts = CONF) -> None:
        self._conf = conf
        self._made: Database | None = None

    @property
    def _database(self) -> Database:
        if self._is_missing:
            raise db_exc.DBError
        if self._made is None:  # the configuration is read after this object is made
            self._made = Database(self._conf)
        return self._made

    @property
    def _is_missing(self) -> bool:
        """Whether it is a file that is not there, and that would be made by looking at it."""
        url = make_url(self._conf.database.connection)
        if url.get_backend_name() != "sqlite" or not url.database:
            return False
        path = Path(url.database)
        return path.parent.exists() and not path.exists()

    def configuration(self) -> Result:
        """Every option has a value that it can have."""
        found = configuration.problems(self._conf)
        return Result(Code.FAILURE, " ".join(found)) if found else Result(Code.SUCCESS)

    def tables(self) -> Result:
        """The tables are those of this version."""
        try:
            current = None if self._is_missing else schema.current(self._database)
        except (db_exc.DBError, exc.SQLAlchemyError):
            return Result(Code.FAILURE, "The database that [database] connection names cannot be reached.")
        newest = schema.newest()
        if current == newest:
            return Result(Code.SUCCESS, f"The database is at {current}.")
        if current is not None and not schema.is_known(current):
            return Result(Code.WARNING, f"The database is at {current}, of a newer version than this ({newest}).")
        return Result(
            Code.FAILURE,
            f"The database is at {current or 'no revision at all'}, and this version needs {newest}. "
            "Run: magnum-db-manage upgrade",
        )

    @_of_database
    def encryption_key(self) -> Result:
        """What is stored encrypted can be read."""
        try:
            secrets = SecretBox(self._conf)
            with self._database.reader() as session:
                for stored in _samples(session):
                    secrets.decrypt(stored)
        except KeyProblem as problem:
            return Result(Code.FAILURE, str(problem))
        return Result(Code.SUCCESS)

    def keystone(self) -> Result:
        """Magnum's own credentials work, and what [trust] names is there."""
        try:
            Keystone(self._conf).check()
        except Permanent as error:
            return Result(Code.FAILURE, f"{error.message} See [keystone_auth] and [trust].")
        except ServiceError as error:
            return Result(Code.WARNING, f"Not looked at: {error.message}")
        return Result(Code.SUCCESS)

    def policy_file(self) -> Result:
        """The policy file can be read."""
        found = common_checks.check_policy_json(self, self._conf)
        if found.code is not Code.SUCCESS:
            return found
        enforcer = policy.Enforcer(self._conf)
        enforcer.register_defaults(policies.list_rules())
        try:
            enforcer.load_rules()
        except (ValueError, OSError) as error:
            return Result(Code.FAILURE, f"The policy file cannot be read: {error}")
        return Result(Code.SUCCESS)

    @_of_database
    def messages(self) -> Result:
        """APIs of this version are understood by the conductors that run."""
        try:
            rpc.transport(self._conf)
        except messaging.MessagingException as error:
            return Result(Code.FAILURE, f"transport_url cannot be used: {error}")
        if self._conf.transport_url.startswith(rpc.IN_MEMORY):
            return Result(Code.WARNING, "transport_url is a bus within one process: good for magnum-embedded alone.")
        with self._database.reader() as session:
            older = [row.host for row in self._conductors(session) if _number(row) < _parts(rpc.NAMESPACE_VERSION)]
        if not older:
            return Result(Code.SUCCESS)
        return Result(Code.WARNING, f"Restart conductors before APIs. Of an older version: {_listed(older)}.")

    @_of_database
    def operations(self) -> Result:
        """What is under way can go on."""
        with self._database.reader() as session:
            query = select(models.Operation).where(models.Operation.state.in_(states.OPEN))
            found = session.scalars(query).all()
        strange = [row.bay_uuid for row in found if not _is_known(row)]
        if strange:
            return Result(
                Code.FAILURE,
                f"Operations that this version does not know are under way at bays {_listed(strange)}. Keep conductors "
                "of the version that began them until they have ended, or delete these bays.",
            )
        late = [row.bay_uuid for row in found if row.deadline is not None and row.deadline < clock.now()]
        if late:
            return Result(Code.WARNING, f"Past their deadline, as if no conductor ran: bays {_listed(late)}.")
        return Result(Code.SUCCESS, f"{len(found)} under way; they go on with this version.")

    def _conductors(self, session: Session) -> list[models.MagnumService]:
        """Those that were heard of lately."""
        rows = session.scalars(select(models.MagnumService)).all()
        patience = self._conf.conductor.service_down_time
        return [row for row in rows if row.last_seen_up and (clock.now() - row.last_seen_up).total_seconds() < patience]

    _upgrade_checks = (
        ("Configuration", configuration),
        ("Database", tables),
        ("Encryption key", encryption_key),
        ("Keystone", keystone),
        ("Policy file", policy_file),
        ("Messages between APIs and conductors", messages),
        ("Operations under way", operations),
    )


def _samples(session: Session) -> Iterable[str]:
    """Of what is stored encrypted, the oldest and the newest."""
    for column, number in (
        (models.Certificate.private_key, models.Certificate.id),
        (models.Bay.trustee_secret, models.Bay.id),
    ):
        for order in (number.asc(), number.desc()):
            stored = session.scalars(select(column).where(column.is_not(None)).order_by(order).limit(1)).first()
            if stored:
                yield stored


def _is_known(operation: models.Operation) -> bool:
    plan = PLANS.get(Verb(operation.verb)) if operation.verb in set(Verb) else None
    return plan is not None and plan.knows(operation.step)


def _number(conductor: models.MagnumService) -> tuple[int, ...]:
    return _parts(conductor.messages_version or _FIRST_MESSAGES)


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(sorted(names)[:_MOST_NAMED]) + more


def main(arguments: list[str] | None = None, conf: Any = CONF) -> int:
    """Entry point."""
    try:
        return int(upgradecheck.main(conf, "magnum", Checks(conf), sys.argv[1:] if arguments is None else arguments))
    except cfg.Error as error:
        print(f"The configuration cannot be read: {error}", file=sys.stderr)
        return _BROKEN
