"""Images: named after what goes into them, and made of no more than that."""

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from magnum.localcloud import docker_images, kubernetes_build, node_image
from magnum.localcloud.docker_images import Recipe, write_context
from magnum.localcloud.engine import Engine
from magnum.localcloud.files import digest_of_folder
from magnum.localcloud.node_image import NodeImages
from magnum.localcloud.processes import ServiceError


@pytest.fixture
def recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of recipes with one in it."""
    monkeypatch.setattr(docker_images, "RECIPES", tmp_path / "recipes")
    folder = tmp_path / "recipes" / "node"
    (folder / "files").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM scratch\n")
    (folder / "files" / "init").write_text("#!/bin/sh\n")
    (folder / "files" / "init").chmod(0o700)
    return folder


def recipe(**changes: Any) -> Recipe:
    return Recipe(**{"name": "debian-kubernetes", "folder": "node", "base": "magnum-local/base:1", **changes})


def test_an_image_keeps_its_name_while_nothing_changes(recipes: Path) -> None:
    assert recipe().tag == recipe().tag
    assert recipe().tag.startswith("magnum-local/debian-kubernetes:")


@pytest.mark.parametrize(
    "changes",
    [
        {"base": "magnum-local/base:2"},
        {"target": "system"},
        {"arguments": {"PAUSE_IMAGE": "registry.example.org/pause:3.9"}},
        {"programs": (Path("/cache/v1.20.2-abc/kubelet"),)},
    ],
)
def test_an_image_of_something_else_has_another_name(recipes: Path, changes: dict[str, Any]) -> None:
    assert recipe(**changes).tag != recipe().tag


def test_programs_of_another_build_make_another_image(recipes: Path) -> None:
    one, other = (recipe(programs=(Path(f"/cache/v1.20.2-{build}/kubelet"),)).tag for build in ("abc", "def"))
    assert one != other


def test_a_changed_file_makes_another_image(recipes: Path) -> None:
    before = recipe().tag
    (recipes / "files" / "init").write_text("#!/bin/sh\nexec true\n")
    assert recipe().tag != before


def test_a_changed_right_to_execute_makes_another_image(recipes: Path) -> None:
    before = recipe().tag
    (recipes / "files" / "init").chmod(0o600)
    assert recipe().tag != before


def test_the_place_of_the_checkout_makes_no_difference(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Dockerfile").write_text("FROM scratch\n")
    assert digest_of_folder(tmp_path / "one") == digest_of_folder(tmp_path / "other")


def test_the_engine_gets_the_recipe_and_the_programs_and_nothing_of_the_checkout(recipes: Path, tmp_path: Path) -> None:
    program = tmp_path / "kubelet"
    program.write_text("kubelet")
    program.chmod(0o755)
    stream = io.BytesIO()
    write_context(recipe(programs=(program,)), stream)
    stream.seek(0)
    with tarfile.open(fileobj=stream) as tar:
        entries = {entry.name: entry for entry in tar}
    assert {name: entry.mode for name, entry in entries.items()} == {
        "Dockerfile": 0o644,
        "files/init": 0o755,
        "bin/kubelet": 0o755,
    }
    assert {(entry.uid, entry.gid, entry.uname) for entry in entries.values()} == {(0, 0, "")}


def test_heat_is_told_what_servers_are_made_of() -> None:
    images = NodeImages(
        "magnum-local/debian-kubernetes:abc", Path("/data/containerd-abc"), "magnum-local/base:abc", False
    )
    assert images.as_description() == {
        "images": {
            "debian-kubernetes": {
                "docker_image": "magnum-local/debian-kubernetes:abc",
                "containerd_store": "/data/containerd-abc",
            }
        },
        "base_image": "magnum-local/base:abc",
        "privileged": False,
    }


def test_every_image_that_kubeadm_asks_for_is_made_but_the_one_debian_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubeadm = tmp_path / "kubeadm"
    kubeadm.write_text(
        "#!/bin/sh\nfor image in kube-apiserver:v1 kube-controller-manager:v1 kube-scheduler:v1 kube-proxy:v1 "
        "pause:3.2 etcd:3.4.13-0 coredns:1.7.0; do echo registry.k8s.io/$image; done\n"
    )
    kubeadm.chmod(0o755)
    names = node_image._kubernetes_images(tmp_path)
    made = node_image._Plan(Engine("unix:///docker.sock", tmp_path, "172.17.0.1"), tmp_path).pods()
    assert set(names) - set(made) == {"coredns"}
    assert set(made) <= set(names)
    assert names["pause"] == "registry.k8s.io/pause:3.2"
    assert names["web"] == "docker.io/magnum-local/web:1"


def test_programs_that_do_not_run_are_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=f"Remove {tmp_path} and try again"):
        node_image._kubernetes_images(tmp_path)


def test_stores_are_told_apart_by_the_programs_in_them(tmp_path: Path) -> None:
    engine = Engine("unix:///docker.sock", tmp_path, "172.17.0.1")
    one, other = (node_image._Plan(engine, tmp_path / build).store for build in ("v1.20.2-abc", "v1.20.2-def"))
    assert one != other
    assert one.parent == other.parent == tmp_path / "magnum-local"


def test_the_recipes_are_part_of_the_package() -> None:
    for name in ("base", "node", "pods", "program", "store", "kubernetes"):
        assert list((docker_images.RECIPES / name).rglob("*")), name
    assert kubernetes_build.folder().name.startswith(f"{kubernetes_build.VERSION}-")
