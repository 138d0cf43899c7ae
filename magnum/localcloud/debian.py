"""Debian's archive, used without touching this machine's own package lists: packages are fetched and unpacked.

The release is the one whose packages the images and Kubernetes are made of, whatever this machine itself runs.
"""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from magnum.localcloud import shell

RELEASE = "bookworm"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_DEFAULT_MIRROR = "http://deb.debian.org/debian"
_FETCH_SECONDS = 900
_QUESTION_SECONDS = 60


def mirror() -> str:
    """Where this machine gets Debian's packages from."""
    result = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        timeout=_QUESTION_SECONDS,
        check=False,  # no sources are no problem: there is a default
    )
    return choose_mirror(result.stdout.split())


def choose_mirror(uris: Sequence[str]) -> str:
    """The first of ``uris`` that is a mirror of Debian's main archive, else the one everybody can use."""
    return next((uri.rstrip("/") for uri in uris if re.search(r"/debian/?$", uri)), _DEFAULT_MIRROR)


def architecture() -> str:
    """This machine's architecture in Debian's words, which are Kubernetes' and Docker's as well."""
    result = subprocess.run(
        ["dpkg", "--print-architecture"], capture_output=True, text=True, timeout=_QUESTION_SECONDS, check=True
    )
    return result.stdout.strip()


class Archive:
    """The archive, seen through lists of packages of its own in ``folder``."""

    def __init__(self, folder: Path, log: Path) -> None:
        self._folder = folder
        self._log = log

    def update(self) -> None:
        """Fetch the lists."""
        for name in ("lists/partial", "cache/archives/partial", "fetched"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        source = f"[signed-by={KEYRING}] {mirror()} {RELEASE} main"
        (self._folder / "sources.list").write_text(f"deb {source}\ndeb-src {source}\n", encoding="utf-8")
        self._apt_get("update")

    def unpack_source(self, package: str, target: Path) -> None:
        """Fetch a source package and unpack it below ``target``, Debian's own part into ``target/debian``."""
        self._apt_get("source", "--download-only", package)
        target.mkdir(parents=True, exist_ok=True)
        for pattern in ("*.orig.tar.*", "*.debian.tar.*"):
            for tarball in self._fetched.glob(f"{package}_{pattern}"):
                shell.run(["tar", "-xf", str(tarball), "-C", str(target)], log=self._log, seconds=_FETCH_SECONDS)

    def unpack_packages(self, packages: Sequence[str], target: Path) -> None:
        """Fetch packages, without what they depend on, and unpack them below ``target``."""
        self._apt_get("download", *packages)
        target.mkdir(parents=True, exist_ok=True)
        for package in packages:
            for file in self._fetched.glob(f"{package}_*.deb"):
                shell.run(["dpkg-deb", "--extract", str(file), str(target)], log=self._log, seconds=_FETCH_SECONDS)

    @property
    def _fetched(self) -> Path:
        return self._folder / "fetched"

    def _apt_get(self, *arguments: str) -> None:
        settings = {
            "Dir::Etc::SourceList": self._folder / "sources.list",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::State::Lists": self._folder / "lists",
            "Dir::Cache": self._folder / "cache",
            "APT::Sandbox::User": "root",  # the folder is ours alone
            "Acquire::Retries": 3,
        }
        options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
        shell.run(
            ["apt-get", "--quiet", *options, *arguments], log=self._log, seconds=_FETCH_SECONDS, folder=self._fetched
        )
