"""The templates as the driver reads them, and the node scripts as modules."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from magnum.drivers import files

SCRIPTS = ("cluster", "https", "node", "routes", "software", "storage", "system")


@pytest.fixture(scope="session")
def cluster_template() -> dict[str, Any]:
    return dict(yaml.safe_load(files.read_all("kubernetes")["cluster.yaml"]))


@pytest.fixture(scope="session")
def server_template() -> dict[str, Any]:
    return dict(yaml.safe_load(files.read_all("kubernetes")["server.yaml"]))


class Scripts:
    """The modules of templates/kubernetes/node, which run without the rest of Magnum."""

    def __init__(self, modules: dict[str, ModuleType]) -> None:
        self._modules = modules

    def __getattr__(self, name: str) -> Any:
        return self._modules[name]


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripts]:
    folder: Path = files.folder("kubernetes") / "node"
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = dict(sys.modules)
    for name in SCRIPTS:
        sys.modules.pop(name, None)
    yield Scripts({name: importlib.import_module(name) for name in SCRIPTS})
    for name in SCRIPTS:
        del sys.modules[name]
        if name in before:
            sys.modules[name] = before[name]
