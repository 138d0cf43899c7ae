"""The parts that the node scripts are made of."""

import hashlib
import io
import json
import time
import urllib.error
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from tests.unit.templates.conftest import Scripts


class Api:
    """The cluster's API: answers by path; an exception is raised."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.sent: list[tuple[str, str, Any, str]] = []

    def call(self, method: str, path: str, body: Any = None, content_type: str = "", timeout: float = 0) -> Any:
        self.sent.append((method, path, body, content_type))
        answer = self.answers.get(path)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_pod_ranges_follow_from_addresses(scripts: Scripts) -> None:
    find = scripts.routes.pod_range

    assert find("10.0.0.17", "10.0.0.0/24", "10.100.0.0/16", 24) == "10.100.17.0/24"
    assert find("172.24.1.2", "172.24.0.0/22", "10.100.0.0/14", 24) == "10.101.2.0/24"
    assert len({find(f"10.0.0.{i}", "10.0.0.0/24", "10.100.0.0/16", 26) for i in range(1, 255)}) == 254


def test_an_address_without_room_for_its_pods_is_refused(scripts: Scripts) -> None:
    with pytest.raises(
        scripts.system.Failed, match=r"number 258 of its network, but 10\.100\.0\.0/16 has room for 256"
    ):
        scripts.routes.pod_range("10.0.1.2", "10.0.0.0/16", "10.100.0.0/16", 24)


def node(name: str, address: str, pods: str | None = None) -> dict[str, Any]:
    status = {"addresses": [{"type": "Hostname", "address": name}, {"type": "InternalIP", "address": address}]}
    return {"metadata": {"name": name}, "spec": {"podCIDR": pods} if pods else {}, "status": status}


def test_routes_lead_to_the_pods_of_all_other_nodes(scripts: Scripts) -> None:
    nodes = scripts.routes.Nodes()
    for each in (node("a", "10.0.0.2", "10.100.2.0/24"), node("b", "10.0.0.3", "10.100.3.0/24"), node("c", "10.0.0.4")):
        nodes.note(each)

    assert scripts.routes.wanted_routes(nodes, "a") == {"10.100.3.0/24": "10.0.0.3"}
    nodes.forget("b")
    assert scripts.routes.wanted_routes(nodes, "a") == {}


def test_only_what_differs_is_changed(scripts: Scripts, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    table = [{"dst": "10.100.3.0/24", "gateway": "10.0.0.3"}, {"dst": "10.100.4.0/24", "gateway": "10.0.0.4"}]

    def run(*command: str) -> str:
        ran.append(" ".join(command))
        return json.dumps(table) if "show" in command else ""

    monkeypatch.setattr(scripts.system, "run", run)

    scripts.routes.set_routes({"10.100.3.0/24": "10.0.0.3", "10.100.5.0/24": "10.0.0.5"})

    assert ran[1:] == ["ip route del 10.100.4.0/24 proto 77", "ip route replace 10.100.5.0/24 via 10.0.0.5 proto 77"]


def test_a_node_enters_its_range_once(scripts: Scripts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts.routes, "_SETTLING", 0)
    api, nodes = Api({}), scripts.routes.Nodes()

    scripts.routes.note(nodes, node("other", "10.0.0.3"), api, "own", "10.100.2.0/24")
    scripts.routes.note(nodes, node("own", "10.0.0.2"), api, "own", "10.100.2.0/24")
    scripts.routes.note(nodes, node("own", "10.0.0.2", "10.100.2.0/24"), api, "own", "10.100.2.0/24")

    spec = {"podCIDR": "10.100.2.0/24", "podCIDRs": ["10.100.2.0/24"]}
    assert api.sent == [("PATCH", "/api/v1/nodes/own", {"spec": spec}, "application/merge-patch+json")]


def test_pods_are_connected_to_the_bridge(scripts: Scripts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(scripts.routes, "CNI_FILE", tmp_path / "net.d/10.conflist")

    scripts.routes.write_cni_config("10.100.2.0/24")

    plugins = json.loads((tmp_path / "net.d/10.conflist").read_text())["plugins"]
    assert [plugin["type"] for plugin in plugins] == ["bridge", "portmap"]
    assert plugins[0]["ipam"]["ranges"] == [[{"subnet": "10.100.2.0/24"}]]
    assert [path.name for path in (tmp_path / "net.d").iterdir()] == ["10.conflist"]


def test_a_node_is_ready_when_kubernetes_says_so(scripts: Scripts) -> None:
    def asked(answer: Any) -> Any:
        return scripts.cluster.ready(Api({"/api/v1/nodes/a": answer}), "a")

    assert asked({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}) is True
    assert asked({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}) is None
    assert asked({"status": {}}) is None
    assert asked(scripts.https.Refused(404, "")) is None
    assert asked(scripts.https.Unreachable("")) is None


def test_a_node_may_join_when_it_may_look_for_itself(scripts: Scripts) -> None:
    def asked(answer: Any) -> Any:
        return scripts.cluster.may_join(Api({"/api/v1/nodes/a": answer}), "a")

    assert asked(scripts.https.Refused(404, "not found")) is True
    assert asked(scripts.https.Refused(403, "forbidden")) is None
    assert asked(scripts.https.Unreachable("")) is None


@pytest.mark.parametrize(
    ("item", "path"),
    [
        ({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}, "/api/v1/namespaces/n"),
        (
            {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "d", "namespace": "n"}},
            "/apis/apps/v1/namespaces/n/daemonsets/d",
        ),
        (
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "r"}},
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/r",
        ),
    ],
)
def test_objects_are_applied_where_they_belong(scripts: Scripts, item: dict[str, Any], path: str) -> None:
    api = Api({})

    scripts.cluster.apply(api, item, time.monotonic() + 1)

    assert api.sent == [("PATCH", f"{path}?fieldManager=magnum&force=true", item, "application/apply-patch+yaml")]


def test_an_image_keeps_its_containerd_configuration_but_for_two_values(scripts: Scripts) -> None:
    own = 'version = 2\n[x]\n  sandbox_image = "pause:3.2"\n  snapshotter = "native"\n    SystemdCgroup = false\n'

    changed = scripts.software.containerd_config(own, "registry/pause:3.9", True)

    assert changed == own.replace("pause:3.2", "registry/pause:3.9").replace("= false", "= true")
    assert scripts.software.containerd_config(changed, "registry/pause:3.9", True) == changed


def test_a_configuration_without_pods_is_replaced(scripts: Scripts) -> None:
    made = scripts.software.containerd_config('disabled_plugins = ["cri"]\n', "registry/pause:3.9", True)

    assert "disabled_plugins" not in made
    assert '  sandbox_image = "registry/pause:3.9"\n' in made
    assert "      SystemdCgroup = true\n" in made


class Downloads:
    """The download place, by URL."""

    def __init__(self, content: dict[str, bytes]) -> None:
        self.content = content

    def __call__(self, url: str, timeout: float) -> io.BytesIO:
        if url not in self.content:
            raise urllib.error.HTTPError(url, 404, "Not Found", Message(), None)
        return io.BytesIO(self.content[url])


@pytest.fixture
def settings(scripts: Scripts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    monkeypatch.setattr(scripts.software, "_BINARIES", tmp_path)
    monkeypatch.setattr(scripts.software.platform, "machine", lambda: "x86_64")
    return {"kube_tag": "v1.34.2", "kube_download_url": "https://mirror"}


URL = "https://mirror/v1.34.2/bin/linux/amd64/kubelet"


def download(
    scripts: Scripts, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], content: dict[str, bytes]
) -> None:
    monkeypatch.setattr(scripts.software.urllib.request, "urlopen", Downloads(content))
    scripts.software._download("kubelet", settings)


def test_a_program_is_checked_against_its_digest(
    scripts: Scripts, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], tmp_path: Path
) -> None:
    digest = hashlib.sha256(b"program").hexdigest().encode()

    download(scripts, monkeypatch, settings, {URL: b"program", f"{URL}.sha256": digest})

    assert (tmp_path / "kubelet").read_bytes() == b"program"
    assert (tmp_path / "kubelet").stat().st_mode & 0o777 == 0o755


def test_a_program_that_was_changed_is_refused(
    scripts: Scripts, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(scripts.system.Failed, match="does not match"):
        download(scripts, monkeypatch, settings, {URL: b"evil", f"{URL}.sha256": b"0" * 64})

    assert list(tmp_path.iterdir()) == []


def test_a_program_that_cannot_be_had_is_named(
    scripts: Scripts, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]
) -> None:
    with pytest.raises(scripts.system.Failed, match=r"does not carry kubelet v1\.34\.2, and https://mirror/"):
        download(scripts, monkeypatch, settings, {})


def test_a_file_with_a_secret_is_never_open_to_others(scripts: Scripts, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("old")
    path.chmod(0o644)

    scripts.system.write(path, "new")

    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o600)


def test_a_command_that_fails_is_told_by_its_last_line(scripts: Scripts) -> None:
    with pytest.raises(scripts.system.Failed, match=r"^sh: no such device$"):
        scripts.system.run("sh", "-c", "echo; echo 'no such device' >&2; exit 3")
    with pytest.raises(scripts.system.Failed, match="not-a-command is not installed"):
        scripts.system.run("not-a-command")


def test_waiting_ends(scripts: Scripts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts.system, "POLL_INTERVAL", 0)
    found = iter([None, None, "it"])

    assert scripts.system.wait_for(lambda: next(found), time.monotonic() + 5, "it") == "it"
    with pytest.raises(scripts.system.Failed, match="the API: not within the time"):
        scripts.system.wait_for(lambda: None, time.monotonic() - 1, "the API")


def refusal(body: bytes) -> urllib.error.HTTPError:
    return urllib.error.HTTPError("http://x", 403, "Forbidden", Message(), io.BytesIO(body))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"errors": [{"status": 403, "detail": "The token has expired."}]}', "403 The token has expired."),
        (b'{"kind": "Status", "message": "nodes is forbidden"}', "403 nodes is forbidden"),
        (b"<html>", "403 Forbidden"),
        (b"[]", "403 Forbidden"),
    ],
)
def test_a_refusal_is_told_in_the_servers_words(
    scripts: Scripts, monkeypatch: pytest.MonkeyPatch, body: bytes, message: str
) -> None:
    client = scripts.https.Client("http://x")

    def refuse(*_: Any, **__: Any) -> Any:
        raise refusal(body)

    monkeypatch.setattr(client._opener, "open", refuse)

    with pytest.raises(scripts.https.Refused) as caught:
        client.call("GET", "/")

    assert str(caught.value) == message


def test_silence_is_told_with_the_address(scripts: Scripts, monkeypatch: pytest.MonkeyPatch) -> None:
    client = scripts.https.Client("http://magnum:9511/")

    def fail(*_: Any, **__: Any) -> Any:
        raise urllib.error.URLError("connection refused")

    monkeypatch.setattr(client._opener, "open", fail)

    with pytest.raises(scripts.https.Unreachable, match="http://magnum:9511: connection refused"):
        client.call("GET", "/")


def test_a_volume_becomes_the_home_of_containerd(
    scripts: Scripts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    volume = "12345678-1234-1234-1234-123456789012"
    (tmp_path / f"virtio-{volume[:20]}").touch()
    ran: list[str] = []

    def run(*command: str) -> str:
        ran.append(command[0])
        return "UUID\n"

    monkeypatch.setattr(scripts.storage, "_DISKS", tmp_path)
    monkeypatch.setattr(scripts.storage, "_FSTAB", tmp_path / "fstab")
    monkeypatch.setattr(scripts.storage, "_HOME", str(tmp_path / "containerd"))
    monkeypatch.setattr(scripts.storage, "_STAGING", tmp_path / "staging")
    monkeypatch.setattr(scripts.storage, "_has_file_system", lambda disk: False)
    monkeypatch.setattr(scripts.system, "run", run)

    scripts.storage.mount(volume, time.monotonic() + 1)

    assert ran.index("mkfs.ext4") < ran.index("mount")
    assert f"UUID=UUID {tmp_path}/containerd ext4" in (tmp_path / "fstab").read_text()
