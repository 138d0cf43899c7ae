"""A Keystone that takes connections and never says a word."""

import socket
import threading
import time
from pathlib import Path

import requests

from tests.integration.services import SECONDS, configure, eventually, free_port, running, upgrade

CLIENTS = 24
THREADS = 16
HELD = THREADS // 2
"""Who may wait for Keystone, and does so in turn; the others are refused."""
LONGEST = 60.0
"""Their calls to Keystone come one after the other, each with an end of its own."""


def test_it_holds_no_request_for_long(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    answers: list[tuple[int, float]] = []

    def ask() -> None:
        begun = time.monotonic()
        code = requests.get(f"{url}/v1/bays", headers={"X-Auth-Token": "t"}, timeout=2 * LONGEST).status_code
        answers.append((code, time.monotonic() - begun))

    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
        keystone = f"http://127.0.0.1:{silent.getsockname()[1]}/v3"
        identity = {
            "auth_type": "password",
            "auth_url": keystone,
            "www_authenticate_uri": keystone,
            "username": "magnum",
            "password": "secret",
            "project_name": "service",
            "user_domain_id": "default",
            "project_domain_id": "default",
        }
        conf = configure(tmp_path, api={"port": port, "workers": 1, "threads": THREADS}, keystone_authtoken=identity)
        upgrade(conf)
        with running("magnum-api", conf):
            eventually(lambda: _answers(url), conf)
            clients = [threading.Thread(target=ask) for _ in range(CLIENTS)]
            for each in clients:
                each.start()
            eventually(lambda: len(answers) >= CLIENTS - HELD, conf)
            assert _answers(url)
            assert len(answers) < CLIENTS, "who needs no Keystone waits for nobody"
            for each in clients:
                each.join(LONGEST)
    assert [code for code, _ in answers] == [503] * CLIENTS
    assert max(seconds for _, seconds in answers) < LONGEST


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=SECONDS).status_code == 200
    except requests.ConnectionError:
        return False
