"""What a server does to become a node, with everything around it replaced."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.unit.templates.conftest import Scripts

SETTINGS = {"skipped_phases": ["preflight", "addon/coredns"], "objects": [], "network_driver": "bridge", "proxies": {}}


def description(role: str = "node", **changes: Any) -> dict[str, Any]:
    return {
        "name": f"web-{'node' if role == 'node' else 'master'}-1",
        "role": role,
        "address": "10.0.0.5",
        "api_address": "10.0.0.2",
        "api_port": 6443,
        "bay_uuid": "bay-1",
        "magnum_url": "http://magnum:9511",
        "volume_id": "",
        "timeout": 60,
        "settings": SETTINGS,
    } | changes


@pytest.fixture
def folder(scripts: Scripts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The places the script writes to, below a folder of the test."""
    monkeypatch.setattr(scripts.node, "MAGNUM", tmp_path)
    monkeypatch.setattr(scripts.node, "PKI", tmp_path / "pki")
    monkeypatch.setattr(scripts.node, "DISCOVERY_FILE", tmp_path / "discovery.conf")
    monkeypatch.setattr(scripts.system, "POLL_INTERVAL", 0)
    return tmp_path


class Magnum:
    """Answers for Magnum, in order; an exception is raised."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, Any]] = []

    def call(self, method: str, path: str, body: Any = None) -> Any:
        self.asked.append((method, path, body))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def make(scripts: Scripts, magnum: Magnum, role: str = "node", **changes: Any) -> Any:
    node = scripts.node.Node(description(role, **changes), "TOKEN")
    node.magnum = magnum
    return node


def titles(scripts: Scripts, role: str) -> list[str]:
    return [title for title, _ in make(scripts, Magnum(), role).steps()]


def test_each_role_takes_its_steps(scripts: Scripts, folder: Path) -> None:
    assert "kubeadm init" in titles(scripts, "first-master")
    assert "control plane keys" in titles(scripts, "master")
    assert titles(scripts, "node")[-2:] == ["kubeadm join", "waiting to be Ready"]


def test_a_worker_never_asks_for_the_keys_of_the_control_plane(scripts: Scripts, folder: Path) -> None:
    assert "control plane keys" not in titles(scripts, "node")


def test_credentials_are_signed_for_joining_only(
    scripts: Scripts, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[str, ...]] = []

    def run(*command: str, **_: Any) -> str:
        ran.append(command)
        if "req" in command:
            Path(command[-1]).write_text("CSR")
        return "KEY"

    monkeypatch.setattr(scripts.system, "run", run)
    magnum = Magnum({"pem": "AUTHORITY"}, {"pem": "CERTIFICATE"})
    node = make(scripts, magnum)

    node.fetch_authority()
    node.make_credentials()

    assert magnum.asked == [
        ("GET", "/v1/certificates/bay-1", None),
        ("POST", "/v1/certificates", {"bay_uuid": "bay-1", "csr": "CSR"}),
    ]
    assert "/O=system:bootstrappers:kubeadm:default-node-token/CN=system:bootstrap:web-node-1" in ran[1]
    discovery = json.loads((folder / "discovery.conf").read_text())
    assert discovery["clusters"][0]["cluster"]["server"] == "https://10.0.0.2:6443"
    assert {(folder / name).stat().st_mode & 0o777 for name in ("discovery.conf", "bootstrap.key")} == {0o600}


def test_keys_are_written_where_kubeadm_looks_and_nowhere_else(scripts: Scripts, folder: Path) -> None:
    make(scripts, Magnum({"files": {"ca.key": "K", "etcd/ca.crt": "C"}}), "master").fetch_control_plane_keys()

    assert (folder / "pki/etcd/ca.crt").read_text() == "C"
    assert (folder / "pki/ca.key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(scripts.system.Failed):
        make(scripts, Magnum({"files": {"../../passwd": "x"}}), "master").fetch_control_plane_keys()
    assert not (folder.parent / "passwd").exists()


def test_magnum_is_asked_again_until_it_answers(scripts: Scripts, folder: Path) -> None:
    magnum = Magnum(scripts.https.Unreachable("refused"), scripts.https.Refused(503, "busy"), {"pem": "AUTHORITY"})

    make(scripts, magnum).fetch_authority()

    assert len(magnum.asked) == 3


def test_what_magnum_refuses_is_final(scripts: Scripts, folder: Path) -> None:
    magnum = Magnum(scripts.https.Refused(403, "The token has expired."))

    with pytest.raises(scripts.system.Failed, match="Magnum refused: 403 The token has expired"):
        make(scripts, magnum).fetch_authority()


def test_a_silent_magnum_is_named_with_what_went_wrong(
    scripts: Scripts, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripts.node, "_MAGNUM_PATIENCE", -1)
    magnum = Magnum(scripts.https.Unreachable("http://magnum:9511: connection refused"))

    with pytest.raises(scripts.system.Failed, match=r"not within the time.*connection refused"):
        make(scripts, magnum).fetch_authority()


def test_a_failed_step_is_told_with_its_reason(scripts: Scripts, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = make(scripts, Magnum())

    def fail() -> None:
        raise scripts.system.Failed("kubeadm: port 6443 is in use")

    monkeypatch.setattr(node, "steps", lambda: [("volume", lambda: None), ("kubeadm init", fail)])

    assert scripts.node.set_up(node) == "web-node-1: kubeadm init: kubeadm: port 6443 is in use"


def test_even_a_mistake_of_ours_is_told(scripts: Scripts, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = make(scripts, Magnum())
    monkeypatch.setattr(node, "steps", lambda: [("software", lambda: 1 / 0)])

    assert scripts.node.set_up(node) == "web-node-1: software: ZeroDivisionError: division by zero"


def test_what_is_in_the_bay_is_reached_without_proxy(scripts: Scripts, folder: Path) -> None:
    given = {"http_proxy": "http://proxy:3128", "no_proxy": "10.100.0.0/16"}

    used = scripts.node.proxies(description(settings=SETTINGS | {"proxies": given}))

    assert used == {"http_proxy": "http://proxy:3128", "no_proxy": "10.100.0.0/16,10.0.0.2,10.0.0.5"}
    assert scripts.node.proxies(description()) == {}


def test_proxies_reach_this_process_and_containerd(
    scripts: Scripts, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripts.software, "_PROXY_FILE", folder / "proxy.env")
    monkeypatch.setattr(scripts.software, "_PROXY_UNIT", folder / "containerd.service.d/proxy.conf")
    monkeypatch.setattr(scripts.system, "run", lambda *command: "")
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "")

    scripts.software.use_proxies({"https_proxy": "http://proxy:3128"})

    assert os.environ["HTTPS_PROXY"] == "http://proxy:3128"
    assert (folder / "proxy.env").read_text() == 'HTTPS_PROXY="http://proxy:3128"\n'
    assert f"EnvironmentFile={folder}/proxy.env" in (folder / "containerd.service.d/proxy.conf").read_text()


def run_main(
    scripts: Scripts, folder: Path, monkeypatch: pytest.MonkeyPatch, failure: str
) -> tuple[int, dict[str, str]]:
    """Run all of it with a given outcome; return the exit code and what Heat was told."""
    (folder / "node.json").write_text(json.dumps(description()))
    (folder / "bootstrap-token").write_text("TOKEN\n")
    (folder / "signal").write_text("curl -i -X POST -H 'X-Auth-Token: t' http://heat/signal")
    (folder / "kubeadm.yaml").write_text("x")
    told: dict[str, str] = {}

    def run(*command: str, stdin: str | None = None, **_: Any) -> str:
        assert command[0] == "curl"
        told.update(json.loads(stdin or ""))
        return ""

    def set_up(node: Any) -> str:
        assert not (folder / "bootstrap-token").exists()
        return failure

    monkeypatch.setattr(scripts.system, "run", run)
    monkeypatch.setattr(scripts.node, "set_up", set_up)
    return scripts.node.main(), told


def test_heat_hears_of_success(scripts: Scripts, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_main(scripts, folder, monkeypatch, "") == (0, {"status": "SUCCESS", "reason": "web-node-1 is Ready"})


def test_heat_hears_of_failure_but_of_no_secret(
    scripts: Scripts, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, told = run_main(scripts, folder, monkeypatch, "web-node-1: software: with TOKEN " + "x" * 1000)

    assert code == 1
    assert told["status"] == "FAILURE"
    assert told["reason"].startswith("web-node-1: software: with *** ")
    assert len(told["reason"]) <= 250


def test_no_secret_stays_on_disk(scripts: Scripts, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_main(scripts, folder, monkeypatch, "")

    assert [path.name for path in folder.iterdir()] == ["node.json"]


@pytest.mark.parametrize(
    ("output", "complaint"),
    [
        (
            "[init] x\nerror execution phase y: no\nTo see the stack trace of this error\n",
            "error execution phase y: no",
        ),
        ("\t[ERROR Port-6443]: Port 6443 is in use\n", "[ERROR Port-6443]: Port 6443 is in use"),
        (
            "bootstrapTokens.0.groups: Invalid value\nTo see the stack trace\n",
            "bootstrapTokens.0.groups: Invalid value",
        ),
        ("", "failed without a word"),
    ],
)
def test_the_complaint_of_kubeadm_is_found(
    scripts: Scripts, folder: Path, monkeypatch: pytest.MonkeyPatch, output: str, complaint: str
) -> None:
    program = folder / "kubeadm"
    program.write_text(f"#!/bin/sh\ncat <<'E'\n{output}E\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.setattr(scripts.node, "KUBEADM_LOG", folder / "log")

    with pytest.raises(scripts.system.Failed) as caught:
        scripts.node.Kubeadm("init", ["preflight"]).finish(scripts.node.time.monotonic() + 10)

    assert str(caught.value) == complaint


class Kubeadm:
    """A run of kubeadm that ends when it is asked so often."""

    def __init__(self, asked: int) -> None:
        self.left = asked

    def ended(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize(
    ("age", "has_pod", "restarts"), [(60, False, 1), (0, False, 0), (60, True, 0), (None, False, 0)]
)
def test_an_etcd_that_kubelet_refused_is_looked_at_again(
    scripts: Scripts, folder: Path, monkeypatch: pytest.MonkeyPatch, age: int | None, has_pod: bool, restarts: int
) -> None:
    ran: list[tuple[str, ...]] = []
    manifest, pods = folder / "etcd.yaml", folder / "pods"
    monkeypatch.setattr(scripts.node, "ETCD_MANIFEST", manifest)
    monkeypatch.setattr(scripts.node, "ETCD_PODS", pods)
    monkeypatch.setattr(scripts.system, "run", lambda *command, **_: ran.append(command))
    pods.mkdir()
    if age is not None:
        manifest.touch()
        os.utime(manifest, (time.time() - age,) * 2)
    if has_pod:
        (pods / "kube-system_etcd-web-master-1_8d088d23").mkdir()
    make(scripts, Magnum(), "master").see_etcd_start(Kubeadm(asked=5))
    assert ran == [("systemctl", "restart", "kubelet")] * restarts
