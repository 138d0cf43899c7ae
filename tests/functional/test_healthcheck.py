"""What a load balancer is told."""

import time

import pytest
from oslo_config import cfg
from sqlalchemy import text

from magnum.api import app as api_app
from magnum.api.call import Services
from magnum.db.session import Database
from tests.functional.conftest import Client, sentences


@pytest.fixture
def _later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock is a minute after the last, so that nothing is remembered."""
    minutes = iter(range(10**6))
    monkeypatch.setattr(time, "monotonic", lambda: 60.0 * next(minutes))


def test_all_is_well(nobody: Client) -> None:
    assert nobody.get("/healthcheck").status_int == 200


@pytest.mark.usefixtures("_later")
def test_tables_that_were_never_made(
    conf: cfg.ConfigOpts, services: Services, database: Database, nobody: Client
) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE quotas RENAME TO elsewhere"))
    try:
        response = nobody.get("/healthcheck")
        assert (response.status_int, sentences(response)) == (503, ["The database has not the tables of this version."])
        assert nobody.request("HEAD", "/healthcheck").status_int == 503
    finally:
        with database.engine.begin() as connection:
            connection.execute(text("ALTER TABLE elsewhere RENAME TO quotas"))
    assert nobody.get("/healthcheck").status_int == 200


@pytest.mark.usefixtures("_later")
def test_a_column_that_was_never_made(database: Database, nobody: Client) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE quotas RENAME COLUMN resource TO other"))
    try:
        assert nobody.get("/healthcheck").status_int == 503
    finally:
        with database.engine.begin() as connection:
            connection.execute(text("ALTER TABLE quotas RENAME COLUMN other TO resource"))


@pytest.mark.parametrize(
    "connection",
    [
        "sqlite:////nowhere/magnum.sqlite",
        "mysql+pymysql://magnum@localhost/magnum?unix_socket=/nowhere",
        "postgresql+psycopg2://magnum@/magnum?host=/nowhere",
    ],
)
def test_a_database_that_is_away(conf: cfg.ConfigOpts, connection: str) -> None:
    conf.set_override("connection", connection, group="database")
    nobody = Client(api_app.load(conf, api_app.make_services(conf)), None)
    response = nobody.get("/healthcheck")
    assert (response.status_int, sentences(response)) == (503, ["The database cannot be reached."])


def test_it_does_not_ask_the_database_each_time(nobody: Client, statements: list[str]) -> None:
    for _ in range(10):
        assert nobody.get("/healthcheck").status_int == 200
    asked = len(statements)
    for _ in range(10):
        nobody.get("/healthcheck")
    assert len(statements) - asked <= 2
