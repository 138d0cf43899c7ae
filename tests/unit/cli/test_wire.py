"""Every verb in each of its forms: what goes to the server."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from magnum.cli.registry import Verbs

from .conftest import Answer, Ran, Seen, StubCloud, refusal

Run = Callable[..., Ran]
Sent = tuple[str, str, dict[str, str], Any]

MANIFEST = "kind: Pod\n"
CSR = "-----BEGIN CERTIFICATE REQUEST-----\n"
IN_WEB = {"bay_ident": "web"}
WORKLOADS = {"pod": "pods", "rc": "rcs", "coe-service": "services", "service": "services"}
PATCH = [{"op": "replace", "path": "/manifest", "value": MANIFEST}]


def _get(path: str, params: dict[str, str] | None = None) -> Sent:
    return "GET", path, params or {}, None


def _workload(name: str, collection: str) -> list[tuple[str, list[Sent]]]:
    """A resource made from a manifest; the bay as an option, as a word, and not at all."""
    body = {"bay_uuid": "web", "manifest": MANIFEST}
    of_url = {"bay_uuid": "web", "manifest_url": "http://m"}
    items, item = f"/v1/{collection}", f"/v1/{collection}/x"
    return [
        (f"{name}-list", [_get(items)]),
        (f"{name}-list --bay web", [_get(items, IN_WEB)]),
        (f"{name}-list web", [_get(items, IN_WEB)]),
        (f"{name}-list web --bay web", [_get(items, IN_WEB)]),
        (f"{name}-show x", [_get(item)]),
        (f"{name}-show x --bay web", [_get(item, IN_WEB)]),
        (f"{name}-show x web", [_get(item, IN_WEB)]),
        (f"{name}-create --bay web --manifest MANIFEST", [("POST", items, {}, body)]),
        (f"{name}-create --bay web --manifest-url http://m", [("POST", items, {}, of_url)]),
        (f"{name}-update x replace manifest=MANIFEST", [("PATCH", item, {}, PATCH)]),
        (f"{name}-update x replace /manifest=MANIFEST", [("PATCH", item, {}, PATCH)]),
        (f"{name}-update x --bay web replace manifest=MANIFEST", [("PATCH", item, IN_WEB, PATCH)]),
        (f"{name}-update x replace --bay web manifest=MANIFEST", [("PATCH", item, IN_WEB, PATCH)]),
        (f"{name}-update x web replace manifest=MANIFEST", [("PATCH", item, IN_WEB, PATCH)]),
        (f"{name}-delete x", [("DELETE", item, {}, None)]),
        (f"{name}-delete x y --bay web", [("DELETE", item, IN_WEB, None), ("DELETE", items + "/y", IN_WEB, None)]),
    ]


def _action(verb: str) -> tuple[str, list[Sent]]:
    return f"container-{verb} c d", [("PUT", f"/v1/containers/{c}/{verb}", {}, None) for c in ("c", "d")]


PAGED = "--limit 2 --marker m --sort-key name --sort-dir desc"
PAGE = {"limit": "2", "marker": "m", "sort_key": "name", "sort_dir": "desc"}

BAYMODEL = (
    "baymodel-create --name m --image-id i --keypair-id k --external-network-id e --coe swarm --fixed-network f "
    "--network-driver flannel --volume-driver cinder --dns-nameserver 8.8.4.4 --flavor-id s --master-flavor-id l "
    "--docker-volume-size 5 --http-proxy http://p --https-proxy http://q --no-proxy n --labels a=b,c=d;e=f "
    "--tls-disabled --public --registry-enabled --ssh-authorized-key ssh --server-type vm --apiserver-port 8080"
)
BAYMODEL_BODY = {
    "name": "m",
    "image_id": "i",
    "keypair_id": "k",
    "external_network_id": "e",
    "coe": "swarm",
    "fixed_network": "f",
    "network_driver": "flannel",
    "volume_driver": "cinder",
    "dns_nameserver": "8.8.4.4",
    "flavor_id": "s",
    "master_flavor_id": "l",
    "docker_volume_size": 5,
    "http_proxy": "http://p",
    "https_proxy": "http://q",
    "no_proxy": "n",
    "labels": {"a": "b", "c": "d", "e": "f"},
    "tls_disabled": True,
    "public": True,
    "registry_enabled": True,
    "ssh_authorized_key": "ssh",
    "server_type": "vm",
    "apiserver_port": 8080,
}
BAY = "bay-create --name web --baymodel m --node-count 3 --master-count 2 --discovery-url http://d --timeout 9"
BAY_BODY = {
    "name": "web",
    "baymodel_id": "m",
    "node_count": 3,
    "master_count": 2,
    "discovery_url": "http://d",
    "bay_create_timeout": 9,
}
CONTAINER = "container-create --name c --image nginx --bay swarm --command ls --memory 512m"
CONTAINER_BODY = {"name": "c", "image": "nginx", "bay_uuid": "swarm", "command": "ls", "memory": "512m"}

ALL: list[tuple[str, list[Sent]]] = [
    ("baymodel-list", [_get("/v1/baymodels")]),
    (f"baymodel-list {PAGED}", [_get("/v1/baymodels", PAGE)]),
    ("baymodel-list --detail", [_get("/v1/baymodels/detail")]),
    ("baymodel-show m", [_get("/v1/baymodels/m")]),
    (BAYMODEL, [("POST", "/v1/baymodels", {}, BAYMODEL_BODY)]),
    (
        "baymodel-update m add labels/x=1 flavor_id=s",
        [
            (
                "PATCH",
                "/v1/baymodels/m",
                {},
                [
                    {"op": "add", "path": "/labels/x", "value": 1},
                    {"op": "add", "path": "/flavor_id", "value": "s"},
                ],
            )
        ],
    ),
    (
        "baymodel-update m remove labels/x",
        [("PATCH", "/v1/baymodels/m", {}, [{"op": "remove", "path": "/labels/x"}])],
    ),
    ("baymodel-delete m n", [("DELETE", "/v1/baymodels/m", {}, None), ("DELETE", "/v1/baymodels/n", {}, None)]),
    ("bay-list", [_get("/v1/bays")]),
    (f"bay-list {PAGED}", [_get("/v1/bays", PAGE)]),
    ("bay-show web", [_get("/v1/bays/web")]),
    (BAY, [("POST", "/v1/bays", {}, BAY_BODY)]),
    ("bay-create --baymodel m", [("POST", "/v1/bays", {}, {"baymodel_id": "m"})]),
    (
        "bay-update web replace node_count=2",
        [("PATCH", "/v1/bays/web", {}, [{"op": "replace", "path": "/node_count", "value": 2}])],
    ),
    (
        "bay-update web replace node_count=2 --rollback",
        [("PATCH", "/v1/bays/web", {"rollback": "True"}, [{"op": "replace", "path": "/node_count", "value": 2}])],
    ),
    ("bay-delete web b", [("DELETE", "/v1/bays/web", {}, None), ("DELETE", "/v1/bays/b", {}, None)]),
    ("bay-event-list web", [_get("/v1/bays/web/events")]),
    ("bay-retry web", [("POST", "/v1/bays/web/actions/retry", {}, None), _get("/v1/bays/u")]),
    ("bay-rollback web", [("POST", "/v1/bays/web/actions/rollback", {}, None), _get("/v1/bays/u")]),
    ("node-list", [_get("/v1/nodes")]),
    ("node-list --bay web", [_get("/v1/nodes", IN_WEB)]),
    ("node-show n", [_get("/v1/nodes/n")]),
    ("node-create --type virt --image-id i", [("POST", "/v1/nodes", {}, {"type": "virt", "image_id": "i"})]),
    (
        "node-update n replace type=bare",
        [("PATCH", "/v1/nodes/n", {}, [{"op": "replace", "path": "/type", "value": "bare"}])],
    ),
    ("node-delete n", [("DELETE", "/v1/nodes/n", {}, None)]),
    *(case for name, collection in WORKLOADS.items() for case in _workload(name, collection)),
    ("container-list", [_get("/v1/containers")]),
    (f"container-list --bay web {PAGED}", [_get("/v1/containers", PAGE | IN_WEB)]),
    ("container-show c", [_get("/v1/containers/c")]),
    ("container-show c --json", [_get("/v1/containers/c")]),
    (CONTAINER, [("POST", "/v1/containers", {}, CONTAINER_BODY)]),
    (
        "container-create --image nginx --bay swarm",
        [("POST", "/v1/containers", {}, {"image": "nginx", "bay_uuid": "swarm"})],
    ),
    ("container-create --json JSON", [("POST", "/v1/containers", {}, {"image_id": "nginx", "bay_uuid": "b"})]),
    ("container-delete c d", [("DELETE", f"/v1/containers/{c}", {}, None) for c in ("c", "d")]),
    *map(_action, ("start", "stop", "reboot", "pause", "unpause")),
    ("container-logs c", [_get("/v1/containers/c/logs")]),
    ("container-exec c --command ls", [("PUT", "/v1/containers/c/execute", {"command": "ls"}, None)]),
    ("container-execute c --command ls", [("PUT", "/v1/containers/c/execute", {"command": "ls"}, None)]),
    ("ca-show --bay web", [_get("/v1/certificates/web")]),
    ("ca-sign --bay web --csr CSR", [("POST", "/v1/certificates", {}, {"bay_uuid": "web", "csr": CSR})]),
    ("mservice-list", [_get("/v1/mservices")]),
]

NOT_SENDING = {"bash-completion", "complete", "help"}
ELSEWHERE = {"bay-config"}
"""What sends more than fits a line has tests of its own."""


class _Yes:
    """Says yes to everything, with an answer in which each verb finds what it needs."""

    def get(self, route: str) -> Callable[[Seen], Answer]:
        collection = route.rpartition("/")[2]
        answer = {"uuid": "u", "name": "x", "status": "CREATE_COMPLETE", "pem": "PEM", "output": "said\n", "links": []}
        status = {"DELETE": 204, "POST": 201}.get(route.partition(" ")[0], 200)
        return lambda _: (status, None if status == 204 else answer | {collection: []})


@pytest.mark.parametrize(("words", "expected"), ALL, ids=[words for words, _ in ALL])
def test_what_goes_on_the_wire(magnum: Run, cloud: StubCloud, tmp_path: Path, words: str, expected: list[Sent]) -> None:
    files = {"MANIFEST": MANIFEST, "CSR": CSR, "JSON": json.dumps({"image_id": "nginx", "bay_uuid": "b"})}
    line = []
    for word in words.split():
        name, equals, value = word.rpartition("=")
        if value in files:
            (tmp_path / value).write_text(files[value])
            word = f"{name}{equals}{tmp_path / value}"
        line.append(word)
    cloud.handlers = _Yes()  # type: ignore[assignment]
    ran = magnum(*line)
    assert ran.code == 0, ran.err
    assert [(seen.method, seen.path, seen.params, seen.body) for seen in cloud.seen] == expected


def test_no_verb_is_missing_in_the_table() -> None:
    tested = {words.split()[0] for words, _ in ALL} | NOT_SENDING | ELSEWHERE
    assert tested == set(Verbs().commands)


@pytest.mark.parametrize(
    ("words", "version"),
    [
        (("bay-show", "web"), None),
        (("--magnum-api-version", "1", "bay-show", "web"), None),
        (("--magnum-api-version", "api", "bay-show", "web"), None),
        (("--magnum-api-version", "1.2", "bay-show", "web"), "container-infra 1.2"),
        (("--magnum_api_version", "latest", "bay-show", "web"), "container-infra latest"),
        (("bay-update", "web", "replace", "node_count=2"), None),
        (("bay-update", "web", "replace", "node_count=2", "--rollback"), "container-infra 1.3"),
        (
            ("--magnum-api-version", "latest", "bay-update", "web", "remove", "x", "--rollback"),
            "container-infra latest",
        ),
    ],
)
def test_the_version_asked_for(magnum: Run, cloud: StubCloud, words: tuple[str, ...], version: str | None) -> None:
    cloud.handlers = _Yes()  # type: ignore[assignment]
    assert magnum(*words).code == 0
    headers = {name.lower(): value for name, value in cloud.seen[0].headers.items()}
    assert headers.get("openstack-api-version") == version


def test_the_version_may_stand_in_a_variable(magnum: Run, cloud: StubCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAGNUM_API_VERSION", "1.2")
    cloud.on("GET /v1/bays", 200, {"bays": []})
    magnum("bay-list")
    assert cloud.seen[0].headers["Openstack-Api-Version"] == "container-infra 1.2"
    monkeypatch.setenv("MAGNUM_API_VERSION", "newest")
    ran = magnum("bay-list")
    assert ran.code == 2
    assert "give a version such as 1.3, or latest" in ran.err


def test_an_answer_that_is_a_uuid_is_looked_up(magnum: Run, cloud: StubCloud) -> None:
    bay = {"uuid": "u1", "name": "web", "status": "CREATE_IN_PROGRESS"}
    cloud.on("POST /v1/bays", 202, {"uuid": "u1"})
    cloud.on("PATCH /v1/bays/web", 202, {"uuid": "u1"})
    cloud.on("GET /v1/bays/u1", 200, bay)
    newest = ("--magnum-api-version", "latest")
    assert magnum(*newest, "bay-create", "--baymodel", "m", "-f", "json").json == bay
    assert magnum(*newest, "bay-update", "web", "replace", "node_count=2", "-f", "json").json == bay


@pytest.mark.parametrize("title", list(WORKLOADS))
def test_the_last_word_of_a_delete_is_a_bay_where_it_is_no_object(magnum: Run, cloud: StubCloud, title: str) -> None:
    items = f"/v1/{WORKLOADS[title]}"
    for name in ("x", "y"):
        cloud.on(f"DELETE {items}/{name}", 204)
    cloud.on("GET /v1/bays/web", 200, {"uuid": "u"})
    assert magnum(f"{title}-delete", "x", "y", "web").code == 0  # the form of 1.1.0
    assert magnum(f"{title}-delete", "x", "y").code == 0  # the form of 0.2.1
    deleted = [(seen.path, seen.params) for seen in cloud.seen if seen.method == "DELETE"]
    assert deleted == [(f"{items}/x", IN_WEB), (f"{items}/y", IN_WEB), (f"{items}/x", {}), (f"{items}/y", {})]


@pytest.mark.parametrize("status", [200, 409])
def test_a_word_that_could_be_both_deletes_nothing(magnum: Run, cloud: StubCloud, status: int) -> None:
    cloud.on("GET /v1/bays/web", 200, {"uuid": "u"})
    cloud.on("GET /v1/pods/web", status, {"uuid": "p"} if status == 200 else refusal("Multiple pods exist."))
    ran = magnum("pod-delete", "x", "web")
    assert ran.code == 2
    assert "'web' is a pod and a bay as well; say which bay is meant with --bay. Nothing was deleted." in ran.err
    assert "DELETE" not in {seen.method for seen in cloud.seen}


@pytest.mark.parametrize(
    "words",
    [
        ("pod-list", "web", "--bay", "other"),
        ("pod-show", "x", "web", "--bay", "other"),
        ("pod-update", "x", "web", "replace", "a=b", "--bay", "other"),
        ("pod-update", "x", "web", "become", "a=b"),
        ("pod-update", "x", "web", "replace"),
        ("bay-update", "web", "other", "replace", "node_count=2"),
        ("node-show", "n", "web"),
        ("container-create",),
        ("container-create", "--image", "i"),
        ("container-create", "--image", "i", "--bay", "b", "--json", "f"),
        ("container-create", "--json", "/nowhere"),
        ("container-exec", "c"),
        ("container-start",),
        ("ca-sign", "--bay", "web"),
        ("bay-create",),
        ("bay-list", "--limit", "0"),
        ("--magnum-api-version", "two", "bay-list"),
        ("--magnum-api-version", "1.2", "bay-update", "web", "replace", "node_count=2", "--rollback"),
        ("--os-auth-system", "rackspace", "bay-list"),
        ("help", "nonsense"),
        ("nonsense",),
    ],
    ids=" ".join,
)
def test_a_wrong_usage_sends_nothing(
    magnum: Run, cloud: StubCloud, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    ran = magnum(*words)
    assert ran.code == 2
    assert ran.err or ran.out
    assert "Traceback" not in ran.err
    assert not cloud.seen


def test_a_container_without_options_is_read_from_the_input(
    magnum: Run, cloud: StubCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = io.TextIOWrapper(io.BytesIO(b'{"image_id": "nginx", "bay_uuid": "b"}'))
    monkeypatch.setattr(sys, "stdin", text)
    cloud.on("POST /v1/containers", 201, {"uuid": "u"})
    assert magnum("container-create").code == 0
    assert cloud.seen[0].body == {"image_id": "nginx", "bay_uuid": "b"}


@pytest.mark.parametrize("text", ["[]", "{", '"a"'])
def test_what_is_no_json_object_is_named(magnum: Run, cloud: StubCloud, tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.json"
    path.write_text(text)
    ran = magnum("container-create", "--json", str(path))
    assert ran.code == 2
    assert f"{path} is not" in ran.err
    assert not cloud.seen


def test_an_action_goes_on_after_a_failure(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("PUT /v1/containers/a/stop", 404, refusal("Container a could not be found."))
    cloud.handlers["PUT /v1/containers/b/stop"] = lambda _: (200, "null")
    cloud.on("PUT /v1/containers/c/stop", 200)
    ran = magnum("container-stop", "a", "b", "c")
    assert ran.code == 1
    assert (
        ran.err
        == "Stop for container a failed: Container a could not be found. (HTTP 404) See: magnum container-list\n"
    )
    assert ran.out == "Stopped container b.\nStopped container c.\n"


def test_output_is_printed_as_it_is(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("GET /v1/containers/c/logs", 200, {"output": "one\ntwo \x1b[1m"})
    assert magnum("container-logs", "c").out == "one\ntwo \x1b[1m\n"
    cloud.on("GET /v1/containers/c/logs", 200, {})
    assert magnum("container-logs", "c").code == 3


def test_a_container_in_json(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("GET /v1/containers/c", 200, {"uuid": "u", "links": [], "status": None})
    assert magnum("container-show", "c", "--json").json == {"uuid": "u", "status": None}
