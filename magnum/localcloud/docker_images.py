"""Docker images made from recipes in this repository, each named after a digest of all it is made of.

So an image that is there is the right one, a changed recipe makes another beside it, and no state has to be kept.
"""

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker.errors
import requests.exceptions

from magnum.localcloud.engine import Engine
from magnum.localcloud.files import digest_of_folder, digest_of_text, files_below
from magnum.localcloud.paths import cache_root
from magnum.localcloud.processes import ServiceError, tail

RECIPES = Path(__file__).parent / "images"
PREFIX = "magnum-local/"
"""What the names of all our images begin with."""

# Between two lines of a build's output, or for an image's export.
_SECONDS = 900
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Recipe:
    """How an image is built: a folder with a Dockerfile, on top of a base image."""

    name: str
    folder: str
    """Below ``RECIPES``."""
    base: str
    """The base image's tag, given to the Dockerfile as the argument BASE."""
    target: str | None = None
    """The stage of the Dockerfile, where it has several."""
    arguments: Mapping[str, str] = field(default_factory=dict)
    programs: tuple[Path, ...] = ()
    """Files that are added to the folder below ``bin/``. Their own folder's name tells versions apart."""

    @property
    def tag(self) -> str:
        parts = [self.base, self.target or "", *(f"{name}={value}" for name, value in sorted(self.arguments.items()))]
        programs = [f"{path.parent.name}/{path.name}" for path in self.programs]
        return f"{PREFIX}{self.name}:{digest_of_text(digest_of_folder(RECIPES / self.folder), *parts, *programs)}"


class Images:
    """The images of an engine. What building them says goes to ``log``."""

    def __init__(self, engine: Engine, log: Path) -> None:
        self._client = engine.client(_SECONDS)
        self._log = log

    def has(self, tag: str) -> bool:
        with _failures(f"look for the image {tag}"):
            try:
                self._client.images.get(tag)
            except docker.errors.ImageNotFound:
                return False
        return True

    def ensure(self, recipe: Recipe) -> str:
        """Build the image unless it is there; return its tag."""
        if not self.has(recipe.tag):
            self.build(recipe, recipe.tag)
        return recipe.tag

    def build(self, recipe: Recipe, tag: str | None) -> None:
        """Build the image, or, without a tag, only have its steps done for a later build."""
        cache_root().mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryFile(dir=cache_root()) as context,
            self._log.open("a", encoding="utf-8") as log,
            _failures(f"build the image {recipe.name}"),
        ):
            write_context(recipe, context)
            context.seek(0)
            lines = self._client.api.build(
                fileobj=context,
                custom_context=True,
                tag=tag,
                target=recipe.target,
                buildargs={"BASE": recipe.base, **recipe.arguments},
                network_mode="host",
                rm=True,
                forcerm=True,
                decode=True,
            )
            error = _follow(lines, log)
        if error:
            raise ServiceError(f"The image {recipe.name} could not be built: {error}\n{tail(self._log)}")

    def import_folder(self, folder: Path, tag: str) -> None:
        """Make an image that holds what is in ``folder``."""
        with (
            subprocess.Popen(["tar", "-C", str(folder), "--numeric-owner", "-c", "."], stdout=subprocess.PIPE) as tar,
            _failures(f"import the image {tag}"),
        ):
            repository, _, version = tag.rpartition(":")
            self._client.api.import_image_from_stream(tar.stdout, repository=repository, tag=version)
        if tar.returncode != 0 or not self.has(tag):
            raise ServiceError(f"The image {tag} could not be made of {folder}")

    def export(self, tag: str, file: Path) -> None:
        """Write an image as an archive that `ctr images import` reads."""
        with _failures(f"export the image {tag}"), file.open("wb") as stream:
            for chunk in self._client.api.get_image(tag, chunk_size=_CHUNK):
                stream.write(chunk)

    def run(self, image: str, command: list[str], **options: Any) -> None:
        """Run a container to its end; ServiceError if it fails."""
        with self._log.open("a", encoding="utf-8") as log, _failures(f"run {command[0]} in the image {image}"):
            container = self._client.containers.create(image, command, **options)
            try:
                container.start()
                status = container.wait(timeout=_SECONDS)["StatusCode"]
                log.write(container.logs().decode("utf-8", errors="replace"))
            finally:
                container.remove(force=True, v=True)
        if status != 0:
            raise ServiceError(f"{command[0]} in the image {image} ended with status {status}:\n{tail(self._log)}")

    def supports_privileged(self, image: str) -> bool:
        """Whether the engine can start privileged containers. Some sandboxes lack capabilities that these ask for."""
        container = self._client.containers.create(image, ["true"], privileged=True, network_mode="none")
        try:
            container.start()
            return bool(container.wait(timeout=_SECONDS)["StatusCode"] == 0)
        except docker.errors.APIError:
            return False
        finally:
            container.remove(force=True, v=True)

    def tags(self) -> list[str]:
        """The tags of all our images, of whatever recipe."""
        with _failures("list the images"):
            images = self._client.images.list()
        return sorted(tag for image in images for tag in image.tags if tag.startswith(PREFIX))

    def remove(self, tag: str) -> None:
        """Remove an image, unless a container uses it or it is gone."""
        with _failures(f"remove the image {tag}"):
            try:
                self._client.images.remove(tag)
            except docker.errors.ImageNotFound:
                return
            except docker.errors.APIError as error:
                if error.status_code != requests.codes.conflict:
                    raise


def write_context(recipe: Recipe, stream: Any) -> None:
    """Write what the engine needs to build an image: the recipe's folder and the programs, as a tar."""
    folder = RECIPES / recipe.folder
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for path in files_below(folder):
            tar.add(path, str(path.relative_to(folder)), filter=_plain)
        for program in recipe.programs:
            tar.add(program, f"bin/{program.name}", filter=_plain)


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """The entry without what a checkout happens to have: owner, and all of the mode but the right to execute."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o755 if entry.mode & 0o100 else 0o644
    return entry


def _follow(lines: Iterable[Mapping[str, Any]], log: io.TextIOBase) -> str:
    """Write a build's output to the log; return what went wrong, if anything did."""
    error = ""
    for line in lines:
        log.write(str(line.get("stream", "")))
        error = str(line.get("error", error))
    log.write(f"{error}\n" if error else "")
    return error.strip()


@contextmanager
def _failures(what: str) -> Iterator[None]:
    """Give failures of the engine as an error that says what was being done."""
    try:
        yield
    except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
        raise ServiceError(f"The Docker Engine could not {what}: {error}") from error
