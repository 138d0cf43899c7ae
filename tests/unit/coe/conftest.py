"""A bay to speak to, without a socket."""

import time
from collections.abc import Iterator

import pytest

from magnum.coe.kubernetes import KubernetesBay
from tests.unit.coe.fake_bay import FakeBay, access


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeBay:
    """The bay's API server; nobody waits for it."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    return FakeBay(monkeypatch)


@pytest.fixture
def bay(server: FakeBay) -> Iterator[KubernetesBay]:
    """A connection to it."""
    with KubernetesBay(access(), timeout=5) as connection:
        yield connection
