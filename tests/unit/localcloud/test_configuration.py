"""What the services of the local cloud are told: configuration, credentials, environments."""

import os
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from magnum.localcloud import credentials, ini, packages, venvs
from magnum.localcloud.credentials import Account
from magnum.localcloud.paths import CloudPaths


def test_an_ini_file_keeps_every_value_as_it_was() -> None:
    text = ini.render({"DEFAULT": {"debug": True, "port": 1}, "keys": {"key": ["a$b", "c"]}})
    assert text == "[DEFAULT]\ndebug = true\nport = 1\n\n[keys]\nkey = a$$b\nkey = c\n"


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CloudPaths:
    monkeypatch.setenv("MAGNUM_LOCAL_STATE", str(tmp_path))
    paths = CloudPaths.named("test")
    credentials.write(
        paths,
        "http://172.17.0.1:5000/v3",
        demo=Account("demo", "one", "demo"),
        admin=Account("admin", "two", "admin"),
        commands=(Path("/opt/magnum bin"), Path("/opt/kubernetes")),
    )
    return paths


def _sourced(openrc: Path, **environment: str) -> dict[str, str]:
    result = subprocess.run(
        ["bash", "-c", f". '{openrc}'; . '{openrc}'; env"],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    )
    return dict(line.split("=", 1) for line in result.stdout.splitlines() if "=" in line)


def test_openrc_sets_what_is_needed_and_clears_what_would_mix(paths: CloudPaths) -> None:
    found = _sourced(paths.openrc, OS_TENANT_NAME="other", OS_TOKEN="old")
    assert {name: value for name, value in found.items() if name.startswith("OS_")} == {
        "OS_AUTH_URL": "http://172.17.0.1:5000/v3",
        "OS_IDENTITY_API_VERSION": "3",
        "OS_USERNAME": "demo",
        "OS_PASSWORD": "one",
        "OS_PROJECT_NAME": "demo",
        "OS_USER_DOMAIN_ID": "default",
        "OS_PROJECT_DOMAIN_ID": "default",
        "OS_REGION_NAME": "RegionOne",
    }


def test_openrc_puts_the_commands_on_the_path_once(paths: CloudPaths) -> None:
    assert _sourced(paths.openrc)["PATH"] == f"/opt/magnum bin:/opt/kubernetes:{os.environ['PATH']}"


def test_clouds_yaml_holds_the_tenant_and_the_admin(paths: CloudPaths) -> None:
    clouds = yaml.safe_load(paths.clouds_yaml.read_text())["clouds"]
    assert clouds["magnum-local"]["auth"]["username"] == "demo"
    assert clouds["magnum-local-admin"]["auth"]["username"] == "admin"


def test_credentials_are_private(paths: CloudPaths) -> None:
    for path in (paths.openrc, paths.admin_openrc, paths.clouds_yaml):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["keystone", "heat"])
def test_the_environments_of_services_are_pinned_to_the_last_package(name: str) -> None:
    requirements = Path(venvs.__file__).parent / "requirements" / f"{name}.txt"
    lines = [line for line in requirements.read_text().splitlines() if not line.startswith("#")]
    assert len(lines) > 50
    assert all(line.count("==") == 1 for line in lines)


def test_an_unfinished_environment_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAGNUM_LOCAL_CACHE", str(tmp_path))
    ran: list[tuple[str, ...]] = []

    def run(*argv: str) -> None:
        ran.append(argv)
        (tmp_path / "venvs").mkdir(exist_ok=True)
        Path(argv[-1]).mkdir(exist_ok=True) if "venv" in argv else None
        if len(ran) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(venvs, "_run", run)
    with pytest.raises(KeyboardInterrupt):
        venvs.ensure("heat")
    folder = venvs.ensure("heat")
    assert len(ran) == 4
    assert venvs.ensure("heat") == folder
    assert len(ran) == 4


def test_packages_that_are_installed_are_not_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = subprocess.CompletedProcess(
        (), 1, stdout="curl ii \nmemcached rc \n", stderr="no packages found: docker.io"
    )
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: answer)
    assert packages.missing(["memcached", "docker.io", "curl"]) == ["docker.io", "memcached"]
