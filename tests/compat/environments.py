"""The clients of 2015 and 2016 as PyPI has them, each in an environment of its own, and nothing in them changed.

Releases from 1.1.0 on run on this machine's Python 3, with the packages that are current today. 0.2.1 does not: its
HTTP client relies on a generator ending with StopIteration, which Python 3.7 made an error. It needs a Python 2.7.
"""

import functools
import os
import shutil
import subprocess
from pathlib import Path

from magnum.localcloud import venvs

FIRST = "0.2.1"
COMMAND_LINES = ("2.0.0", "2.1.0")
LIBRARIES = ("1.1.0", "2.0.0", "2.1.0")

_HERE = Path(__file__).parent


@functools.cache
def folder(release: str) -> Path:
    """The environment of a release of python-magnumclient.

    :raises LookupError: there is no Python here that it runs on
    """
    requirements = _HERE / f"requirements-{release}.txt"
    if release != FIRST:
        return venvs.ensure(f"magnumclient-{release}", requirements)
    virtualenv = venvs.ensure("virtualenv", _HERE / "requirements-virtualenv.txt") / "bin" / "virtualenv"
    maker = (str(virtualenv), "--quiet", "--python", str(python2()))
    return venvs.ensure(f"magnumclient-{release}", requirements, maker)


def python2() -> Path:
    """A Python 2.7 of this machine: one on PATH or one that pyenv has made. Debian 12 has none.

    :raises LookupError: there is none
    """
    on_path = shutil.which("python2.7")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for found in [*([Path(on_path)] if on_path else []), *sorted(pyenv.glob("2.7.*/bin/python2.7"))]:
        # pyenv puts a command of this name on PATH also where it is not to be used.
        if subprocess.run([found, "-c", ""], capture_output=True, timeout=30, check=False).returncode == 0:
            return found
    raise LookupError("python-magnumclient 0.2.1 runs on Python 2.7 only, and this machine has no python2.7")
