"""What every unit test has: no network, and a database of its own in memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from oslo_config import cfg
from oslo_config.fixture import Config

from magnum.common.context import RequestContext
from magnum.conf import CONF
from magnum.db import models
from magnum.db.session import Database


@pytest.fixture(autouse=True)
def _no_network(socket_disabled: None) -> None:
    """A unit test opens no socket."""


@pytest.fixture
def conf() -> Iterator[cfg.ConfigOpts]:
    """The configuration with its defaults; overrides end with the test."""
    fixture = Config(CONF)
    fixture.setUp()
    CONF([], project="magnum", default_config_files=[])
    yield CONF
    fixture.cleanUp()


@pytest.fixture
def database(conf: cfg.ConfigOpts, tmp_path: Path) -> Iterator[Database]:
    """An empty database with all tables."""
    conf.set_override("connection", f"sqlite:///{tmp_path}/magnum.sqlite", group="database")
    database = Database(conf)
    models.Base.metadata.create_all(database.engine)
    yield database
    database.dispose()


@pytest.fixture
def context() -> RequestContext:
    """A tenant."""
    return RequestContext(project_id="project-a", user_id="user-a", overwrite=False)


@pytest.fixture
def stranger() -> RequestContext:
    """Another tenant."""
    return RequestContext(project_id="project-b", user_id="user-b", overwrite=False)
