"""How the Heat plugin speaks to Docker Engine, and how Heat finds its modules."""

import ast
import io
import tarfile
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any
from unittest import mock

import docker
import docker.errors
import pytest
import requests.exceptions

from magnum.localcloud import heat_plugin
from magnum.localcloud.heat_plugin import engine, errors


def api_error(message: str) -> docker.errors.APIError:
    return docker.errors.APIError(message, explanation=message)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The SDK's client, recorded."""
    client = mock.Mock()
    monkeypatch.setattr(docker, "APIClient", mock.Mock(return_value=client))
    return client


@pytest.fixture
def docker_engine(api: Any) -> engine.Engine:
    return engine.Engine("unix:///nowhere")


def test_one_client_with_a_timeout(api: Any, docker_engine: engine.Engine) -> None:
    docker_engine.start("a")
    docker_engine.start("b")

    docker.APIClient.assert_called_once()
    assert docker.APIClient.call_args.kwargs["timeout"] > 0


def test_ranges_of_all_networks(api: Any, docker_engine: engine.Engine) -> None:
    api.networks.return_value = [
        {"IPAM": {"Config": [{"Subnet": "172.17.0.0/16"}, {"Subnet": "fd00::/64"}]}},
        {"IPAM": {"Config": None}},
        {"IPAM": None},
    ]

    assert docker_engine.ranges() == [IPv4Network("172.17.0.0/16")]


def test_a_range_that_overlaps_is_no_error(api: Any, docker_engine: engine.Engine) -> None:
    network = ("n", IPv4Network("10.0.0.0/24"), IPv4Address("10.0.0.1"), {"a": "b"})
    assert docker_engine.create_network(*network)
    api.create_network.side_effect = api_error("Pool overlaps with other one on this address space")
    assert not docker_engine.create_network(*network)
    api.create_network.side_effect = api_error("disk full")
    with pytest.raises(errors.LocalCloudError, match="could not make the network n: disk full"):
        docker_engine.create_network(*network)


def test_a_container_is_made_on_its_bridge(api: Any, docker_engine: engine.Engine) -> None:
    endpoint = engine.Endpoint("net", "10.0.0.5", "fa:16:3e:00:00:01")
    docker_engine.create_container(engine.ContainerSpec("c", "i", "host", {"l": "v"}, endpoint, {"CapAdd": ["ALL"]}))

    made = api.create_container.call_args.kwargs
    assert made["host_config"] == {"CapAdd": ["ALL"], "NetworkMode": "net"}
    wanted = made["networking_config"]["EndpointsConfig"]["net"]
    assert wanted["IPAMConfig"] == {"IPv4Address": "10.0.0.5"}
    assert made["mac_address"] == wanted["MacAddress"] == "fa:16:3e:00:00:01"


def test_what_is_gone_is_removed(api: Any, docker_engine: engine.Engine) -> None:
    gone = docker.errors.NotFound("no such thing")
    api.remove_container.side_effect = api.remove_network.side_effect = gone
    api.disconnect_container_from_network.side_effect = api_error("container c is not connected to network n")
    api.inspect_container.side_effect = api.inspect_image.side_effect = gone

    docker_engine.remove_container("c")
    docker_engine.remove_network("n")
    docker_engine.disconnect("c", "n")

    assert docker_engine.inspect("c") is None
    assert not docker_engine.has_image("i")


def test_a_removal_by_another_is_waited_for(
    api: Any, docker_engine: engine.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_POLL", 0)
    api.remove_container.side_effect = api_error("removal of container c is already in progress")
    api.inspect_container.side_effect = [{}, {}, docker.errors.NotFound("gone")]

    docker_engine.remove_container("c")

    assert api.inspect_container.call_count == 3


def test_other_failures_of_removing_are_said(api: Any, docker_engine: engine.Engine) -> None:
    api.remove_container.side_effect = api_error("device busy")

    with pytest.raises(errors.LocalCloudError, match="could not remove c: device busy"):
        docker_engine.remove_container("c")


def test_an_engine_that_does_not_answer(api: Any, docker_engine: engine.Engine) -> None:
    api.start.side_effect = requests.exceptions.ReadTimeout()

    with pytest.raises(errors.LocalCloudError, match="did not answer the request to start c"):
        docker_engine.start("c")


def test_files_arrive_with_their_folders(api: Any, docker_engine: engine.Engine) -> None:
    docker_engine.put_files("c", [engine.File("/var/lib/seed/user-data", b"hello")])

    with tarfile.open(fileobj=io.BytesIO(api.put_archive.call_args.args[2])) as archive:
        entries = archive.getmembers()
    assert [(entry.name, entry.isdir()) for entry in entries] == [
        ("var", True),
        ("var/lib", True),
        ("var/lib/seed", True),
        ("var/lib/seed/user-data", False),
    ]
    assert (entries[-1].mode, entries[-1].size) == (0o600, 5)


def test_a_command_that_fails(api: Any, docker_engine: engine.Engine) -> None:
    api.exec_create.return_value = {"Id": "job"}
    api.exec_start.return_value = b"bad config\n"
    api.exec_inspect.return_value = {"ExitCode": 1}

    with pytest.raises(errors.LocalCloudError, match="haproxy failed in c: bad config"):
        docker_engine.run("c", ["haproxy", "-c"])


def test_the_last_line_of_a_console(api: Any, docker_engine: engine.Engine) -> None:
    api.logs.return_value = b"first\nlast \n\n"
    assert docker_engine.last_line("c") == "last"
    api.logs.return_value = b""
    assert docker_engine.last_line("c") == ""


def test_a_build_that_fails_says_what_failed(api: Any, docker_engine: engine.Engine) -> None:
    api.build.return_value = [{"stream": "Step 2\n"}, {"error": "apt-get returned 100"}]

    with pytest.raises(errors.LocalCloudError, match="Image i could not be built: apt-get returned 100"):
        docker_engine.build_image("i", "FROM x", {})


def test_modules_import_one_another_so_that_heat_has_one_copy_of_each() -> None:
    folder = Path(heat_plugin.__file__).parent
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                assert node.module is None, f"{path.name}: from .{node.module} import"
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            module = node.module if isinstance(node, ast.ImportFrom) else None
            assert not any(name.startswith("magnum") for name in [*names, module or ""]), path.name


def test_only_the_thin_modules_need_heat() -> None:
    folder = Path(heat_plugin.__file__).parent
    for path in folder.glob("*.py"):
        if not path.name.startswith("heat_"):
            assert "from heat" not in path.read_text(), path.name
