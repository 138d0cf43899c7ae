"""The Docker Engine: what is asked of it before anything is built on it."""

from pathlib import Path
from typing import Any

import docker
import pytest

from magnum.localcloud import engine
from magnum.localcloud.processes import ServiceError


def test_a_socket_that_a_killed_engine_left_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(**_: Any) -> None:
        raise docker.errors.DockerException("Connection refused")

    left = tmp_path / "docker.sock"
    left.touch()
    monkeypatch.setattr(engine, "_SOCKET", left)
    monkeypatch.setattr(docker, "DockerClient", refuses)
    assert not engine.is_available()


def test_without_a_socket_no_engine_is_available(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_SOCKET", tmp_path / "docker.sock")
    assert not engine.is_available()


def test_a_machine_without_docker_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_SOCKET", tmp_path / "docker.sock")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServiceError, match=r"apt-get install docker\.io"):
        engine.ensure()


def test_an_engine_that_was_not_started_here_is_not_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAGNUM_LOCAL_STATE", str(tmp_path))
    assert engine.process_ids() == []
    assert not engine.stop()


def test_nothing_is_left_of_an_engine_that_was_started_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_SOCKET", tmp_path / "docker.sock")
    monkeypatch.setenv("MAGNUM_LOCAL_STATE", str(tmp_path / "state"))
    (tmp_path / "state" / "docker" / "overlay2").mkdir(parents=True)
    (tmp_path / "state" / "engine").mkdir()
    (tmp_path / "state" / "demo").mkdir()
    engine.remove()
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["demo"]


@pytest.mark.parametrize("driver", ["overlay2", "overlayfs"])
def test_layers_that_are_shared_do(driver: str, tmp_path: Path) -> None:
    engine.check_storage(driver, tmp_path)


def test_layers_that_are_copied_do_not(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"'vfs'.*overlay2.*MAGNUM_LOCAL_STATE"):
        engine.check_storage("vfs", tmp_path)


def test_the_engine_of_another_machine_does_not(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="not on this machine"):
        engine.check_storage("overlay2", tmp_path / "elsewhere")


def test_the_way_to_this_machine_is_the_bridge() -> None:
    assert engine.bridge_of({"Options": {"com.docker.network.bridge.name": "docker0"}}) == "docker0"


@pytest.mark.parametrize("network", [{}, {"Options": None}, {"Options": {"mtu": "1500"}}])
def test_an_engine_without_its_bridge_is_refused(network: dict[str, Any]) -> None:
    with pytest.raises(ServiceError, match=r"daemon\.json"):
        engine.bridge_of(network)
