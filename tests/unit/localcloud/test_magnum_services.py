"""Magnum's own configuration in the local cloud."""

import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from oslo_config import cfg

from magnum.conf import CONF, load
from magnum.localcloud import magnum_services, processes
from magnum.localcloud.files import Secrets
from magnum.localcloud.magnum_services import Magnum
from magnum.localcloud.paths import CloudPaths, Ports
from magnum.localcloud.processes import RunningProcess, Service, ServiceError


class Started:
    """What would have been run."""

    def __init__(self) -> None:
        self.services: list[Service] = []
        self.stopped: list[str] = []


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    started = Started()
    monkeypatch.setattr(processes, "ensure", started.services.append)
    monkeypatch.setattr(processes, "stop", lambda pid_file, *_: started.stopped.append(pid_file.stem))
    monkeypatch.setattr(processes, "running", lambda _: RunningProcess(pid=1, fingerprint="old"))
    monkeypatch.setattr(Magnum, "_upgrade_schema", lambda _: None)
    return started


def _magnum(folder: Path, bus: str | None = None) -> Magnum:
    paths = CloudPaths("test", folder)
    return Magnum(paths, Ports(20000), "172.17.0.1", "http://172.17.0.1:25000/v3", Secrets(paths.secrets), bus)


@pytest.fixture
def loaded(tmp_path: Path, started: Started) -> Iterator[cfg.ConfigOpts]:
    magnum = _magnum(tmp_path)
    magnum.start()
    yield load([], [str(magnum.configuration)])
    CONF.reset()


def test_what_is_written_is_what_magnum_reads(loaded: cfg.ConfigOpts, tmp_path: Path) -> None:
    assert (loaded.api.host, loaded.api.port) == ("172.17.0.1", 29511)
    assert loaded.database.connection == f"sqlite:///{tmp_path}/magnum/magnum.sqlite"
    assert loaded.trust.trustee_domain_name == "magnum"
    assert loaded.baymodel.kubernetes_default_network_driver == "bridge"
    assert loaded.kubernetes.default_labels["kube_tag"] == "v1.20.2"
    assert len(loaded.certificates.encryption_key) == 1


def test_options_of_ones_own_are_read_last(tmp_path: Path, started: Started) -> None:
    magnum = _magnum(tmp_path, "rabbit://x")
    magnum.start()
    assert not any("own.conf" in argument for service in started.services for argument in service.argv)
    before = {service.name: service.fingerprint for service in started.services}
    magnum.own_configuration.write_text("[conductor]\nlease = 7\n")
    started.services.clear()
    magnum.start()
    for service in started.services:
        assert str(magnum.own_configuration) in service.argv[2]
        assert service.fingerprint != before[service.name]


def test_the_configuration_is_private(tmp_path: Path, started: Started) -> None:
    magnum = _magnum(tmp_path)
    magnum.start()
    assert stat.S_IMODE(magnum.configuration.stat().st_mode) == 0o600


def _was_started(folder: Path, *names: str) -> None:
    (folder / "run").mkdir(exist_ok=True)
    for name in names:
        (folder / "run" / f"{name}.pid").touch()


def test_in_one_process_unless_there_is_a_bus(tmp_path: Path, started: Started) -> None:
    _was_started(tmp_path, "magnum-api", "magnum-conductor", "magnum-conductor-2", "heat")
    _magnum(tmp_path).start()
    assert [service.name for service in started.services] == ["magnum-embedded"]
    assert started.stopped == ["magnum-api", "magnum-conductor", "magnum-conductor-2"]


def test_apart_on_a_bus(tmp_path: Path, started: Started) -> None:
    _was_started(tmp_path, "magnum-embedded")
    _magnum(tmp_path, "rabbit://magnum:x@127.0.0.1:45672/").start()
    assert [service.name for service in started.services] == ["magnum-conductor", "magnum-api"]
    assert "magnum-embedded" in started.stopped


def test_several_of_each_have_names_of_their_own(tmp_path: Path, started: Started) -> None:
    one = _magnum(tmp_path, "rabbit://magnum:x@127.0.0.1:45672/")
    magnum = replace(one, conductors=3, api_workers=2, database_url="postgresql+psycopg2://postgres@/magnum?host=/x")
    magnum.start()
    names = [service.name for service in started.services]
    assert names == ["magnum-conductor", "magnum-conductor-2", "magnum-conductor-3", "magnum-api"]
    files = [argument.partition("=")[2] for argument in started.services[1].argv if "config-file" in argument]
    conf = load([], files)
    assert (conf.host, conf.api.workers) == ("magnum-local-test-magnum-conductor-2", 2)
    assert conf.database.connection == "postgresql+psycopg2://postgres@/magnum?host=/x"
    assert (conf.metrics.api_port, conf.metrics.conductor_port) == (29512, 29514)
    CONF.reset()


def test_who_ends_right_after_the_start_is_noticed(
    tmp_path: Path, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "running", lambda _: None)
    with pytest.raises(ServiceError, match="magnum-conductor has ended"):
        _magnum(tmp_path, "rabbit://magnum:x@127.0.0.1:45672/").start()


def test_changed_sources_make_another_process(
    tmp_path: Path, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    _magnum(tmp_path).start()
    _magnum(tmp_path).start()
    monkeypatch.setattr(magnum_services, "_digest_of_magnum", lambda: "other")
    _magnum(tmp_path).start()
    first, second, third = (service.identity() for service in started.services)
    assert first == second != third
