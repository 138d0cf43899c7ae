"""The command `magnum-local`."""

from pathlib import Path
from typing import Any, ClassVar

import pytest

from magnum.localcloud import cli, engine
from magnum.localcloud.cloud import LocalCloud, ServiceState
from magnum.localcloud.engine import Engine
from magnum.localcloud.paths import CloudPaths, state_root
from magnum.localcloud.preflight import PreflightError, Problem
from magnum.localcloud.processes import ServiceError
from magnum.localcloud.settings import REAL, STAND_IN, Settings, store


@pytest.fixture(autouse=True)
def _state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MAGNUM_LOCAL_STATE", str(tmp_path / "s"))
    monkeypatch.setenv("MAGNUM_LOCAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("os.geteuid", lambda: 0)


@pytest.fixture
def brought_up(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Settings]]:
    clouds: list[tuple[str, Settings]] = []
    monkeypatch.setattr(LocalCloud, "check", lambda _: None)
    monkeypatch.setattr(LocalCloud, "up", lambda cloud, _: clouds.append((cloud.paths.name, cloud.settings)))
    return clouds


@pytest.mark.parametrize(
    "arguments",
    [
        ["--name", "test", "--port-offset", "20000", "up", "--bus", "rabbit"],
        ["up", "--name", "test", "--port-offset", "20000", "--bus", "rabbit"],
    ],
)
def test_common_options_stand_before_or_after_the_command(
    arguments: list[str], brought_up: list[tuple[str, Settings]]
) -> None:
    assert cli.main(arguments) == 0
    assert brought_up == [("test", Settings(port_offset=20000, bus="rabbit"))]


def test_the_usual_cloud_needs_no_options(
    brought_up: list[tuple[str, Settings]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["up"]) == 0
    assert brought_up == [("demo", Settings())]
    assert "/demo/openrc" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (ServiceError("Heat did not answer"), 1, "Heat did not answer"),
        (PreflightError([Problem("No root.", "Use sudo.")]), 1, "nothing was changed.\nNo root.\n    Use sudo."),
        (KeyboardInterrupt(), 130, "goes on from here"),
    ],
)
def test_errors_are_told_in_words(
    error: BaseException, code: int, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(LocalCloud, "check", lambda _: None)
    monkeypatch.setattr(LocalCloud, "up", fail)
    assert cli.main(["up"]) == code
    assert text in capsys.readouterr().err


@pytest.mark.parametrize("command", ["up", "check", "status", "logs", "down", "reset", "demo"])
def test_whoever_is_not_root_is_told_how_to_become_it(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert cli.main([command]) == 1
    said = capsys.readouterr().err
    assert "needs root" in said
    assert f"sudo magnum-local {command} " in said


def test_a_bad_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["up", "--name", "../x"]) == 1
    assert "cannot name a cloud" in capsys.readouterr().err


def test_status_of_no_cloud_says_how_to_make_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status"]) == 3
    assert "magnum-local up --name demo" in capsys.readouterr().out


@pytest.mark.parametrize(("pid", "code"), [(42, 0), (None, 3)])
def test_status_shows_each_service(
    pid: int | None, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store(CloudPaths.named("demo"), Settings())
    monkeypatch.setattr(LocalCloud, "status", lambda _: [ServiceState("heat", pid, Path("/logs/heat.log"))])
    assert cli.main(["status"]) == code
    assert ("pid 42" if pid else "NOT RUNNING") in capsys.readouterr().out


class _Removed:
    """Stands for the objects of a cloud in the engine."""

    clouds: ClassVar[list[str]] = []

    def __init__(self, _docker_host: str, cloud: str) -> None:
        self.clouds.append(cloud)

    def remove(self) -> int:
        return 0


@pytest.mark.parametrize(
    ("heat", "has_data", "removed"), [(REAL, True, True), (REAL, False, False), (STAND_IN, True, False)]
)
def test_reset_after_down_has_the_engine_started_for_what_it_keeps(
    heat: str, has_data: bool, removed: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store(CloudPaths.named("demo"), Settings(heat=heat))
    if has_data:
        (state_root() / "docker").mkdir()
    monkeypatch.setattr(_Removed, "clouds", [])
    monkeypatch.setattr(engine, "is_available", lambda: False)
    monkeypatch.setattr(engine, "ensure", lambda: Engine("unix:///x", Path("/x"), "172.17.0.1"))
    monkeypatch.setattr("magnum.localcloud.cloud.BayServers", _Removed)
    assert cli.main(["reset"]) == 0
    assert _Removed.clouds == (["demo"] if removed else [])
    assert "Nothing is left of the cloud 'demo'" in capsys.readouterr().out
    assert cli.main(["reset"]) == 0
    assert "There was no cloud 'demo'" in capsys.readouterr().out


@pytest.mark.parametrize("bus", ["memory", "rabbit"])
def test_status_knows_the_services_of_each_bus(bus: str) -> None:
    names = {state.name for state in LocalCloud(CloudPaths.named("demo"), Settings(bus=bus)).status()}
    apart = {"magnum-api", "magnum-conductor", "rabbitmq", "epmd"}
    assert {"mariadb", "memcached", "keystone", "heat"} <= names
    assert (apart <= names, "magnum-embedded" in names) == (bus == "rabbit", bus == "memory")


def test_status_knows_every_conductor_and_the_database() -> None:
    settings = Settings(bus="rabbit", database="postgresql", conductors=2)
    names = {state.name for state in LocalCloud(CloudPaths.named("demo"), settings).status()}
    assert {"magnum-conductor", "magnum-conductor-2", "postgresql"} <= names
    assert "postgresql" not in {state.name for state in LocalCloud(CloudPaths.named("demo"), Settings()).status()}


@pytest.mark.parametrize("count", ["0", "17", "two", "-1"])
def test_a_number_of_processes_that_cannot_be(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["up", "--conductors", count])
    assert ended.value.code == 2
    assert "from 1 to 16" in capsys.readouterr().err


def test_logs_shows_the_end_of_those_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    paths = CloudPaths.named("demo")
    paths.logs.mkdir(parents=True)
    paths.log("heat").write_text("one\ntwo\nthree\n")
    paths.log("keystone").write_text("other\n")
    assert cli.main(["logs", "heat", "--lines", "2"]) == 0
    assert capsys.readouterr().out == f"==> heat: {paths.log('heat')}\ntwo\nthree\n\n"
    assert cli.main(["logs", "nova"]) == 1
    assert "there are: heat, keystone" in capsys.readouterr().err


def test_a_heat_that_plays_needs_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("magnum.localcloud.engine.ensure", lambda: pytest.fail("an engine is started"))
    cloud = LocalCloud(CloudPaths.named("play"), Settings(heat="stand-in"))
    assert cloud.gateway == "127.0.0.1"
    asked: dict[str, tuple[str, int]] = {}
    monkeypatch.setattr("magnum.localcloud.preflight.check", lambda _, __, addresses, builds: asked.update(addresses))
    cloud.check()
    assert asked["Heat"] == ("127.0.0.1", 8004)
    assert asked["orders to Heat"] == ("127.0.0.1", 8005)
