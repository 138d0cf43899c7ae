"""What the files of the contract need before their first request."""

from datetime import timedelta

import pytest
from keystonemiddleware.fixture import AuthTokenFixture

from magnum.common import clock
from magnum.db import models
from magnum.db.session import Database

PEOPLE: dict[str, tuple[str | None, list[str]]] = {
    "alice": ("project-a", ["member", "reader"]),
    "carol": ("project-a", ["manager", "member", "reader"]),
    "rita": ("project-a", ["reader"]),
    "mallory": ("project-b", ["member", "reader"]),
    "operator": ("project-o", ["admin", "member", "reader"]),
    "machine": ("project-a", ["heat_stack_user"]),
    "drifter": (None, ["member", "reader"]),
}
"""Who has a token, which is called like its owner: for which project, and with which roles."""


@pytest.fixture
def everybody(tokens: AuthTokenFixture) -> None:
    """Keystone knows the people."""
    for name, (project, roles) in PEOPLE.items():
        tokens.add_token_data(name, project_id=project, user_id=name, role_list=roles)


@pytest.fixture
def conductors(database: Database) -> None:
    """One that is at work, and one that was not heard of for an hour."""
    for host, silent in (("one", timedelta()), ("two", timedelta(hours=1))):
        heard = clock.now() - silent
        with database.writer() as session:
            row = models.MagnumService(host=host, binary="magnum-conductor", last_seen_up=heard, report_count=7)
            session.add(row)
