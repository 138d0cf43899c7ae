"""Where the templates of bays are, and reading them."""

import sys
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

_CHECKOUT = Path(__file__).parents[2] / "templates"
_INSTALLED = Path(sys.prefix) / "share" / "magnum" / "templates"


def folder(kind: str) -> Path:
    """Return the folder with the templates of one kind of bay."""
    root = _CHECKOUT if _CHECKOUT.is_dir() else _INSTALLED
    return root / kind


@cache
def read_all(kind: str) -> MappingProxyType[str, str]:
    """Return every file below that folder, by its path there: templates and what they include."""
    root = folder(kind)
    found = (path for path in sorted(root.rglob("*")) if path.is_file() and path.suffix != ".pyc")
    return MappingProxyType({str(path.relative_to(root)): path.read_text() for path in found})


def objects(text: str, values: dict[str, str]) -> list[dict[str, Any]]:
    """Return the Kubernetes objects of a manifest, with every @NAME@ in them replaced by ``values``."""
    return [_filled(item, values) for item in yaml.safe_load_all(text)]


def _filled(item: Any, values: dict[str, str]) -> Any:
    if isinstance(item, dict):
        return {key: _filled(value, values) for key, value in item.items()}
    if isinstance(item, list):
        return [_filled(value, values) for value in item]
    if isinstance(item, str):
        for name, value in values.items():
            item = item.replace(f"@{name}@", value)
    return item
