"""What `magnum-status upgrade check` finds before services of this version are started."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from oslo_config import cfg
from oslo_upgradecheck.upgradecheck import Code, Result

from magnum.certificates.storage import SecretBox
from magnum.clients.errors import Permanent, Transient
from magnum.clients.keystone import Keystone
from magnum.cmd.status import Checks, main
from magnum.common import clock, rpc
from magnum.common.context import RequestContext
from magnum.db import models, operations, schema
from magnum.db.session import Database


@pytest.fixture
def checks(conf: cfg.ConfigOpts, tmp_path: Path) -> Checks:
    conf.set_override("connection", f"sqlite:///{tmp_path}/checked.sqlite", group="database")
    conf.set_override("encryption_key", [Fernet.generate_key().decode()], group="certificates")
    rpc.transport(conf, rpc.IN_MEMORY)  # makes the option known
    conf.set_override("transport_url", "rabbit://127.0.0.1/")
    return Checks(conf)


@pytest.fixture
def upgraded(conf: cfg.ConfigOpts, checks: Checks) -> Iterator[Database]:
    database = Database(conf)
    schema.upgrade(database)
    yield database
    database.dispose()


def details(result: Result) -> str:
    return result.details or ""


def add_operation(database: Database, context: RequestContext, **values: Any) -> str:
    bay = models.Bay(name="b", baymodel_id="m", baymodel={})
    with database.writer() as session:
        operations.accept_create(session, context, bay, {}, timedelta(hours=1))
        session.flush()
        if values:
            row: dict[Any, Any] = dict(values)
            session.query(models.Operation).filter_by(bay_uuid=bay.uuid).update(row)
    return bay.uuid


def test_all_is_well(
    checks: Checks, upgraded: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Keystone, "check", lambda _: None)
    assert checks.check() is Code.SUCCESS
    assert capsys.readouterr().out.count("Result: Success") == 7


def test_values_that_no_option_can_have(conf: cfg.ConfigOpts, checks: Checks, tmp_path: Path) -> None:
    assert checks.configuration().code is Code.SUCCESS
    (tmp_path / "bad.conf").write_text("[conductor]\nworkers = many\n[metrics]\nenabled = perhaps\n")
    conf(["--config-file", str(tmp_path / "bad.conf")], project="magnum")
    found = checks.configuration()
    assert found.code is Code.FAILURE
    assert "[conductor] workers: invalid literal for int() with base 10: 'many'." in details(found)
    assert "[metrics] enabled: Unexpected boolean value 'perhaps'." in details(found)


def test_a_configuration_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config-file", str(tmp_path / "missing.conf"), "upgrade", "check"], cfg.ConfigOpts()) == 255
    assert "The configuration cannot be read" in capsys.readouterr().err


def test_a_check_makes_no_database(checks: Checks, tmp_path: Path) -> None:
    assert checks.tables().code is Code.FAILURE
    assert not list(tmp_path.glob("*.sqlite"))


def test_no_tables(conf: cfg.ConfigOpts, checks: Checks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Keystone, "check", lambda _: None)
    found = checks.tables()
    assert (found.code, "magnum-db-manage upgrade" in details(found)) == (Code.FAILURE, True)
    assert checks.operations().code is Code.WARNING
    assert checks.check() is Code.FAILURE


def test_no_database(conf: cfg.ConfigOpts, checks: Checks) -> None:
    conf.set_override("connection", "sqlite:////nowhere/magnum.sqlite", group="database")
    assert "cannot be reached" in details(checks.tables())


@pytest.mark.parametrize(("revision", "code"), [("0001", Code.FAILURE), ("9999", Code.WARNING)])
def test_tables_of_another_version(checks: Checks, upgraded: Database, revision: str, code: Code) -> None:
    with upgraded.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = ?", (revision,))
    found = checks.tables()
    assert found.code is code
    assert revision in details(found)


def test_a_key_is_missing_or_another(conf: cfg.ConfigOpts, checks: Checks, upgraded: Database) -> None:
    with upgraded.writer() as session:
        session.add(
            models.Certificate(bay_uuid="b", kind="ca", certificate="", private_key=SecretBox(conf).encrypt("k"))
        )
    assert checks.encryption_key().code is Code.SUCCESS
    for keys in ([Fernet.generate_key().decode()], ["nonsense"], []):
        conf.set_override("encryption_key", keys, group="certificates")
        assert checks.encryption_key().code is Code.FAILURE


@pytest.mark.parametrize(
    ("error", "code"), [(Permanent("no such domain"), Code.FAILURE), (Transient("silence"), Code.WARNING)]
)
def test_keystone_refuses_or_is_silent(
    checks: Checks, monkeypatch: pytest.MonkeyPatch, error: Exception, code: Code
) -> None:
    def fail(_: Keystone) -> None:
        raise error

    monkeypatch.setattr(Keystone, "check", fail)
    assert checks.keystone().code is code


def test_no_credentials(checks: Checks) -> None:
    assert checks.keystone().code is Code.FAILURE


@pytest.mark.parametrize(("text", "code"), [('{"bay:get": "role:x"}', Code.FAILURE), ("bay:get: [", Code.FAILURE)])
def test_a_policy_file_of_old_or_none(
    conf: cfg.ConfigOpts, checks: Checks, tmp_path: Path, text: str, code: Code
) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    conf.set_override("policy_file", str(path), group="oslo_policy")
    assert checks.policy_file().code is code


def test_conductors_of_an_older_version(checks: Checks, upgraded: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    long_ago = clock.now() - timedelta(days=1)
    with upgraded.writer() as session:
        for host, version, seen in (("old", None, clock.now()), ("new", "1.7", clock.now()), ("gone", None, long_ago)):
            session.add(
                models.MagnumService(host=host, binary="magnum-conductor", messages_version=version, last_seen_up=seen)
            )
    assert checks.messages().code is Code.SUCCESS
    monkeypatch.setattr(rpc, "NAMESPACE_VERSION", "1.7")
    found = checks.messages()
    assert (found.code, details(found)) == (
        Code.WARNING, "Restart conductors before APIs. Of an older version: old.",
    )  # fmt: skip


def test_a_bus_within_one_process(conf: cfg.ConfigOpts, checks: Checks, upgraded: Database) -> None:
    conf.set_override("transport_url", rpc.IN_MEMORY)
    assert checks.messages().code is Code.WARNING
    conf.set_override("transport_url", "pigeon://")
    assert checks.messages().code is Code.FAILURE


def test_operations_under_way(checks: Checks, upgraded: Database, context: RequestContext) -> None:
    add_operation(upgraded, context)
    assert details(checks.operations()).startswith("1 under way")
    late = add_operation(upgraded, context, deadline=clock.now() - timedelta(hours=1))
    found = checks.operations()
    assert (found.code, late in details(found)) == (Code.WARNING, True)
    for values in ({"verb": "hibernate"}, {"step": "polish"}):
        bay = add_operation(upgraded, context, **values)
        found = checks.operations()
        assert (found.code, bay in details(found)) == (Code.FAILURE, True)
