"""What Prometheus gets from services that run."""

import os
import signal
import subprocess
from pathlib import Path

import requests
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from tests.integration.services import (
    SECONDS,
    configure,
    database_at,
    eventually,
    free_port,
    free_ports,
    running,
    upgrade,
)

Figures = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(port: int) -> Figures:
    answer = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=SECONDS)
    assert answer.status_code == 200
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/", timeout=SECONDS).status_code < 500
    except requests.ConnectionError:
        return False


def requests_of(figures: Figures, route: str, method: str, status: str) -> float:
    labels = frozenset({"route": route, "method": method, "status": status}.items())
    return figures.get(("magnum_api_request_seconds_count", labels), 0)


def workers_of(process: subprocess.Popen[bytes]) -> list[int]:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(pid) for pid in children.split()]


def test_the_workers_of_an_api_answer_for_each_other(tmp_path: Path) -> None:
    port, figures = free_ports(2)
    conf = configure(tmp_path, api={"port": port, "workers": 3}, metrics={"enabled": True, "api_port": figures})
    upgrade(conf)
    url = f"http://127.0.0.1:{port}"
    with running("magnum-api", conf) as process:
        eventually(lambda: answers(port) and answers(figures), conf)
        for number in range(60):
            requests.get(f"{url}/v1/bays/secret-{number}", timeout=SECONDS)
            requests.get(f"{url}/made-up-{number}", timeout=SECONDS)
        requests.get(f"{url}/healthcheck", timeout=SECONDS)
        found = scrape(figures)
        assert requests_of(found, "/v1/bays/{ident}", "GET", "401") == 60
        assert requests_of(found, "other", "GET", "401") == 60
        assert requests_of(found, "/healthcheck", "GET", "200") == 1
        assert not [labels for _, labels in found if any("secret" in value for _, value in labels)]

        killed = workers_of(process)[0]
        os.kill(killed, signal.SIGKILL)
        eventually(lambda: len([pid for pid in workers_of(process) if pid != killed]) == 3, conf)
        for _ in range(10):
            assert requests_of(scrape(figures), "/v1/bays/{ident}", "GET", "401") == 60


def test_a_conductor_tells_of_operations_and_of_its_own_work(tmp_path: Path) -> None:
    figures = free_port()
    conf = configure(tmp_path, metrics={"enabled": True, "conductor_port": figures})
    upgrade(conf)
    with running("magnum-conductor", conf):
        eventually(lambda: answers(figures), conf)
        eventually(lambda: scrape(figures)[("magnum_sweep_seconds_count", frozenset())] > 1, conf)
        found = scrape(figures)
        assert found[("magnum_database_up", frozenset())] == 1
        assert found[("magnum_oldest_operation_age_seconds", frozenset())] == 0
        assert found[("magnum_operations", frozenset({"verb": "create", "state": "queued"}.items()))] == 0
        assert found[("process_resident_memory_bytes", frozenset())] > 0
        database = database_at(f"sqlite:///{tmp_path}/magnum.sqlite")
        with database.writer() as session:
            session.execute(text("ALTER TABLE bays RENAME TO elsewhere"))
        database.dispose()
        eventually(lambda: scrape(figures)[("magnum_database_up", frozenset())] == 0, conf)


def test_nothing_listens_where_nobody_asked_for_it(tmp_path: Path) -> None:
    port, figures = free_ports(2)
    conf = configure(tmp_path, api={"port": port, "workers": 1}, metrics={"api_port": figures})
    upgrade(conf)
    with running("magnum-embedded", conf):
        eventually(lambda: answers(port), conf)
        assert not answers(figures)


def test_both_parts_of_one_process_are_told_of(tmp_path: Path) -> None:
    port, figures = free_ports(2)
    conf = configure(tmp_path, api={"port": port}, metrics={"enabled": True, "api_port": figures})
    upgrade(conf)
    with running("magnum-embedded", conf):
        eventually(lambda: answers(port) and answers(figures), conf)
        eventually(lambda: ("magnum_sweep_seconds_count", frozenset()) in scrape(figures), conf)
        assert ("magnum_database_up", frozenset()) in scrape(figures)


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    port, figures = free_ports(2)
    conf = configure(tmp_path, api={"port": port}, metrics={"enabled": True, "api_port": figures})
    upgrade(conf)
    other = configure(tmp_path, "other", metrics={"enabled": True, "conductor_port": figures})
    with running("magnum-api", conf):
        eventually(lambda: answers(figures), conf)
        with running("magnum-conductor", other) as process:
            assert process.wait(SECONDS) == 1
    said = other.with_suffix(".log").read_text()
    assert f"port {figures}: Address already in use. Services on one host need a [metrics] conductor_port" in said
