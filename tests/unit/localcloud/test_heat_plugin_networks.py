"""Subnets, ports and floating IPs of the local cloud."""

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from magnum.localcloud.heat_plugin import addresses, errors, inventory, networks

from .heat_plugin_fakes import OTHER, OWNER, World, make_world


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A cloud with one network of one subnet."""
    world = make_world(tmp_path, monkeypatch)
    world.add_network("net")
    world.add_subnet("sub", "net")
    return world


def test_a_subnet_has_the_range_it_asks_for_and_labels(world: World) -> None:
    shown = world.networks.show_subnet("sub")

    assert (shown["cidr"], shown["gateway_ip"], shown["network_id"]) == ("10.0.0.0/24", "10.0.0.1", "net")
    assert world.docker.labels["magnum-local-test-sub"] == {"magnum-local": "test", "magnum-local.stack": "stack-a"}
    assert world.networks.show_network("net")["subnets"] == ["sub"]


def test_two_tenants_with_the_same_range_get_ranges_of_the_same_size(world: World) -> None:
    world.add_network("net-b", OTHER)
    world.add_subnet("sub-b", "private", owner=OTHER)

    shown = world.networks.show_subnet("sub-b")

    assert shown["requested_cidr"] == "10.0.0.0/24"
    assert IPv4Network(shown["cidr"]).prefixlen == 24
    assert not IPv4Network(shown["cidr"]).overlaps(IPv4Network("10.0.0.0/24"))
    assert shown["network_id"] == "net-b"


def test_a_subnet_avoids_what_docker_and_the_machine_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world(tmp_path, monkeypatch)
    world.docker.foreign_ranges = [IPv4Network("10.0.0.0/16")]
    # 172.24.0.0/24, as the kernel writes it
    (tmp_path / "routes").write_text("Iface\neth0\t000018AC\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n")
    world.add_network("net")

    world.add_subnet("sub", "net")

    assert world.networks.show_subnet("sub")["cidr"] == "172.24.1.0/24"


def test_a_range_that_docker_refuses_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world(tmp_path, monkeypatch)
    world.docker.hidden_ranges = [IPv4Network("10.0.0.0/24"), IPv4Network("172.24.0.0/24")]
    world.add_network("net")

    world.add_subnet("sub", "net")

    assert world.networks.show_subnet("sub")["cidr"] == "172.24.1.0/24"


def test_a_subnet_that_cannot_be_made_leaves_nothing(world: World) -> None:
    world.docker.fail_on = "create_network"

    with pytest.raises(errors.LocalCloudError):
        world.add_subnet("sub-2", "net", "10.5.0.0/24")

    assert world.count("subnet") == 1


def test_only_ipv4_ranges_are_known(world: World) -> None:
    with pytest.raises(errors.BadRequest, match="IPv4"):
        world.add_subnet("six", "net", "fd00::/64")


def test_a_network_of_another_project_is_not_found(world: World) -> None:
    with pytest.raises(errors.NotFound, match="Network net could not be found"):
        world.add_subnet("sub-b", "net", "10.9.0.0/24", owner=OTHER)


def test_deleting_a_subnet_twice_is_no_error(world: World) -> None:
    world.networks.delete_subnet("sub")
    world.networks.delete_subnet("sub")

    assert world.docker.bridges == {}
    assert world.count("subnet") == 0


def test_ports_get_addresses_one_after_the_other(world: World) -> None:
    first, second = world.add_port("p1", "net"), world.add_port("p2", "private")

    assert first["fixed_ips"] == [{"subnet_id": "sub", "ip_address": "10.0.0.2"}]
    assert second["fixed_ips"][0]["ip_address"] == "10.0.0.3"
    assert first["status"] == "DOWN"
    assert first["network"]["name"] == "private"
    assert [subnet["id"] for subnet in first["subnets"]] == ["sub"]
    assert first["mac_address"].startswith("fa:16:3e:")


def test_the_address_of_a_deleted_port_is_free_again(world: World) -> None:
    world.add_port("p1", "net")
    world.networks.delete_port("p1")

    assert world.add_port("p2", "net")["fixed_ips"][0]["ip_address"] == "10.0.0.2"


def test_a_port_can_ask_for_an_address(world: World) -> None:
    port = world.add_port("p1", "net", networks.FixedIP(None, "10.0.0.77"))

    assert port["fixed_ips"] == [{"subnet_id": "sub", "ip_address": "10.0.0.77"}]


@pytest.mark.parametrize("address", ["10.0.0.77", "10.0.0.1"])
def test_an_address_in_use_is_refused(world: World, address: str) -> None:
    world.add_port("p1", "net", networks.FixedIP(None, "10.0.0.77"))

    with pytest.raises(errors.Conflict, match="in use"):
        world.add_port("p2", "net", networks.FixedIP(None, address))


def test_an_address_outside_the_network_is_refused(world: World) -> None:
    with pytest.raises(errors.BadRequest, match="no subnet"):
        world.add_port("p1", "net", networks.FixedIP(None, "192.0.2.1"))
    with pytest.raises(errors.BadRequest, match="not in the subnet"):
        world.add_port("p1", "net", networks.FixedIP("sub", "192.0.2.1"))


def test_addresses_follow_a_range_that_was_moved(world: World) -> None:
    pools = [{"start": "10.0.0.50", "end": "10.0.0.60"}]
    world.add_network("other")
    world.add_subnet("moved", "other", allocation_pools=pools)

    asked = world.add_port("p1", "other", networks.FixedIP("moved", "10.0.0.9"))
    free = world.add_port("p2", "other")

    assert asked["fixed_ips"][0]["ip_address"] == "172.24.0.9"
    assert free["fixed_ips"][0]["ip_address"] == "172.24.0.50"
    assert world.networks.show_subnet("moved")["allocation_pools"] == [{"start": "172.24.0.50", "end": "172.24.0.60"}]


def test_a_full_range_is_said(world: World) -> None:
    world.add_subnet("tiny", "net", "10.7.0.0/30")
    world.add_port("p1", None, networks.FixedIP("tiny"))

    with pytest.raises(errors.Conflict, match="No free address"):
        world.add_port("p2", None, networks.FixedIP("tiny"))


def test_a_port_needs_a_network_with_a_subnet(world: World) -> None:
    world.add_network("empty")

    with pytest.raises(errors.BadRequest, match="no subnet"):
        world.add_port("p1", "empty")
    with pytest.raises(errors.BadRequest, match="neither a network nor a subnet"):
        world.add_port("p1", None)


def test_a_port_belongs_to_one_server(world: World) -> None:
    world.add_port("p1", "net")
    world.networks.bind("p1", OWNER.project, "server-1")

    world.networks.bind("p1", OWNER.project, "server-1")
    with pytest.raises(errors.Conflict, match="in use by server-1"):
        world.networks.bind("p1", OWNER.project, "server-2")

    assert world.networks.show_port("p1")["status"] == "ACTIVE"


def test_a_floating_ip_is_the_address_of_its_port(world: World) -> None:
    world.add_port("p1", "net")
    floating = inventory.Record("fip", "floating_ip", OWNER, "fip")
    with world.store.transaction() as rows:
        rows.put(floating)
    assert world.networks.show_floating_ip("fip")["floating_ip_address"] is None

    floating.data["port_id"] = "p1"
    with world.store.transaction() as rows:
        rows.put(floating)

    assert world.networks.show_floating_ip("fip")["floating_ip_address"] == "10.0.0.2"


def test_a_name_that_two_things_have_needs_an_id(world: World) -> None:
    world.add_network("net-2")

    with pytest.raises(errors.Conflict, match="More than one network"):
        world.add_port("p1", "private")


def test_no_range_left_is_said() -> None:
    wanted = IPv4Network("10.0.0.0/16")

    with pytest.raises(errors.Conflict, match="no other of its size"):
        addresses.free_range(wanted, [wanted], ["172.24.0.0/24"])


def test_an_exception_takes_back_a_transaction(world: World) -> None:
    def fail() -> None:
        with world.store.transaction() as rows:
            rows.remove("net")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    assert world.count("network") == 1
