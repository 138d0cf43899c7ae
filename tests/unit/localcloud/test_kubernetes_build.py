"""The programs of Kubernetes: taken from a mirror if there is one, built otherwise, whole or not at all."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from magnum.localcloud import debian, kubernetes_build, shell
from magnum.localcloud.processes import ServiceError
from magnum.localcloud.steps import Step


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a mirror that has nothing."""
    monkeypatch.setenv("MAGNUM_LOCAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MAGNUM_LOCAL_KUBERNETES_MIRROR", (tmp_path / "mirror").as_uri())
    monkeypatch.setattr(debian, "architecture", lambda: "amd64")
    return tmp_path / "cache"


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """The folder of a mirror that has all programs."""
    folder = tmp_path / "mirror" / "release" / kubernetes_build.VERSION / "bin" / "linux" / "amd64"
    folder.mkdir(parents=True)
    for name in kubernetes_build.PROGRAMS:
        (folder / name).write_text(f"official {name}")
        (folder / f"{name}.sha256").write_text(sha256(f"official {name}".encode()).hexdigest())
    return folder


def ensure(tmp_path: Path) -> Path:
    return kubernetes_build.ensure(tmp_path / "logs", Step("Kubernetes", 0.0))


def pretend_to_build(monkeypatch: pytest.MonkeyPatch, programs: Sequence[str]) -> list[Sequence[str]]:
    """Have the compiler leave these programs; the commands that are run are returned."""
    commands: list[Sequence[str]] = []

    def unpack_source(_: debian.Archive, package: str, target: Path) -> None:
        (target / f"{package}-{kubernetes_build.VERSION.removeprefix('v')}").mkdir(parents=True)

    def run(
        argv: Sequence[str],
        *,
        log: Path,
        seconds: float,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        watch: Callable[[], None] | None = None,
    ) -> None:
        commands.append(argv)
        work = Path(argv[-2])
        for name in programs:
            (work / "bin" / name).write_text(f"built {name}")

    monkeypatch.setattr(debian.Archive, "update", lambda _: None)
    monkeypatch.setattr(debian.Archive, "unpack_source", unpack_source)
    monkeypatch.setattr(debian.Archive, "unpack_packages", lambda *_: None)
    monkeypatch.setattr(shell, "run", run)
    return commands


def test_official_programs_are_preferred(mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = pretend_to_build(monkeypatch, ())
    folder = ensure(tmp_path)
    assert not built
    assert {path.name for path in folder.iterdir()} == set(kubernetes_build.PROGRAMS)
    assert (folder / "kubelet").read_text() == "official kubelet"
    assert (folder / "kubelet").stat().st_mode & 0o111


def test_what_the_mirror_did_not_publish_is_refused(mirror: Path, tmp_path: Path, cache: Path) -> None:
    (mirror / "kubelet").write_text("something else")
    with pytest.raises(ServiceError, match=r"kubelet is not what its published digest"):
        ensure(tmp_path)
    assert not kubernetes_build.is_built()


def test_a_mirror_that_lacks_a_program_is_named(mirror: Path, tmp_path: Path) -> None:
    (mirror / "kube-proxy").unlink()
    with pytest.raises(ServiceError, match=r"kube-proxy cannot be downloaded"):
        ensure(tmp_path)


def test_without_official_programs_they_are_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = pretend_to_build(monkeypatch, kubernetes_build.PROGRAMS)
    folder = ensure(tmp_path)
    assert len(built) == 1
    assert (folder / "kubeadm").read_text() == "built kubeadm"
    assert kubernetes_build.is_built()
    assert kubernetes_build.folder() == folder


def test_what_is_built_is_not_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = pretend_to_build(monkeypatch, kubernetes_build.PROGRAMS)
    assert ensure(tmp_path) == ensure(tmp_path)
    assert len(built) == 1


def test_a_build_that_lacks_a_program_is_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_to_build(monkeypatch, kubernetes_build.PROGRAMS[1:])
    with pytest.raises(ServiceError, match=f"without {kubernetes_build.PROGRAMS[0]};"):
        ensure(tmp_path)
    assert not kubernetes_build.is_built()


def test_an_interrupted_build_leaves_nothing_and_can_be_repeated(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as during:
        pretend_to_build(during, ())
        during.setattr(shell, "run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ensure(tmp_path)
    assert not list((cache / "kubernetes").glob("*/"))
    # What a kill leaves behind is removed by the next build.
    (cache / "kubernetes" / "making-old" / "bin").mkdir(parents=True)
    pretend_to_build(monkeypatch, kubernetes_build.PROGRAMS)
    folder = ensure(tmp_path)
    assert list((cache / "kubernetes").glob("*/")) == [folder]


def test_another_recipe_is_another_result_and_replaces_the_old(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_to_build(monkeypatch, kubernetes_build.PROGRAMS)
    before = ensure(tmp_path)
    monkeypatch.setattr(kubernetes_build, "_TOOLCHAIN", ("golang-9.99-go",))
    assert not kubernetes_build.is_built()
    after = ensure(tmp_path)
    assert after != before
    assert list((cache / "kubernetes").glob("*/")) == [after]


def test_sources_of_another_version_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_to_build(monkeypatch, kubernetes_build.PROGRAMS)

    def unpack_source(_: debian.Archive, package: str, target: Path) -> None:
        (target / f"{package}-1.99.0").mkdir(parents=True)

    monkeypatch.setattr(debian.Archive, "unpack_source", unpack_source)
    with pytest.raises(ServiceError, match=r"holds kubernetes-1\.99\.0, not v"):
        ensure(tmp_path)


@pytest.mark.parametrize(
    ("uris", "chosen"),
    [
        ([], "http://deb.debian.org/debian"),
        (["http://security.debian.org/debian-security/"], "http://deb.debian.org/debian"),
        (
            ["http://mirror.example.org/debian-security", "http://mirror.example.org/debian/"],
            "http://mirror.example.org/debian",
        ),
    ],
)
def test_packages_come_from_where_this_machine_gets_its_own(uris: list[str], chosen: str) -> None:
    assert debian.choose_mirror(uris) == chosen
