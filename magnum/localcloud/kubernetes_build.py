"""The programs of Kubernetes: official ones where they can be had, else built from Debian's source package.

Nothing that can be reached from a machine with only Debian's packages and PyPI carries kube-apiserver as a binary, but
Debian's source package `kubernetes` is the whole tree with all it needs, and Debian's Go builds it. That takes minutes,
so it is done once per machine, and the result is kept under a name that says what was built and how. Everything is made
in a folder of its own that is renamed at the end: an interrupted build leaves nothing that could be taken for a result.

Official programs are looked for at https://dl.k8s.io, or at the mirror that MAGNUM_LOCAL_KUBERNETES_MIRROR names.
"""

import hashlib
import os
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from magnum.localcloud import debian, shell
from magnum.localcloud.files import digest_of_folder, digest_of_text, exclusive
from magnum.localcloud.paths import cache_root
from magnum.localcloud.processes import ServiceError
from magnum.localcloud.steps import Step

VERSION = "v1.20.2"
PACKAGES = ("make", "patch", "xz-utils")
"""Debian packages that the build needs; Go is not among them, as it is unpacked beside the sources."""
PROGRAMS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubeadm",
    "kubectl",
    "kubelet",
)

_TOOLCHAIN = ("golang-1.19-go", "golang-1.19-src", "golang-github-modern-go-reflect2-dev")
_SOURCE = "kubernetes"
_RECIPE = Path(__file__).parent / "images" / "kubernetes"
_COMPILE_SECONDS = 3600.0
# How many lines with the name of a compiled package a whole build writes; it only serves to show how far one is.
_COMPILED_PACKAGES = 2500
_PROBE_SECONDS = 3.0
_DOWNLOAD_SECONDS = 60.0
_CHUNK = 1 << 20


def folder() -> Path:
    """Where the programs are, once they are made."""
    recipe = digest_of_text(VERSION, debian.RELEASE, *_TOOLCHAIN, digest_of_folder(_RECIPE))
    return _root() / f"{VERSION}-{recipe}"


def is_built() -> bool:
    """Whether the programs are there, so that nothing is left to be downloaded or built."""
    return folder().is_dir()


def ensure(log_dir: Path, step: Step) -> Path:
    """Have the programs; return their folder. Takes minutes if they have to be built.

    What tools say goes to ``kubernetes-build.log`` in ``log_dir``. Calls of several processes wait for each other.
    """
    wanted = folder()
    if wanted.is_dir():
        return wanted
    _root().mkdir(parents=True, exist_ok=True)
    step.at("waiting for another one that makes it")
    with exclusive(_root() / "lock"):
        if not wanted.is_dir():
            _remove("making-*")
            _make(wanted, log_dir / "kubernetes-build.log", step)
            _remove("v*", but=wanted)
    return wanted


def _mirror() -> str:
    return os.environ.get("MAGNUM_LOCAL_KUBERNETES_MIRROR", "https://dl.k8s.io")


def _root() -> Path:
    return cache_root() / "kubernetes"


def _remove(pattern: str, but: Path | None = None) -> None:
    """Remove what interrupted builds left behind, or earlier recipes made."""
    for path in _root().glob(pattern):
        if path != but:
            shutil.rmtree(path, ignore_errors=True)


def _make(wanted: Path, log: Path, step: Step) -> None:
    with tempfile.TemporaryDirectory(dir=_root(), prefix="making-", ignore_cleanup_errors=True) as temporary:
        work = Path(temporary)
        programs = work / "bin"
        programs.mkdir()
        step.at("looking for official programs")
        url = release_url(_mirror(), debian.architecture())
        if can_be_had(url):
            for number, name in enumerate(PROGRAMS, 1):
                step.at(f"downloading {name}, {number} of {len(PROGRAMS)}")
                download(f"{url}/{name}", programs / name)
        else:
            _build(work, log, step)
        missing = [name for name in PROGRAMS if not (programs / name).is_file()]
        if missing:
            raise ServiceError(f"Kubernetes was built without {', '.join(missing)}; see {log}")
        programs.rename(wanted)


def release_url(mirror: str, architecture: str) -> str:
    """The folder of a mirror's official programs."""
    return f"{mirror.rstrip('/')}/release/{VERSION}/bin/linux/{architecture}"


def can_be_had(url: str) -> bool:
    """Whether official programs can be downloaded from here, by one quick try."""
    try:
        with urllib.request.urlopen(f"{url}/kubeadm.sha256", timeout=_PROBE_SECONDS) as response:  # noqa: S310
            return len(response.read(64)) == 64
    except (OSError, ValueError):
        return False


def download(url: str, target: Path) -> None:
    """Fetch a program, and compare it with the digest published beside it."""
    digest = hashlib.sha256()
    try:
        with urllib.request.urlopen(f"{url}.sha256", timeout=_DOWNLOAD_SECONDS) as response:  # noqa: S310
            published = response.read(64).decode("ascii", errors="replace")
        with (
            urllib.request.urlopen(url, timeout=_DOWNLOAD_SECONDS) as response,  # noqa: S310
            target.open("wb") as file,
        ):
            while chunk := response.read(_CHUNK):
                digest.update(chunk)
                file.write(chunk)
    except (OSError, urllib.error.URLError) as error:
        raise ServiceError(f"{url} cannot be downloaded: {error}. Running the same again may help.") from error
    if digest.hexdigest() != published:
        raise ServiceError(
            f"{url} is not what its published digest {published!r} says: the mirror is not to be trusted."
        )
    target.chmod(0o755)


def _build(work: Path, log: Path, step: Step) -> None:
    sources, tools = work / "sources", work / "tools"
    step.at("fetching its sources and Go from Debian")
    archive = debian.Archive(work / "apt", log)
    archive.update()
    archive.unpack_source(_SOURCE, sources)
    if not (sources / f"kubernetes-{VERSION.removeprefix('v')}").is_dir():
        found = ", ".join(sorted(path.name for path in sources.glob("kubernetes-*"))) or "nothing"
        raise ServiceError(f"Debian's source package of Kubernetes holds {found}, not {VERSION}; see {log}")
    archive.unpack_packages(_TOOLCHAIN, tools)
    shell.run(
        ["bash", str(_RECIPE / "compile"), str(sources), str(tools), str(work), VERSION],
        log=log,
        seconds=_COMPILE_SECONDS,
        watch=_compile_watch(log, step),
    )


def _compile_watch(log: Path, step: Step) -> Callable[[], None]:
    """What tells ``step`` how far the compiler is, by the packages it has named in ``log`` since now."""
    position = log.stat().st_size if log.exists() else 0
    lines = 0

    def watch() -> None:
        nonlocal position, lines
        with log.open("rb") as stream:
            stream.seek(position)
            new = stream.read()
        position += len(new)
        lines += new.count(b"\n")
        step.at(f"compiling, about {min(99, 100 * lines // _COMPILED_PACKAGES)} %")

    return watch
