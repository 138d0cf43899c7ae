"""One cloud for all tests that need one, brought up once, beside any that a person runs on this machine."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cloud import NAME, Cloud, local

ON_A_CLOUD = ("tests/integration", "tests/compat")


@pytest.fixture(scope="session")
def cloud() -> Iterator[Cloud]:
    """The cloud, up, with Magnum in one process; all it made is removed at the end."""
    local("reset")
    local("up")
    yield Cloud(Path(os.environ.get("MAGNUM_LOCAL_STATE", "/var/lib/magnum-local")) / NAME)
    local("reset")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(folder in str(item.path) for folder in ON_A_CLOUD):
            item.add_marker(pytest.mark.integration)
