"""Labels: what a schema accepts, refuses and suggests."""

from pathlib import Path

import pytest

from magnum.drivers.kubernetes.labels_page import page
from magnum.drivers.labels import Label, LabelSchema

PAGE = Path(__file__).resolve().parents[3] / "docs" / "labels.md"

SCHEMA = LabelSchema(
    [
        Label("kube_tag", "string", "v1.34.2", "release", pattern=r"v1\.[0-9]+\.[0-9]+", expects="a release"),
        Label("pods_network_cidr", "cidr", "10.100.0.0/16", "pods"),
        Label("coredns_enabled", "boolean", "true", "dns"),
        Label("node_length", "integer", "24", "length", minimum=17, maximum=28),
        Label("backend", "choice", "vxlan", "backend", choices=("vxlan", "host-gw")),
        Label("services", "cidr", "10.254.0.0/16", "services", minimum=12, maximum=24),
        Label("flannel_tag", "string", "v0.27.4", "tag"),
        Label("registry", "registry", "registry.k8s.io", "registry"),
        Label("download_url", "url", "https://dl.k8s.io/release", "place"),
    ]
)


def test_the_page_about_labels_is_what_the_schema_says() -> None:
    assert PAGE.read_text() == page(), "write it anew: python -m magnum.drivers.kubernetes.labels_page > docs/labels.md"


def test_values_are_typed_and_unset_labels_have_their_default() -> None:
    values = SCHEMA.values({"coredns_enabled": "False", "node_length": "26", "download_url": "http://mirror/k8s/"})

    assert values == {
        "kube_tag": "v1.34.2",
        "pods_network_cidr": "10.100.0.0/16",
        "coredns_enabled": False,
        "node_length": 26,
        "backend": "vxlan",
        "services": "10.254.0.0/16",
        "flannel_tag": "v0.27.4",
        "registry": "registry.k8s.io",
        "download_url": "http://mirror/k8s",
    }


def test_an_unknown_label_is_refused_with_the_nearest_one() -> None:
    assert SCHEMA.validate({"kube_tags": "v1.30.0"}) == ["There is no label 'kube_tags'; did you mean kube_tag?"]


def test_a_label_like_no_other_is_refused_with_all_that_there_are() -> None:
    [problem] = SCHEMA.validate({"zzz": "1"})

    assert "backend, coredns_enabled" in problem


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kube_tag", "v1.34.2; rm -rf /"),
        ("kube_tag", "v1.34.2\n"),
        ("pods_network_cidr", "10.100.0.0"),
        ("pods_network_cidr", "10.100.0.1/16"),
        ("pods_network_cidr", "fd00::/64"),
        ("pods_network_cidr", "10.100.0.0/255.255.0.0"),
        ("pods_network_cidr", "0.0.0.0/0"),
        ("pods_network_cidr", "0.0.0.0/8"),
        ("pods_network_cidr", "127.0.0.0/16"),
        ("pods_network_cidr", "169.254.7.0/24"),
        ("pods_network_cidr", "224.0.0.0/16"),
        ("pods_network_cidr", "240.0.0.0/16"),
        ("services", "10.0.0.0/11"),
        ("services", "10.254.0.0/25"),
        ("services", "10.254.0.0/32"),
        ("flannel_tag", ""),
        ("flannel_tag", ".1"),
        ("registry", ""),
        ("registry", "a:99999"),
        ("registry", "a:0/kubernetes"),
        ("registry", "a:/kubernetes"),
        ("registry", "https://registry.k8s.io"),
        ("registry", "registry.k8s.io/"),
        ("registry", "registry..io"),
        ("registry", "registry.io/Kubernetes"),
        ("coredns_enabled", "maybe"),
        ("node_length", "16"),
        ("node_length", "29"),
        ("node_length", "24.0"),
        ("node_length", "٢٤"),
        ("backend", "udp"),
        ("download_url", "file:///etc/passwd"),
        ("download_url", "http://[[["),
        ("download_url", "http://[::x]/"),
        ("download_url", "http://:80/"),
        ("download_url", "http://mirror:99999/"),
        ("download_url", "http://mirror:0/"),
        ("download_url", "http://./"),
        ("download_url", "http://300.1.1.1/"),
        ("download_url", 'https://mirror/"$(id)"'),
        ("download_url", "https://mirror/\n"),
        ("download_url", "https://mirror/" + "x" * 300),
    ],
)
def test_a_wrong_value_is_refused_by_label(name: str, value: str) -> None:
    [problem] = SCHEMA.validate({name: value})

    assert problem.startswith(f"Label {name} cannot be ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("services", "10.96.0.0/12"),
        ("services", "172.20.0.0/24"),
        ("flannel_tag", "v0.27.4-amd64"),
        ("registry", "localhost:5000"),
        ("registry", "registry.example.org:65535/a/b__c"),
        ("registry", "ghcr.io/flannel-io"),
        ("download_url", "http://[fd00::1]:8080/release"),
        ("download_url", "http://192.0.2.1/release"),
        ("download_url", "http://mirror.example.org.:80"),
    ],
)
def test_a_right_value_is_taken_as_it_is(name: str, value: str) -> None:
    assert SCHEMA.validate({name: value}) == []
    assert SCHEMA.values({name: value})[name] == value


def test_every_problem_is_named_at_once() -> None:
    assert len(SCHEMA.validate({"kube_tag": "1.2", "nod_length": "24", "backend": "udp"})) == 3


def test_an_operator_changes_defaults_but_not_to_nonsense() -> None:
    assert SCHEMA.with_defaults({"backend": "host-gw"}).values({})["backend"] == "host-gw"
    with pytest.raises(ValueError, match="Label backend cannot be"):
        SCHEMA.with_defaults({"backend": "udp"})
