"""How the API is served: what the server is told, and when things are made."""

from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg

from magnum.api import app
from magnum.cmd import embedded, http
from magnum.cmd.worker import ApiWorker
from magnum.conductor.service import Conductor
from magnum.wsgi import api as wsgi_api


@pytest.mark.parametrize(("host", "bind"), [("127.0.0.1", "127.0.0.1:9511"), ("::1", "[::1]:9511")])
def test_the_server_is_told_what_is_configured(conf: cfg.ConfigOpts, host: str, bind: str) -> None:
    conf.set_override("host", host, group="api")
    conf.set_override("threads", 7, group="api")
    server = http.Server(conf, lambda: lambda _environ, _start: [], workers=3)
    settings = server.cfg
    assert (settings.bind, settings.workers, server.options.threads) == ([bind], 3, 7)
    assert settings.worker_class is ApiWorker


def test_no_api_without_keys(conf: cfg.ConfigOpts, tmp_path: Path) -> None:
    path = tmp_path / "magnum.conf"
    path.write_text("[api]\nport = 1\n")
    with pytest.raises(SystemExit, match="encryption_key is not set"):
        http.load_configuration([f"--config-file={path}"])


def test_embedded_runs_a_conductor_on_the_same_bus_and_stops_it(
    conf: cfg.ConfigOpts, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[Any] = []

    class _Services:
        database = "the database"

    def _services(_conf: cfg.ConfigOpts, bus: Any) -> _Services:
        done.append(bus)
        return _Services()

    def _conductor(_self: Any, _conf: Any, database: Any, bus: Any) -> None:
        done.extend([database, bus])

    monkeypatch.setattr(app, "make_services", _services)
    monkeypatch.setattr(app, "load", lambda _conf, _services: "the application")
    monkeypatch.setattr(Conductor, "__init__", _conductor)
    monkeypatch.setattr(Conductor, "start", lambda _self: done.append("started"))
    monkeypatch.setattr(Conductor, "stop", lambda _self: done.append("stopped"))
    both = embedded.Embedded(conf)
    both.stop()
    application: Any = both.make()
    assert application == "the application"
    both.stop()
    bus = done[0]
    assert done == [bus, "the database", bus, "started", "stopped"]


def test_wsgi_application_is_made_once_at_the_first_request(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def _make() -> Any:
        made.append("made")
        return lambda _environ, _start: [b"x"]

    monkeypatch.setattr(wsgi_api, "_make", _make)
    application = wsgi_api._Application()
    assert made == []
    assert [application({}, None), application({}, None)] == [[b"x"], [b"x"]]  # type: ignore[arg-type]
    assert made == ["made"]
