"""Calls to conductors for one project leave threads of an API to all others."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from oslo_config import cfg

from magnum.common import rpc
from magnum.common.context import RequestContext
from magnum.common.exception import Unavailable

PATIENCE = 10.0


def context(project: str) -> RequestContext:
    return RequestContext(project_id=project, user_id="u", overwrite=False)


def test_a_project_whose_bays_hang_holds_half_of_the_threads(
    conf: cfg.ConfigOpts, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf.set_override("threads", 3, group="api")
    client = rpc.ConductorClient(conf, rpc.transport(conf, rpc.IN_MEMORY))
    over, inside = threading.Event(), threading.Semaphore(0)

    def hang(asker: RequestContext, method: str, **arguments: Any) -> None:
        if asker.project_id == "hangs":
            inside.release()
            over.wait(PATIENCE)

    monkeypatch.setattr(client, "_call_conductor", hang)
    with ThreadPoolExecutor(1) as pool:
        calls = [pool.submit(client.workload_refresh, context("hangs"), "pod", []) for _ in range(1)]
        try:
            assert all(inside.acquire(timeout=PATIENCE) for _ in calls)
            with pytest.raises(Unavailable, match="Project hangs is busy: 1 calls"):
                client.workload_refresh(context("hangs"), "pod", [])
            client.workload_refresh(context("another"), "pod", [])
        finally:
            over.set()
    assert [call.result() for call in calls] == [None]
    client.workload_refresh(context("hangs"), "pod", [])
