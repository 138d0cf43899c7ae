"""The options of a cloud, and its name."""

from pathlib import Path

import pytest

from magnum.localcloud import settings
from magnum.localcloud.paths import CloudPaths, Ports
from magnum.localcloud.settings import Settings, SettingsError, Wish


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CloudPaths:
    monkeypatch.setenv("MAGNUM_LOCAL_STATE", str(tmp_path))
    return CloudPaths.named("test")


def test_a_new_cloud_gets_the_defaults(paths: CloudPaths) -> None:
    assert settings.settle(paths, Wish()) == Settings(port_offset=0, bus="memory")


def test_what_is_not_said_stays_as_it_was(paths: CloudPaths) -> None:
    settings.store(paths, Settings(port_offset=20000, bus="rabbit"))
    assert settings.settle(paths, Wish()) == Settings(port_offset=20000, bus="rabbit")
    assert settings.settle(paths, Wish(20000, "memory")) == Settings(port_offset=20000, bus="memory")


def test_a_cloud_cannot_move_to_other_ports(paths: CloudPaths) -> None:
    settings.store(paths, Settings(port_offset=20000))
    with pytest.raises(SettingsError, match=r"--port-offset 20000.*magnum-local reset --name test"):
        settings.settle(paths, Wish(1000))


def test_a_cloud_cannot_change_where_its_bays_are_kept(paths: CloudPaths) -> None:
    settings.store(paths, Settings(database="postgresql"))
    assert settings.settle(paths, Wish(database="postgresql")).database == "postgresql"
    with pytest.raises(SettingsError, match=r"--database postgresql.*magnum-local reset --name test"):
        settings.settle(paths, Wish(database="mariadb"))


def test_a_cloud_cannot_change_its_heat(paths: CloudPaths) -> None:
    settings.store(paths, Settings(heat="stand-in"))
    assert settings.settle(paths, Wish()).heat == "stand-in"
    with pytest.raises(SettingsError, match=r"--heat stand-in.*magnum-local reset --name test"):
        settings.settle(paths, Wish(heat="real"))


def test_several_processes_need_a_bus(paths: CloudPaths) -> None:
    assert settings.settle(paths, Wish(bus="rabbit", conductors=3, api_workers=2)).conductors == 3
    with pytest.raises(SettingsError, match="add --bus rabbit"):
        settings.settle(paths, Wish(conductors=3))


def test_going_back_to_one_process_needs_no_other_word(paths: CloudPaths) -> None:
    settings.store(paths, Settings(bus="rabbit", conductors=3, api_workers=2))
    assert settings.settle(paths, Wish(bus="memory")) == Settings(bus="memory")


@pytest.mark.parametrize("offset", [-1, 40000])
def test_an_offset_that_leaves_no_ports(paths: CloudPaths, offset: int) -> None:
    with pytest.raises(SettingsError, match="from 0 to 39000"):
        settings.settle(paths, Wish(offset))


def test_a_cloud_of_before_has_the_defaults_for_what_is_new(paths: CloudPaths) -> None:
    paths.root.mkdir(parents=True)
    paths.settings.write_text('{"port_offset": 20000, "bus": "rabbit"}')
    assert settings.stored(paths) == Settings(port_offset=20000, bus="rabbit", database="sqlite", conductors=1)


@pytest.mark.parametrize("name", ["", "Demo", "../etc", "a b", "1st", "-x", "a" * 32])
def test_a_name_that_could_harm_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a cloud"):
        CloudPaths.named(name)


def test_a_folder_in_which_sockets_would_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAGNUM_LOCAL_STATE", "/var/lib/" + "x" * 90)
    with pytest.raises(ValueError, match="Choose another MAGNUM_LOCAL_STATE"):
        CloudPaths.named("demo")


def test_an_offset_moves_every_port() -> None:
    plain, moved = Ports(), Ports(20000)
    names = [name for name in dir(Ports) if isinstance(getattr(Ports, name), property)]
    assert len(names) == 10
    assert all(getattr(moved, name) == getattr(plain, name) + 20000 for name in names)
    assert len({getattr(plain, name) for name in names}) == 10
