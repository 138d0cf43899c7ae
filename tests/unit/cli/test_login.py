"""Where the settings of a login come from, and what is made of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import KEYSTONE, Ran, StubCloud

Run = Callable[..., Ran]

CLOUDS = f"""
clouds:
  here:
    auth:
      auth_url: {KEYSTONE}
      username: ann
      password: from-the-file
      project_name: web
      user_domain_name: Default
      project_domain_name: Default
    region_name: RegionOne
    identity_api_version: 3
"""


@pytest.fixture
def clouds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "clouds.yaml"
    path.write_text(CLOUDS)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
    return path


@pytest.fixture(autouse=True)
def _bays(cloud: StubCloud) -> None:
    cloud.on("GET /v1/bays", 200, {"bays": []})


def _user(cloud: StubCloud) -> Any:
    return cloud.logins[0]["identity"]["password"]["user"]


def test_variables_with_the_default_domain(magnum: Run, cloud: StubCloud) -> None:
    assert magnum("bay-list").code == 0
    assert _user(cloud) == {"name": "demo", "password": "secret", "domain": {"id": "default"}}
    assert cloud.logins[0]["scope"]["project"] == {"name": "demo", "domain": {"id": "default"}}


def test_options_win_over_variables(magnum: Run, cloud: StubCloud) -> None:
    magnum("--os-username", "bob", "bay-list", "--os-user-domain-name", "heroes")
    assert _user(cloud)["name"] == "bob"
    assert _user(cloud)["domain"] == {"name": "heroes"}


@pytest.mark.usefixtures("clouds")
def test_a_named_cloud_shuts_out_the_variables(magnum: Run, cloud: StubCloud) -> None:
    assert magnum("--os-cloud", "here", "bay-list").code == 0
    assert _user(cloud) == {"name": "ann", "password": "from-the-file", "domain": {"name": "Default"}}
    assert cloud.logins[0]["scope"]["project"]["name"] == "web"


@pytest.mark.usefixtures("clouds")
def test_the_cloud_may_be_named_by_a_variable(magnum: Run, cloud: StubCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_CLOUD", "here")
    magnum("bay-list")
    assert _user(cloud)["name"] == "ann"


def test_secure_yaml_adds_to_clouds_yaml(magnum: Run, cloud: StubCloud, clouds: Path) -> None:
    clouds.with_name("secure.yaml").write_text("clouds: {here: {auth: {password: from-secure}}}")
    magnum("--os-cloud", "here", "bay-list")
    assert _user(cloud)["password"] == "from-secure"


@pytest.mark.usefixtures("clouds")
def test_an_unknown_cloud_names_the_known(magnum: Run) -> None:
    ran = magnum("--os-cloud", "there", "bay-list")
    assert ran.code == 3
    assert "no cloud named 'there'; it has: here." in ran.err


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("clouds: [", "line 1: not valid YAML"),
        ("just text", "the file must be a mapping"),
        ("clouds: {here: {auth: text}}", "clouds.here.auth must be a mapping"),
        ("clouds: {here: {auth: {password: [hunter2]}}}", "password must be a text, not list"),
    ],
)
def test_a_broken_clouds_yaml(magnum: Run, clouds: Path, content: str, sentence: str) -> None:
    clouds.write_text(content)
    ran = magnum("--os-cloud", "here", "bay-list")
    assert ran.code == 3
    assert sentence in ran.err
    assert "hunter2" not in ran.err


def test_a_token(magnum: Run, cloud: StubCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OS_PASSWORD")
    monkeypatch.setenv("OS_TOKEN", "old-token")
    assert magnum("bay-list").code == 0
    assert cloud.logins[0]["identity"]["token"]["id"] == "old-token"


def test_an_application_credential(magnum: Run, cloud: StubCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_AUTH_TYPE", "v3applicationcredential")
    monkeypatch.setenv("OS_APPLICATION_CREDENTIAL_ID", "an-id")
    monkeypatch.setenv("OS_APPLICATION_CREDENTIAL_SECRET", "shh")
    assert magnum("bay-list").code == 0
    assert cloud.logins[0]["identity"]["application_credential"] == {"id": "an-id", "secret": "shh"}


def test_a_token_and_an_endpoint_need_no_keystone(
    magnum: Run, cloud: StubCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AUTH_URL", "USERNAME", "PASSWORD", "PROJECT_NAME"):
        monkeypatch.delenv(f"OS_{name}")
    assert magnum("--os-token", "t", "--bypass-url", "http://magnum.test:9511", "bay-list").code == 0
    assert cloud.seen[0].headers["X-Auth-Token"] == "t"
    assert not cloud.logins


@pytest.mark.parametrize(
    "url", ["http://magnum.test:9511", "http://magnum.test:9511/v1/", "http://magnum.test:9511/v1"]
)
def test_the_older_type_and_any_form_of_url(magnum: Run, cloud: StubCloud, url: str) -> None:
    cloud.catalog_type, cloud.catalog_url = "container", url
    assert magnum("bay-list").code == 0
    assert cloud.seen[0].path == "/v1/bays"


def test_an_override_goes_before_the_catalog(magnum: Run, cloud: StubCloud) -> None:
    magnum("--os-endpoint-override", "http://magnum-2.test/prefix", "bay-list")
    assert cloud.seen[0].path == "/prefix/v1/bays"


def test_another_login_type_is_named(magnum: Run) -> None:
    ran = magnum("--os-auth-type", "v3kerberos", "bay-list")
    assert ran.code == 3
    assert "'kerberos' is not supported" in ran.err


OLD_OPTIONS = (
    "--os{0}username=ann --os{0}password=pw --os{0}tenant{0}name=web --os{0}auth{0}url={1} "
    "--os{0}user{0}domain{0}name=Us --os{0}project{0}domain{0}id=pr "
    "--os{0}region{0}name=RegionOne --endpoint{0}type=publicURL "
    "--service{0}type=container-infra --magnum{0}api{0}version=1 --os{0}auth{0}system=keystone --os{0}cache "
    "--insecure --os{0}cacert=/none"
)


@pytest.mark.parametrize("dash", ["-", "_"])
def test_the_options_of_2015(magnum: Run, cloud: StubCloud, monkeypatch: pytest.MonkeyPatch, dash: str) -> None:
    for name in ("AUTH_URL", "USERNAME", "PASSWORD", "PROJECT_NAME"):
        monkeypatch.delenv(f"OS_{name}")
    ran = magnum(*OLD_OPTIONS.format(dash, KEYSTONE).split(), "bay-list")
    assert ran.code == 0, ran.err
    assert _user(cloud) == {"name": "ann", "password": "pw", "domain": {"name": "Us"}}
    assert cloud.logins[0]["scope"]["project"] == {"name": "web", "domain": {"id": "pr"}}


def test_the_variables_of_2015(magnum: Run, cloud: StubCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OS_PROJECT_NAME")
    monkeypatch.setenv("OS_TENANT_ID", "t1")
    monkeypatch.setenv("MAGNUM_ENDPOINT_TYPE", "publicURL")
    monkeypatch.setenv("BYPASS_URL", "http://magnum-2.test/prefix")
    monkeypatch.setenv("MAGNUM_API_VERSION", "1")
    monkeypatch.setenv("MAGNUMCLIENT_INSECURE", "true")
    magnum("bay-list")
    assert cloud.logins[0]["scope"]["project"] == {"id": "t1"}
    assert cloud.seen[0].path == "/prefix/v1/bays"


def test_help_shows_no_older_spellings(magnum: Run) -> None:
    shown = magnum("help").out
    assert "--os-project-name" in shown
    assert "--os_project_name" not in shown
    assert "--os-cache" not in shown


def test_timings_are_told_beside_the_output(magnum: Run, cloud: StubCloud) -> None:
    ran = magnum("--timings", "bay-list", "-f", "json")
    assert ran.json == []
    lines = [line.split(maxsplit=2)[2] for line in ran.err.splitlines()]
    assert lines == [f"POST {KEYSTONE}/auth/tokens", "GET http://magnum.test:9511/v1/bays", "all requests"]


@pytest.mark.parametrize("status", [401, 404])
def test_a_token_that_does_not_hold(
    magnum: Run, cloud: StubCloud, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """Keystone answers with 404 where a token has expired or was never given."""
    cloud.refused = status
    monkeypatch.delenv("OS_PASSWORD")
    monkeypatch.setenv("OS_TOKEN", "expired")
    ran = magnum("bay-list")
    assert ran.code == 3
    assert "does not accept the token" in ran.err
    assert "expired" in ran.err


@pytest.mark.parametrize(("name", "option"), [("OS_AUTH_URL", "auth_url"), ("BYPASS_URL", "endpoint_override")])
@pytest.mark.parametrize("url", ["nonsense", "keystone:5000/v3", "ftp://keystone/v3", "http:///v3", "http://[::1"])
def test_what_is_no_url(magnum: Run, monkeypatch: pytest.MonkeyPatch, name: str, option: str, url: str) -> None:
    monkeypatch.setenv(name, url)
    ran = magnum("bay-list")
    assert ran.code == 3
    assert ran.err == f"ERROR: {option} is {url!r}, which is no URL: it begins with http:// or https:// and a host.\n"
