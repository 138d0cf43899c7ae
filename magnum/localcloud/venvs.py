"""One virtual environment for each service that is not ours, pinned to the last package, made once per machine.

The folder's name carries a digest of the requirements, so a changed pin makes a new environment beside the old. Scripts
of an environment hold its full path, so it is made where it stays; a file written last says that it is whole, and one
without that file is made again.
"""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from magnum.localcloud.files import digest_of_text, exclusive
from magnum.localcloud.paths import cache_root
from magnum.localcloud.processes import ServiceError

PACKAGES = ("python3-venv",)
_PYTHON = "/usr/bin/python3"
_REQUIREMENTS = Path(__file__).parent / "requirements"
_INSTALL_SECONDS = 1500
_WHOLE = ".whole"
_MAKER = (_PYTHON, "-m", "venv")


def ensure(name: str, requirements: Path | None = None, maker: Sequence[str] = _MAKER) -> Path:
    """The environment of that name, made now if this machine has none yet.

    :param requirements: the packages; those of a service of the cloud unless given
    :param maker: the command that makes an empty environment in the folder it is given
    """
    requirements = requirements or _REQUIREMENTS / f"{name}.txt"
    folder = cache_root() / "venvs" / f"{name}-{digest_of_text(requirements.read_text(encoding='utf-8'))}"
    if _is_whole(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(folder.parent / f"{name}.lock"):
        if not _is_whole(folder):
            _make(folder, requirements, maker)
    return folder


def _is_whole(folder: Path) -> bool:
    return (folder / _WHOLE).exists()


def _make(folder: Path, requirements: Path, maker: Sequence[str]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    _run(*maker, str(folder))
    pip = (str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    _run(*pip, "--no-deps", "--requirement", str(requirements))
    (folder / _WHOLE).touch()


def _run(*argv: str) -> None:
    result = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False
    )
    if result.returncode != 0:
        raise ServiceError(f"{' '.join(argv)}\nfailed: {result.stderr.strip()[-1500:]}")
