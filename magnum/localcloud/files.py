"""Files of a local cloud: written whole or not at all, and private where they hold secrets."""

import fcntl
import json
import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from hashlib import sha256
from pathlib import Path
from typing import Any


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    """Write ``text`` to ``path`` so that a reader, or a Ctrl-C, never meets half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            os.fchmod(stream.fileno(), mode)
            stream.write(text)
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def write_private(path: Path, text: str) -> None:
    """Like :func:`write_atomically`, readable by its owner alone."""
    write_atomically(path, text, mode=0o600)


def make_private_folder(path: Path) -> None:
    """Have a folder that its owner alone may look into, whatever it was before."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.chmod(0o700)


@contextmanager
def exclusive(path: Path, waiting: AbstractContextManager[object] | None = None) -> Iterator[None]:
    """Hold the lock called ``path``, which one process (and one thread of it) can hold at a time; wait for it.

    ``waiting`` is entered while another one holds it.
    """
    with path.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with waiting or nullcontext():
                fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def read_json(path: Path) -> dict[str, Any]:
    """What a JSON file holds; an empty dict when there is no such file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    if not isinstance(content, dict):
        raise ValueError(f"{path} does not hold a JSON object; move it away and try again")
    return content


def digest_of_text(*parts: str) -> str:
    """A short name for exactly this text."""
    return sha256("\0".join(parts).encode()).hexdigest()[:16]


def digest_of_sources(folders: Iterable[Path]) -> str:
    """A short name for every source file below ``folders``: another one when any of them changed."""
    digest = sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(str(path).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def digest_of_folder(folder: Path) -> str:
    """A short name for the files below ``folder``, their names within it, modes and contents."""
    digest = sha256()
    for path in files_below(folder):
        mode = "x" if path.stat().st_mode & 0o100 else "-"
        digest.update(f"{path.relative_to(folder)}\0{mode}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def files_below(folder: Path) -> list[Path]:
    """All files below ``folder``, in the order of their names."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


class Secrets:
    """The passwords and keys of one cloud: made when first asked for, kept in one private file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values: dict[str, str] = read_json(path)

    def get(self, name: str) -> str:
        """The secret called ``name``: 32 hexadecimal digits, the same on every call and every run."""
        if name not in self._values:
            self.put(name, secrets.token_hex(16))
        return self._values[name]

    def get_made_by(self, name: str, make: Any) -> str:
        """Like :meth:`get` for a key with a form of its own, which ``make()`` returns."""
        if name not in self._values:
            self.put(name, make())
        return self._values[name]

    def put(self, name: str, value: str) -> None:
        self._values[name] = value
        write_private(self._path, json.dumps(self._values, indent=2, sort_keys=True) + "\n")
