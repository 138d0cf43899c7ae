"""Where the templates of bays are, and reading them."""

import base64
import gzip
import io
import sys
import tarfile
from collections.abc import Mapping
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


def archive(contents: Mapping[str, str], folder: str) -> str:
    """Return a gzipped tar, in base64, that unpacks to these files in ``folder``; the same for the same files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in sorted(contents.items()):
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size = len(text.encode())
            entry.mode = 0o644
            tar.addfile(entry, io.BytesIO(text.encode()))
    return base64.b64encode(gzip.compress(packed.getvalue(), mtime=0)).decode()


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
