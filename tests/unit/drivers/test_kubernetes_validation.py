"""What can be said of a Kubernetes baymodel before any bay is made of it."""

from typing import Any

import pytest
from oslo_config import cfg

from magnum.drivers.kubernetes.driver import KubernetesDriver

MODEL: dict[str, Any] = {"image_id": "debian", "flavor_id": "m1.small", "labels": {}}


@pytest.fixture
def driver(conf: cfg.ConfigOpts) -> KubernetesDriver:
    return KubernetesDriver()


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({"apiserver_port": 10250}, "apiserver_port"),
        ({"http_proxy": "http://x\nnewline: y"}, "http_proxy"),
        ({"http_proxy": "http://[[["}, "http_proxy"),
        ({"https_proxy": "https://:3128"}, "https_proxy"),
        ({"https_proxy": "http://proxy:70000"}, "https_proxy"),
        ({"no_proxy": "a\tb"}, "no_proxy"),
        ({"dns_nameserver": "0.0.0.7"}, "dns_nameserver cannot be '0.0.0.7'"),
        ({"dns_nameserver": "127.0.0.53"}, "dns_nameserver"),
        ({"dns_nameserver": "8.8.8.8,224.0.0.251"}, "224.0.0.251"),
        ({"dns_nameserver": "255.255.255.255"}, "dns_nameserver"),
        ({"dns_nameserver": "fd00::1"}, "dns_nameserver"),
        ({"fixed_network": 'x"\n- y'}, "fixed_network"),
        ({"fixed_network": "it's"}, "fixed_network"),
        ({"fixed_network": "back\x00bone"}, "fixed_network"),
        ({"fixed_network": " backbone"}, "fixed_network"),
        ({"fixed_network": "10.0.0.1/24"}, "fixed_network"),
        ({"fixed_network": "10.0.0.0/33"}, "fixed_network"),
        ({"fixed_network": "10.0.0.0"}, "fixed_network"),
        ({"fixed_network": "10.0.0.0/30"}, "fixed_network cannot be '10.0.0.0/30'"),
        ({"fixed_network": "127.0.0.0/8"}, "fixed_network"),
        ({"ssh_authorized_key": "ssh-rsa AAAA"}, "ssh_authorized_key"),
        ({"labels": {"pods_network_cidr": "10.0.0.0/32"}}, "pods_network_cidr"),
        ({"labels": {"pods_network_cidr": "0.0.0.0/0"}}, "pods_network_cidr"),
        ({"labels": {"service_cluster_ip_range": "10.254.0.0/32"}}, "service_cluster_ip_range"),
        ({"labels": {"fixed_subnet_cidr": "192.168.0.0/29"}}, "fixed_subnet_cidr"),
        ({"labels": {"fixed_subnet_cidr": "169.254.0.0/16"}}, "fixed_subnet_cidr"),
        (
            {
                "fixed_network": "backbone",
                "labels": {
                    "pods_network_cidr": "11.0.0.0/8",
                    "pods_network_node_prefix_length": "28",
                    "service_cluster_ip_range": "10.254.0.0/24",
                },
            },
            "more than 65536",
        ),
        (
            {"labels": {"pods_network_cidr": "10.100.0.0/22", "pods_network_node_prefix_length": "22"}},
            "no room",
        ),
    ],
)
def test_what_can_never_work_is_refused(driver: KubernetesDriver, model: dict[str, Any], words: str) -> None:
    [problem] = driver.validate(MODEL | model, for_bay=False)

    assert words in problem


@pytest.mark.parametrize(
    "model",
    [
        {"fixed_network": "Jörgs net/1"},
        {"fixed_network": "192.168.4.0/24", "labels": {"fixed_subnet_cidr": "10.254.0.0/24"}},
        {"dns_nameserver": "8.8.8.8, 192.168.1.1"},
        {"http_proxy": "http://user:p%40ss@proxy.example.org:3128", "no_proxy": "localhost,.example.org,10.0.0.0/8"},
        {"labels": {"service_cluster_ip_range": "172.16.0.0/12"}},
        {"labels": {"pods_network_cidr": "11.0.0.0/8"}},
        {"network_driver": "bridge"},
    ],
)
def test_what_can_work_is_taken(driver: KubernetesDriver, model: dict[str, Any]) -> None:
    assert driver.validate(MODEL | model) == []


def test_what_bays_need_may_come_later(driver: KubernetesDriver) -> None:
    unfinished = {"image_id": "debian", "tls_disabled": True}

    assert driver.validate(unfinished, for_bay=False) == []
    assert len(driver.validate(unfinished)) == 2


def test_what_is_wrong_by_itself_hides_no_other_problem(driver: KubernetesDriver) -> None:
    labels = {
        "kube_tag": "latest",
        "pods_network_cidr": "10.0.0.0/32",
        "service_cluster_ip_range": "10.0.0.0/24",
    }

    found = driver.validate(MODEL | {"labels": labels, "apiserver_port": 10250, "fixed_network": "10.0.0.0/16"})

    assert len(found) == 4
    assert "service_cluster_ip_range 10.0.0.0/24 and fixed_subnet_cidr 10.0.0.0/16 overlap" in " ".join(found)
