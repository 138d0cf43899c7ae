"""Manifests: what is read, what is refused, and with which words."""

from typing import Any

import pytest

from magnum.coe.manifests import Kind, ManifestError, parse_manifest, summary

POD = """
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  containers:
  - {name: web, image: "nginx:1.25"}
  - {name: log, image: fluentd}
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""
RC = """
apiVersion: v1
kind: ReplicationController
metadata: {name: web}
spec:
  replicas: 2
  selector: {app: web}
  template:
    metadata: {labels: {app: web, tier: front}}
    spec: {containers: [{name: web, image: nginx}]}
"""


def parse(text: str, kind: Kind = "Pod") -> dict[str, Any]:
    return parse_manifest(text, kind, max_size=10_000)


def problems(text: str, kind: Kind = "Pod") -> list[str]:
    with pytest.raises(ManifestError) as refused:
        parse(text, kind)
    return refused.value.problems


def test_a_pod_is_read_and_summed_up() -> None:
    assert summary(parse(POD), "Pod") == {
        "name": "web",
        "labels": {"app": "web"},
        "images": ["nginx:1.25", "fluentd"],
        "replicas": None,
        "selector": {},
        "ports": [],
    }


def test_a_service_is_read_and_summed_up() -> None:
    found = summary(parse(SERVICE, "Service"), "Service")
    assert (found["name"], found["selector"], found["ports"]) == ("web", {"app": "web"}, [{"port": 80}])


@pytest.mark.parametrize(("line", "replicas"), [("replicas: 2", 2), ("replicas: 0", 0), ("replicas: null", 1)])
def test_an_rc_is_read_and_summed_up(line: str, replicas: int) -> None:
    found = summary(parse(RC.replace("replicas: 2", line), "ReplicationController"), "ReplicationController")
    assert (found["replicas"], found["images"], found["selector"]) == (replicas, ["nginx"], {"app": "web"})


def test_what_starts_with_a_brace_is_json() -> None:
    text = '{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"},"spec":{"ports":[{"port":1}]}}'
    assert parse("\n " + text, "Service")["metadata"]["name"] == "a"
    assert "is read as JSON" in problems("{kind: Pod}")[0]


def test_values_are_those_kubernetes_itself_would_read() -> None:
    text = POD + "    args: [2020-01-01, 12:30, 08, 0o17, 0x1f, 1e3, 1.5, yes]\n  nodeSelector: {1: x}\n"
    text = text.replace("{name: log, image: fluentd}", "name: log\n    image: fluentd")
    spec = parse(text)["spec"]
    assert spec["containers"][1]["args"] == ["2020-01-01", "12:30", "08", 15, 31, 1000.0, 1.5, True]
    assert spec["nodeSelector"] == {"1": "x"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "can't be empty"),
        ("  \n", "can't be empty"),
        ("just words", "must be a mapping"),
        ("- a\n- b", "must be a mapping"),
        ("a:\n\t- b", "not valid YAML: found character that cannot start any token at line 2, column 1"),
        ("a: \x00", "not valid YAML"),
        ("a: &x 1\nb: *x", "YAML alias (*x): write the value out"),
        ("a: &x [1]\nb: &y [*x, *x]\nc: [*y, *y]", "YAML alias"),
        ("<<: *x", "YAML alias"),
        ("[" * 5000, "nested deeper"),
        ('{"a":' * 100 + "1" + "}" * 100, "nested deeper"),
        ('{"a":' * 1900, "nested deeper"),
        ("a: 1\n---\nb: 2", "more than one document"),
        ("a: !!python/object:os.system {}", "could not determine a constructor"),
        ("a: !!binary aGVsbG8=", "JSON does not know"),
        ("a: !!set {b, c}", "JSON does not know"),
        ("? [a]\n: 1", "unhashable key"),
        ('{"a": NaN}', "JSON does not know"),
        ('{"a": ' + "9" * 5000 + "}", "too large"),
        ('{"a": "\\ud800"}', "not valid Unicode"),
        ("a: '\ud800'", "not valid Unicode"),
        ("a: " + "x" * 10_000, "more than the 10000 allowed"),
        ("ä" * 5001, "more than the 10000 allowed"),
    ],
)
def test_text_that_cannot_be_used(text: str, said: str) -> None:
    assert len(problems(text)) == 1
    assert said in problems(text)[0]


def test_all_problems_are_told_at_once() -> None:
    text = "kind: Service\nmetadata: {name: A_b, labels: {x: 1}, namespace: kube-system}\nspec: {containers: [{}]}"
    told = "\n".join(problems(text))
    for field in (
        "apiVersion is missing",
        "kind is Service where a Pod is asked for: use `magnum coe-service-create`",
        'metadata.name is "A_b"',
        'metadata.namespace is "kube-system"',
        "metadata.labels['x'] is 1, not a string",
        "spec.containers[0].name is missing",
        "spec.containers[0].image is missing",
    ):
        assert field in told


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        ("Pod", POD.replace("kind: Pod", ""), "kind is missing: set it to Pod"),
        ("Pod", POD.replace("kind: Pod", "kind: Deployment"), 'kind is "Deployment": set it to Pod'),
        ("Pod", POD.replace("kind: Pod", "kind: [1]"), "kind is [1]"),
        ("Pod", POD.replace("apiVersion: v1", "apiVersion: apps/v1"), 'apiVersion is "apps/v1": a Pod has v1'),
        ("Pod", POD.replace("name: web, labels", "labels"), "metadata.name is missing"),
        ("Pod", POD.replace("name: web, labels", "name: 7, labels"), "metadata.name is 7, not a string"),
        ("Pod", POD.replace("name: web, labels", f"name: {'a' * 254}, labels"), "at most 253"),
        ("Pod", POD.replace('image: "nginx:1.25"', 'image: ""'), "spec.containers[0].image can't be empty"),
        ("Pod", POD.partition("spec:")[0] + "spec: {containers: {}}", "spec.containers can't be empty"),
        ("Pod", POD.partition("spec:")[0] + "spec: {containers: [5]}", "spec.containers[0] is 5, not a mapping"),
        ("Service", SERVICE.replace("name: web}", "name: 1st}"), "starting with a letter"),
        ("Service", SERVICE.replace("[{port: 80}]", "[]"), "spec.ports can't be empty"),
        ("Service", SERVICE.replace("port: 80", "port: '80'"), 'spec.ports[0].port is "80"'),
        ("Service", SERVICE.replace("port: 80", "port: 65536"), "spec.ports[0].port is 65536"),
        ("Service", SERVICE.replace("port: 80", "name: x"), "spec.ports[0].port is missing"),
        ("Service", SERVICE.replace("{app: web}", "web"), "spec.selector is"),
        ("ReplicationController", RC.replace("replicas: 2", "replicas: -1"), "spec.replicas is -1"),
        ("ReplicationController", RC.replace("replicas: 2", "replicas: true"), "spec.replicas is true"),
        ("ReplicationController", RC.replace("selector: {app: web}", ""), "spec.selector is missing"),
        ("ReplicationController", RC.partition("  template:")[0], "spec.template is missing"),
        ("ReplicationController", RC.replace("{app: web, tier", "{app: api, tier"), "asks for app=web"),
        ("ReplicationController", RC.replace("labels: {app: web, tier: front}", ""), "spec.template.metadata can't be"),
        ("ReplicationController", RC.replace("image: nginx", "tag: nginx"), "spec.template.spec.containers[0].image"),
    ],
)
def test_each_field_that_is_wrong_is_named(kind: Kind, text: str, said: str) -> None:
    told = problems(text, kind)
    assert len(told) == 1
    assert said in told[0]


def test_the_namespace_default_may_be_named() -> None:
    assert parse(POD.replace("name: web, labels", "name: web, namespace: default, labels"))
