"""Files of a local cloud."""

import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from magnum.localcloud.files import (
    Secrets,
    digest_of_sources,
    exclusive,
    make_private_folder,
    read_json,
    write_atomically,
    write_private,
)


def test_a_private_file_is_its_owner_s_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "secret"
    write_private(path, "x")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == "x"


def test_a_folder_becomes_private_whatever_it_was(tmp_path: Path) -> None:
    open_folder = tmp_path / "open"
    open_folder.mkdir(mode=0o755)
    for folder in (open_folder, tmp_path / "new"):
        make_private_folder(folder)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_failed_write_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "\udc80")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_secrets_are_made_once_and_differ(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    first = Secrets(path)
    value = first.get("one")
    assert len(value) == 32
    assert first.get("two") != value
    assert Secrets(path).get("one") == value
    assert first.get_made_by("key", lambda: "made") == "made"
    assert Secrets(path).get_made_by("key", lambda: "other") == "made"


def test_json_that_is_no_object_is_refused(tmp_path: Path) -> None:
    assert read_json(tmp_path / "missing") == {}
    (tmp_path / "list").write_text("[]")
    with pytest.raises(ValueError, match="does not hold a JSON object"):
        read_json(tmp_path / "list")


def test_the_digest_of_sources_follows_content_and_names(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    first = digest_of_sources([tmp_path])
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("compiled")
    assert digest_of_sources([tmp_path]) == first
    (tmp_path / "a.py").write_text("2")
    assert digest_of_sources([tmp_path]) != first


def test_who_waits_for_a_lock_says_so_and_gets_it(tmp_path: Path) -> None:
    said: list[str] = []
    held, released = threading.Event(), threading.Event()

    def hold() -> None:
        with exclusive(tmp_path / "lock"):
            held.set()
            released.wait(10)

    @contextmanager
    def waiting() -> Iterator[None]:
        said.append("waiting")
        released.set()
        yield

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(10)
    with exclusive(tmp_path / "lock", waiting()):
        holder.join(10)
    with exclusive(tmp_path / "lock", waiting()):
        assert said == ["waiting"]
