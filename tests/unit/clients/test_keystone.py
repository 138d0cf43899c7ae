"""The user of a bay, made once however often it is asked for."""

from types import SimpleNamespace
from typing import Any

import pytest
from keystoneauth1 import exceptions as ka
from oslo_config import cfg

from magnum.clients.errors import Permanent, Transient
from magnum.clients.keystone import BayUser, Keystone

BAY = "5d4b0c7e-8f65-4c41-9d7c-0d6f1f3f8c11"


class Named:
    """A collection of keystoneclient with things that have a name."""

    def __init__(self, *names: str) -> None:
        self.held = {name: SimpleNamespace(id=f"id-{name}", name=name) for name in names}
        self.lists = 0

    def list(self, name: str, **_scope: Any) -> list[Any]:
        self.lists += 1
        return [self.held[name]] if name in self.held else []


class Users(Named):
    def __init__(self) -> None:
        super().__init__()
        self.passwords: dict[str, str] = {}

    def create(self, name: str, domain: str, password: str) -> Any:
        if name in self.held:
            raise ka.Conflict("there is one")
        self.held[name] = SimpleNamespace(id=f"id-{name}", name=name)
        self.passwords[f"id-{name}"] = password
        return self.held[name]

    def update(self, user: Any, password: str, enabled: bool) -> None:
        self.passwords[user.id] = password

    def get(self, user_id: str) -> Any:
        found = [user for user in self.held.values() if user.id == user_id]
        if not found:
            raise ka.NotFound
        return found[0]

    def delete(self, user_id: str) -> None:
        self.get(user_id)
        self.held = {name: user for name, user in self.held.items() if user.id != user_id}


class Roles(Named):
    def __init__(self, client: "FakeClient") -> None:
        super().__init__("member", "other")
        self._client = client

    def grant(self, role: str, user: str, project: str) -> None:
        if self._client.failure:
            raise self._client.failure
        self._client.granted.append((role, user, project))


class FakeClient:
    def __init__(self) -> None:
        self.users = Users()
        self.domains = Named("magnum")
        self.roles = Roles(self)
        self.granted: list[tuple[str, str, str]] = []
        self.failure: Exception | None = None


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


@pytest.fixture
def keystone(conf: cfg.ConfigOpts, client: FakeClient, monkeypatch: pytest.MonkeyPatch) -> Keystone:
    keystone = Keystone(conf)
    monkeypatch.setattr(keystone, "_client", lambda: client)
    return keystone


def test_making_twice_leaves_one_user_with_the_last_password(keystone: Keystone, client: FakeClient) -> None:
    first = keystone.ensure_user(BAY, "one", "project")
    assert keystone.ensure_user(BAY, "two", "project") == first
    assert list(client.users.held) == [f"bay-{BAY}"]
    assert client.users.passwords == {first: "two"}
    assert set(client.granted) == {("id-member", first, "project")}


def test_domain_and_roles_are_looked_up_once(keystone: Keystone, client: FakeClient) -> None:
    for number in range(5):
        keystone.ensure_user(f"bay-{number}", "p", "project")
    assert (client.domains.lists, client.roles.lists) == (1, 1)


def test_removing_twice_is_fine(keystone: Keystone, client: FakeClient) -> None:
    keystone.ensure_user(BAY, "p", "project")
    assert client.users.held
    keystone.delete_user(BAY)
    keystone.delete_user(BAY)
    assert not client.users.held


def test_a_domain_that_is_gone_took_the_user_with_it(keystone: Keystone, client: FakeClient) -> None:
    client.domains.held.clear()
    keystone.delete_user(BAY, "id-gone")


def test_a_user_whose_id_is_known_is_removed_wherever_it_is(keystone: Keystone, client: FakeClient) -> None:
    user_id = keystone.ensure_user(BAY, "p", "project")
    client.users.list = lambda **_: []  # type: ignore[method-assign]
    keystone.delete_user(BAY, user_id)
    assert not client.users.held


class OneSession:
    """Of a bay's user, to whom Keystone gives a new token or none."""

    def __init__(self, answer: Exception | None) -> None:
        self.answer = answer
        self.has_token = True

    def invalidate(self) -> None:
        self.has_token = False

    def get_token(self) -> str:
        if self.answer is not None and not self.has_token:
            raise self.answer
        return "token"


def test_a_user_is_accepted_if_keystone_gives_it_a_new_token(
    keystone: Keystone, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = BayUser("id", "project", "p")
    for answer, accepted in ((None, True), (ka.Unauthorized(), False)):
        monkeypatch.setattr(keystone, "bay_session", lambda _user, answer=answer: OneSession(answer))
        assert keystone.accepts(user) is accepted
    monkeypatch.setattr(keystone, "bay_session", lambda _user: OneSession(ka.ServiceUnavailable()))
    with pytest.raises(Transient):
        keystone.accepts(user)


def test_a_role_that_is_not_there_is_the_operators_to_mend(keystone: Keystone, conf: cfg.ConfigOpts) -> None:
    conf.set_override("roles", ["nobody"], group="trust")
    with pytest.raises(Permanent, match=r"\[trust\]"):
        keystone.ensure_user(BAY, "p", "project")


def test_errors_are_told_by_kind(keystone: Keystone, client: FakeClient) -> None:
    client.failure = ka.NotFound("Could not find project: project.")
    with pytest.raises(Permanent, match="Could not find project") as raised:
        keystone.ensure_user(BAY, "p", "project")
    assert raised.value.code == 404
    client.failure = ka.ServiceUnavailable()
    with pytest.raises(Transient):
        keystone.ensure_user(BAY, "p", "project")


def test_a_bays_session_is_kept_until_its_user_goes(conf: cfg.ConfigOpts, client: FakeClient) -> None:
    conf.set_override("auth_type", "v3password", group="keystone_auth")
    keystone = Keystone(conf)
    keystone.service_session = lambda: SimpleNamespace(auth=SimpleNamespace(auth_url="http://k/"))  # type: ignore[method-assign]
    keystone._client = lambda: client  # type: ignore[method-assign]
    user = BayUser(keystone.ensure_user(BAY, "p", "project"), "project", "p")
    session = keystone.bay_session(user)
    assert session.auth.auth_url == "http://k/v3"
    assert keystone.bay_session(BayUser(user.id, "project", "p")) is session
    keystone.delete_user(BAY)
    assert keystone.bay_session(user) is not session
    assert "p'" not in repr(user)


def test_without_credentials_magnum_says_so(conf: cfg.ConfigOpts) -> None:
    with pytest.raises(Permanent, match="keystone_auth"):
        Keystone(conf).service_session()
