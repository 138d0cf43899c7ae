"""What the files of the contract need before their first request."""

import pytest
from keystonemiddleware.fixture import AuthTokenFixture

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
