"""What the servers of bays are made of: an image that boots like a server, and a store with the images of its pods.

A node is a container that runs systemd and cloud-init as a virtual machine would. To have its control plane within
seconds, it starts with a copy of a store in which all images of Kubernetes are already unpacked; the copy is made of
hard links, so it takes an instant and no space, and nodes share these files' pages in memory.

Each thing is named after a digest of all that goes into it (see docker_images), so what is there is right, and whatever
was interrupted is made again.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from magnum.localcloud import debian, kubernetes_build, shell
from magnum.localcloud.docker_images import PREFIX, RECIPES, Images, Recipe
from magnum.localcloud.engine import Engine
from magnum.localcloud.files import digest_of_folder, digest_of_text, exclusive
from magnum.localcloud.paths import cache_root, state_root
from magnum.localcloud.processes import ServiceError
from magnum.localcloud.steps import Steps

PACKAGES = ("debootstrap",)
IMAGE = "debian-kubernetes"
"""The name of the image, for baymodels."""
REGISTRY = "registry.k8s.io"
"""Where nodes believe their images of Kubernetes to come from."""
WEB_IMAGE = "magnum-local/web:1"
"""An image for pods of demonstrations, in every node: a web server that tells its pod's name."""

_PARTIAL = "making-images-"
_BASE_PACKAGES = "ca-certificates"
_DEBOOTSTRAP_SECONDS = 900.0
_QUESTION_SECONDS = 30
_NODE_PROGRAMS = ("kubelet", "kubeadm", "kubectl")
_CONTROL_PLANE_PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")


@dataclass(frozen=True)
class NodeImages:
    """What a cloud's servers are made of."""

    docker_image: str
    containerd_store: Path
    base_image: str
    privileged: bool
    """Whether the engine can start privileged containers, so that nodes can be such."""

    def as_description(self) -> dict[str, Any]:
        """The same for the cloud's description, which Heat's plugin reads."""
        entry = {"docker_image": self.docker_image, "containerd_store": str(self.containerd_store)}
        return {"images": {IMAGE: entry}, "base_image": self.base_image, "privileged": self.privileged}


@dataclass(frozen=True)
class _Plan:
    """The names of all that is to be made, known before anything is."""

    engine: Engine
    programs: Path
    """The folder of Kubernetes' programs."""

    @property
    def base(self) -> str:
        recipe = digest_of_folder(RECIPES / "base")
        return f"{PREFIX}base:{digest_of_text(debian.RELEASE, _BASE_PACKAGES, recipe)}"

    def node(self, pause_image: str) -> Recipe:
        programs = tuple(self.programs / name for name in _NODE_PROGRAMS)
        return Recipe(IMAGE, "node", self.base, arguments={"PAUSE_IMAGE": pause_image}, programs=programs)

    @property
    def node_system(self) -> Recipe:
        """The greater part of a node's image, which needs nothing of Kubernetes."""
        return Recipe("node-system", "node", self.base, target="system")

    @property
    def pod_tools(self) -> Recipe:
        """What the images of pods are taken from."""
        return Recipe("pod-tools", "pods", self.base, target="tools")

    def pods(self) -> dict[str, Recipe]:
        """The images of pods, by the last part of their names."""
        recipes = {name: Recipe(name, "pods", self.base, target=name) for name in ("etcd", "pause", "web")}
        for name in _CONTROL_PLANE_PROGRAMS:
            arguments, programs = {"PROGRAM": name}, (self.programs / name,)
            recipes[name] = Recipe(name, "program", "scratch", None, arguments, programs)
        recipes["kube-proxy"] = Recipe(
            "kube-proxy", "pods", self.base, "kube-proxy", programs=(self.programs / "kube-proxy",)
        )
        return recipes

    @property
    def store(self) -> Path:
        tags = [recipe.tag for recipe in self.pods().values()]
        digest = digest_of_text(digest_of_folder(RECIPES / "store"), debian.RELEASE, *tags)
        return _stores(self.engine) / f"containerd-{digest}"


def ensure_artifacts(engine: Engine, log_dir: Path, steps: Steps) -> NodeImages:
    """Have all that servers of bays are made of; an instant if it is there, four minutes on two cores if nothing is.

    Kubernetes is built beside the images that do not need it. Meant to be called in a thread, beside other set-up. Logs
    go to ``kubernetes-build.log`` and ``images.log`` in ``log_dir``. Needed are the Debian packages ``PACKAGES`` and,
    while ``kubernetes_build.is_built()`` is false, ``kubernetes_build.PACKAGES``.
    """
    log_dir.mkdir(parents=True, exist_ok=True)
    images = Images(engine, log_dir / "images.log")
    found = _find(engine, images)
    if found is not None:
        return found
    cache_root().mkdir(parents=True, exist_ok=True)
    with exclusive(cache_root() / "images.lock", steps.step("Images that another magnum-local is making")):
        _make(engine, images, log_dir, steps)
    found = _find(engine, images)
    if found is None:
        raise ServiceError(f"The images of servers were made, but are not there; see {log_dir / 'images.log'}")
    return found


def remove(engine: Engine) -> None:
    """Remove all images and stores that were ever made here, but for images that containers use."""
    images = Images(engine, Path("/dev/null"))
    for tag in images.tags():
        images.remove(tag)
    shutil.rmtree(_stores(engine), ignore_errors=True)


def _find(engine: Engine, images: Images) -> NodeImages | None:
    """What is there, if it is all there."""
    if not kubernetes_build.is_built():
        return None
    plan = _Plan(engine, kubernetes_build.folder())
    node = plan.node(_kubernetes_images(plan.programs)["pause"]).tag
    if not (images.has(plan.base) and images.has(node) and plan.store.is_dir()):
        return None
    return NodeImages(node, plan.store, plan.base, privileged=images.supports_privileged(plan.base))


def _make(engine: Engine, images: Images, log_dir: Path, steps: Steps) -> None:
    plan = _Plan(engine, kubernetes_build.folder())
    for leftover in cache_root().glob(f"{_PARTIAL}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    with ThreadPoolExecutor(max_workers=1) as pool:
        kubernetes = pool.submit(_make_kubernetes, log_dir, steps)
        with steps.step("Base image of servers"):
            _make_base(plan, images, log_dir / "images.log")
        with steps.step("Debian in the images of servers and pods") as step:
            step.at("servers")
            images.build(plan.node_system, None)
            if not plan.store.is_dir():
                step.at("pods")
                images.ensure(plan.pod_tools)
        kubernetes.result()
    names = _kubernetes_images(plan.programs)
    with steps.step("Image of servers"):
        node = images.ensure(plan.node(names["pause"]))
    with steps.step("Images of pods") as step:
        _make_store(plan, images, node, names, step.at)
    _remove_unused(plan, images, node)


def _make_kubernetes(log_dir: Path, steps: Steps) -> None:
    if kubernetes_build.is_built():
        return
    with steps.step(f"Kubernetes {kubernetes_build.VERSION}") as step:
        kubernetes_build.ensure(log_dir, step)


def _make_base(plan: _Plan, images: Images, log: Path) -> None:
    """Debian, small."""
    if images.has(plan.base):
        return
    with tempfile.TemporaryDirectory(dir=cache_root(), prefix=_PARTIAL) as temporary:
        root = Path(temporary) / "root"
        shell.run(
            [
                # What it mounts goes with it, however it ends.
                "unshare",
                "--mount",
                "debootstrap",
                "--variant=minbase",
                f"--include={_BASE_PACKAGES}",
                f"--keyring={debian.KEYRING}",
                debian.RELEASE,
                str(root),
                debian.mirror(),
            ],
            log=log,
            seconds=_DEBOOTSTRAP_SECONDS,
        )
        shutil.copytree(RECIPES / "base", root, dirs_exist_ok=True)
        for leftover in ("var/cache/apt/archives", "var/lib/apt/lists"):
            shutil.rmtree(root / leftover)
            (root / leftover / "partial").mkdir(parents=True)
        images.import_folder(root, plan.base)


def _make_store(plan: _Plan, images: Images, node: str, names: dict[str, str], progress: Callable[[str], None]) -> None:
    """Have a containerd, in a node's image, import the images of pods into a folder that nodes can link to."""
    if plan.store.is_dir():
        return
    partial = plan.store.with_name(f"{plan.store.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    with tempfile.TemporaryDirectory(dir=cache_root(), prefix=_PARTIAL) as temporary:
        exported = Path(temporary)
        lines = []
        for name, recipe in plan.pods().items():
            progress(name)
            images.export(images.ensure(recipe), exported / f"{name}.tar")
            lines.append(f"{name}.tar docker.io/{recipe.tag} {names[name]}\n")
        (exported / "names").write_text("".join(lines), encoding="utf-8")
        progress("unpacking")
        images.run(
            node,
            ["/bin/sh", "/fill"],
            cap_add=["SYS_ADMIN"],
            security_opt=["seccomp=unconfined", "apparmor=unconfined"],
            network_mode="none",
            volumes={
                str(partial): {"bind": "/var/lib/containerd", "mode": "rw"},
                str(exported): {"bind": "/images", "mode": "ro"},
                str(RECIPES / "store" / "fill"): {"bind": "/fill", "mode": "ro"},
            },
        )
    partial.rename(plan.store)


def _kubernetes_images(programs: Path) -> dict[str, str]:
    """The full names of the images of pods, by the last part of their names."""
    command = [
        str(programs / "kubeadm"),
        "config",
        "images",
        "list",
        f"--kubernetes-version={kubernetes_build.VERSION}",
        f"--image-repository={REGISTRY}",
    ]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=_QUESTION_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise ServiceError(f"What was built does not work: {error}. Remove {programs} and try again.") from error
    listed = {image.rpartition("/")[2].partition(":")[0]: image for image in result.stdout.split()}
    return {**listed, "web": f"docker.io/{WEB_IMAGE}"}


def _stores(engine: Engine) -> Path:
    """Inside the engine's own data, because links do not reach further than a file system."""
    return engine.root / "magnum-local"


def _remove_unused(plan: _Plan, images: Images, node: str) -> None:
    """Remove the images of pods, which are in the store now, and what earlier recipes made that no cloud speaks of."""
    descriptions = "\n".join(path.read_text(encoding="utf-8") for path in state_root().glob("*/cloud.json"))
    names = {"base", IMAGE, plan.pod_tools.name, *plan.pods()}
    for tag in images.tags():
        ours = tag.removeprefix(PREFIX).partition(":")[0] in names
        if ours and tag not in (plan.base, node) and tag not in descriptions:
            images.remove(tag)
    for path in _stores(plan.engine).iterdir():
        if path != plan.store and str(path) not in descriptions:
            shutil.rmtree(path, ignore_errors=True)
