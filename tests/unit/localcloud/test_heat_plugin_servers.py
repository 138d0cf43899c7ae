"""Servers of the local cloud."""

import json
import os
from pathlib import Path

import pytest

from magnum.localcloud.heat_plugin import cloud_init, errors, inventory, networks, servers, settings

from .heat_plugin_fakes import OTHER, OWNER, FakeContainer, World, make_world

_SEED = "/var/lib/cloud/seed/nocloud"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A cloud with one network and a port."""
    world = make_world(tmp_path, monkeypatch)
    world.add_network("net")
    world.add_subnet("sub", "net")
    world.add_port("port", "net")
    return world


def request(
    server_id: str = "srv",
    image: str | None = "debian",
    user_data: bytes = b"#!/bin/sh\n",
    interfaces: tuple[servers.Interface, ...] = (servers.Interface(port="port"),),
    owner: inventory.Owner = OWNER,
) -> servers.ServerRequest:
    return servers.ServerRequest(
        id=server_id,
        name="bay-master-0",
        owner=owner,
        image=image,
        user_data=user_data,
        interfaces=interfaces,
        key_name="key",
        data={"metadata": {"a": "b"}},
    )


def container(world: World, server_id: str = "srv") -> FakeContainer:
    return world.docker.containers[f"magnum-local-test-{server_id}"]


def test_a_server_boots_at_its_port_with_its_user_data(world: World) -> None:
    world.servers.create(request())

    made = container(world)
    assert made.status == "running"
    assert made.spec.image == "node-image"
    assert made.spec.hostname == "bay-master-0"
    assert made.spec.labels == {"magnum-local": "test", "magnum-local.stack": "stack-a"}
    assert made.spec.endpoint.address == "10.0.0.2"
    assert made.files[f"{_SEED}/user-data"] == b"#!/bin/sh\n"
    assert json.loads(made.files[f"{_SEED}/meta-data"]) == {
        "instance-id": "srv",
        "local-hostname": "bay-master-0",
        "public-keys": {},
    }
    assert made.files[f"{_SEED}/network-config"] == b"config: disabled\n"


def test_a_server_is_active_once_it_has_stayed_up(world: World) -> None:
    world.servers.create(request())
    assert not world.servers.is_active("srv")

    world.docker.age("magnum-local-test-srv", 5)

    assert world.servers.is_active("srv")


def test_a_server_that_ends_says_why(world: World) -> None:
    world.servers.create(request())
    container(world).status, container(world).exit_code = "exited", 255
    world.docker.console = "Failed to mount cgroup"

    with pytest.raises(errors.ServerFailed, match=r"bay-master-0 stopped .*exit code 255.*Failed to mount cgroup"):
        world.servers.is_active("srv")


def test_a_server_removed_by_hand_is_said(world: World) -> None:
    world.servers.create(request())
    world.docker.containers.clear()

    with pytest.raises(errors.ServerFailed, match="was removed"):
        world.servers.is_active("srv")


def test_an_unknown_image_fails_before_anything_is_made(world: World) -> None:
    with pytest.raises(errors.NotFound, match=r"^Image nosuch could not be found\.$"):
        world.servers.create(request(image="nosuch"))

    assert world.docker.containers == {}
    assert world.networks.show_port("port")["device_id"] == ""


def test_user_data_that_nova_would_refuse_is_refused(world: World) -> None:
    with pytest.raises(errors.BadRequest, match="65535 allowed"):
        world.servers.create(request(user_data=b"x" * 50000))


def test_a_server_needs_a_network(world: World) -> None:
    with pytest.raises(errors.BadRequest, match="no network"):
        world.servers.create(request(interfaces=()))


def test_a_port_of_another_project_is_not_found(world: World) -> None:
    with pytest.raises(errors.NotFound, match="Port port could not be found"):
        world.servers.create(request(owner=OTHER))


def test_ports_are_made_for_networks_and_go_with_the_server(world: World) -> None:
    world.add_subnet("sub-2", "net", "10.1.0.0/24")
    fixed = networks.FixedIP("sub-2", "10.1.0.9")
    world.servers.create(request(interfaces=(servers.Interface(network="net"), servers.Interface(fixed_ip=fixed))))
    assert [endpoint.address for endpoint in container(world).endpoints] == ["10.0.0.3", "10.1.0.9"]
    assert world.count("port") == 3

    world.servers.delete("srv")

    assert world.count("port") == 1


@pytest.mark.parametrize("call", ["create_container", "start"])
def test_deleting_removes_whatever_was_made(world: World, call: str) -> None:
    world.docker.fail_on = call
    with pytest.raises(errors.LocalCloudError):
        world.servers.create(request())

    world.servers.delete("srv")
    world.servers.delete("srv")

    assert world.docker.containers == {}
    assert world.count("server") == 0
    assert world.networks.show_port("port")["device_id"] == ""


def test_addresses_are_shown_by_name_and_by_id(world: World) -> None:
    world.servers.create(request())

    shown = world.servers.show("srv")

    assert shown["networks"] == {"private": ["10.0.0.2"], "net": ["10.0.0.2"]}
    assert shown["first_address"] == "10.0.0.2"
    assert shown["addresses"]["private"][0]["port"] == "port"
    assert (shown["status"], shown["metadata"], shown["image"]) == ("ACTIVE", {"a": "b"}, "debian")


def test_a_replacing_server_takes_over_the_port(world: World) -> None:
    world.servers.create(request())

    world.servers.detach_ports("srv")
    world.servers.create(request("srv-2"))

    assert container(world).endpoints == []
    assert container(world, "srv-2").spec.endpoint.address == "10.0.0.2"


def test_a_change_of_name_and_metadata_is_remembered(world: World) -> None:
    world.servers.create(request())

    world.servers.update("srv", "renamed", {"metadata": {"a": "c"}})

    shown = world.servers.show("srv")
    assert (shown["name"], shown["metadata"]) == ("renamed", {"a": "c"})


def test_the_key_that_a_server_names_is_put_in(world: World) -> None:
    pairs = [
        inventory.Record("k1", "keypair", OWNER, "key", data={"public_key": "ssh-ed25519 ours"}),
        inventory.Record("k2", "keypair", OTHER, "key", data={"public_key": "ssh-ed25519 theirs"}),
    ]
    with world.store.transaction() as rows:
        for pair in pairs:
            rows.put(pair)

    world.servers.create(request())

    assert json.loads(container(world).files[f"{_SEED}/meta-data"])["public-keys"] == {"key": "ssh-ed25519 ours"}


def test_an_unprivileged_node_names_its_rights(world: World) -> None:
    made = servers.host_config(world.settings, {"magnum-local": "test"})

    assert "Privileged" not in made
    assert (made["CapAdd"], made["CapDrop"]) == (["ALL"], ["SYS_RESOURCE"])
    assert (made["MaskedPaths"], made["ReadonlyPaths"]) == ([], [])
    assert made["CgroupnsMode"] == "private"
    assert all(mount["VolumeOptions"]["Labels"] == {"magnum-local": "test"} for mount in made["Mounts"])
    assert "Memory" not in made


def test_a_privileged_node_with_a_limit(tmp_path: Path) -> None:
    config = settings.Settings("test", "unix:///", tmp_path, {}, privileged=True, node_memory="2g")

    made = servers.host_config(config, {})

    assert made["Privileged"]
    assert "CapDrop" not in made
    assert made["Memory"] == 2 * 1024**3


def test_a_warm_store_is_linked_and_its_databases_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "store"
    (store / "content").mkdir(parents=True)
    (store / "content" / "blob").write_text("layer")
    (store / "meta.db").write_text("database")
    world = make_world(tmp_path, monkeypatch, containerd_store=store)
    volume = tmp_path / "volumes" / "var" / "lib" / "containerd"
    volume.mkdir(parents=True)
    world.add_network("net")
    world.add_subnet("sub", "net")

    world.servers.create(request(interfaces=(servers.Interface(network="net"),)))

    assert (volume / "content" / "blob").samefile(store / "content" / "blob")
    assert not (volume / "meta.db").samefile(store / "meta.db")
    assert (volume / "meta.db").read_text() == "database"


def test_a_store_that_cannot_be_linked_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "blob").write_text("layer")
    (tmp_path / "volume").mkdir()
    tools = tmp_path / "bin"
    tools.mkdir()
    # A cp that, as between two file systems, cannot make links.
    (tools / "cp").write_text('#!/bin/sh\ncase "$*" in *--link*) exit 1;; esac\nexec /bin/cp "$@"\n')
    (tools / "cp").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")

    servers.share_store(tmp_path / "store", tmp_path / "volume")

    assert (tmp_path / "volume" / "blob").read_text() == "layer"
    assert not (tmp_path / "volume" / "blob").samefile(tmp_path / "store" / "blob")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("bay-master-0", "bay-master-0"), ("My Server_1", "my-server-1"), ("x" * 80, "x" * 63), ("é!", "server")],
)
def test_host_names_are_made_as_nova_makes_them(name: str, expected: str) -> None:
    assert cloud_init.hostname(name) == expected


def test_the_description_of_a_cloud_is_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cloud.json"
    images = {"debian": {"docker_image": "d:1", "containerd_store": None}}
    path.write_text(json.dumps({"name": "demo", "docker_host": "unix:///x", "images": images, "privileged": True}))
    monkeypatch.setenv("MAGNUM_LOCAL_CLOUD", str(path))

    found = settings.from_environment()

    assert (found.name, found.privileged, found.state) == ("demo", True, tmp_path)
    assert found.image("debian") == settings.Image("d:1", None)
    monkeypatch.delenv("MAGNUM_LOCAL_CLOUD")
    with pytest.raises(errors.LocalCloudError, match="MAGNUM_LOCAL_CLOUD"):
        settings.from_environment()
