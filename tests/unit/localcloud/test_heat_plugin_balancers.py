"""Load balancers and volumes of the local cloud."""

from collections.abc import Callable
from pathlib import Path

import pytest

from magnum.localcloud.heat_plugin import balancers, errors, haproxy, inventory, servers, volumes

from .heat_plugin_fakes import OWNER, FakeContainer, World, make_world

_CONFIG = "/etc/haproxy/haproxy.cfg"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A cloud with one network."""
    world = make_world(tmp_path, monkeypatch)
    world.add_network("net")
    world.add_subnet("sub", "net")
    return world


@pytest.fixture
def octavia(world: World) -> balancers.Balancers:
    """Its load balancers, with one made."""
    made = balancers.Balancers(world.settings, world.store, world.docker, world.networks)
    made.create(balancers.BalancerRequest("lb", "lb", OWNER, "sub", "10.0.0.9", {}))
    return made


def part(kind: str, record_id: str, parent: str | None, **data: object) -> inventory.Record:
    return inventory.Record(record_id, kind, OWNER, record_id, parent, data)


def add_pool(octavia: balancers.Balancers) -> None:
    octavia.put(part("listener", "listen", "lb", protocol="TCP", protocol_port=6443))
    octavia.put(part("pool", "pool", None, listener="listen", protocol="TCP", lb_algorithm="ROUND_ROBIN"))


def member(record_id: str, address: str) -> inventory.Record:
    return part("member", record_id, "pool", address=address, protocol_port=6443, weight=1)


def proxy(world: World) -> FakeContainer:
    return world.docker.containers["magnum-local-test-lb"]


def test_a_balancer_runs_at_its_address(world: World, octavia: balancers.Balancers) -> None:
    assert octavia.is_running("lb")
    assert proxy(world).spec.endpoint.address == "10.0.0.9"
    assert world.docker.has_image("magnum-local/haproxy:1")
    shown = octavia.show("lb")
    assert (shown["vip_address"], shown["vip_subnet_id"]) == ("10.0.0.9", "sub")
    assert world.networks.show_port(shown["vip_port_id"])["device_id"] == "lb"


def test_members_come_and_go_in_the_configuration(world: World, octavia: balancers.Balancers) -> None:
    add_pool(octavia)
    octavia.put(part("monitor", "mon", "pool", type="TCP", delay=2, timeout=3, max_retries=2))
    octavia.put(member("m1", "10.0.0.21"))
    octavia.put(member("m2", "10.0.0.22"))
    text = proxy(world).files[_CONFIG].decode()
    assert "bind 10.0.0.9:6443" in text
    assert "server m1 10.0.0.21:6443 weight 1 check inter 2s rise 2 fall 2" in text
    assert "server m2 10.0.0.22:6443" in text
    assert octavia.show_part("pool", "pool")["members"] == [{"id": "m1"}, {"id": "m2"}]
    assert octavia.show("lb")["pools"] == [{"id": "pool"}]

    octavia.remove("member", "m1")

    assert "m1" not in proxy(world).files[_CONFIG].decode()
    assert set(proxy(world).signals) == {"SIGUSR2"}


def test_a_configuration_that_haproxy_refuses_is_not_put_in_place(world: World, octavia: balancers.Balancers) -> None:
    before = proxy(world).files[_CONFIG]
    world.docker.fail_on = "haproxy"

    with pytest.raises(errors.LocalCloudError):
        add_pool(octavia)

    assert proxy(world).files[_CONFIG] == before
    assert proxy(world).signals == []


def test_parts_of_a_balancer_that_is_gone_can_be_removed(world: World, octavia: balancers.Balancers) -> None:
    add_pool(octavia)
    octavia.put(member("m1", "10.0.0.21"))

    octavia.delete("lb")
    octavia.delete("lb")
    for kind, record_id in [("member", "m1"), ("pool", "pool"), ("listener", "listen"), ("listener", "listen")]:
        octavia.remove(kind, record_id)

    assert world.docker.containers == {}
    assert world.count("port") + world.count("pool") + world.count("member") == 0


def test_a_balancer_that_ended_is_said(world: World, octavia: balancers.Balancers) -> None:
    proxy(world).status = "exited"
    world.docker.console = "cannot bind socket"

    with pytest.raises(errors.ServerFailed, match="cannot bind socket"):
        octavia.is_running("lb")


def test_an_https_monitor_asks_over_tls() -> None:
    monitor = {"type": "HTTPS", "delay": 5, "timeout": 5, "max_retries": 3, "url_path": "/healthz"}
    pool = haproxy.Pool(
        "p",
        {"lb_algorithm": "LEAST_CONNECTIONS"},
        [haproxy.Member("m", {"address": "10.0.0.5", "protocol_port": 6443, "weight": 1})],
        monitor,
    )
    listener = haproxy.Listener("l", {"protocol": "HTTPS", "protocol_port": 443, "allowed_cidrs": ["10.0.0.0/8"]}, pool)

    text = haproxy.render("10.0.0.1", [listener])

    assert "option httpchk GET /healthz" in text
    assert "check-ssl verify none" in text
    assert "balance leastconn" in text
    assert "reject unless { src 10.0.0.0/8 }" in text


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(errors.BadRequest, match="UDP"):
        haproxy.render("10.0.0.1", [haproxy.Listener("l", {"protocol": "UDP", "protocol_port": 53})])


@pytest.fixture
def losetup(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Loop devices of a machine that has none: by device, the file behind it."""
    devices: dict[str, str] = {}

    def attach(path: str) -> str:
        device = f"/dev/loop{len(devices)}"
        devices[device] = path
        return device

    actions: dict[str, Callable[[str], str]] = {
        "--show": attach,
        "--associated": lambda path: "\n".join(device for device, file in devices.items() if file == path),
        "--detach": lambda device: devices.pop(device),
        "--set-capacity": lambda _device: "",
    }

    def run(*command: str) -> str:
        return actions[command[-2]](command[-1])

    monkeypatch.setattr(volumes, "_run", run)
    return devices


@pytest.fixture
def cinder(world: World, losetup: dict[str, str]) -> volumes.Volumes:
    """The volumes of a cloud with a server and a volume."""
    interface = servers.Interface(network="net")
    world.servers.create(servers.ServerRequest("srv", "srv", OWNER, "debian", b"", [interface]))
    made = volumes.Volumes(world.settings, world.store, world.docker)
    made.create(inventory.Record("0123456789-0123456789-0123", "volume", OWNER, "data"), 2)
    return made


def test_a_volume_becomes_a_disk_of_a_server(world: World, cinder: volumes.Volumes, losetup: dict[str, str]) -> None:
    assert cinder.attach("data", OWNER.project, "srv", "magnum-local-test-srv") == "0123456789-0123456789-0123"

    file = world.settings.state / "volumes" / "0123456789-0123456789-0123.img"
    assert losetup == {"/dev/loop0": str(file)}
    assert file.stat().st_size == 2 * 1024**3
    script = world.docker.containers["magnum-local-test-srv"].commands[-1][-1]
    assert "/dev/disk/by-id/virtio-0123456789-012345678" in script
    assert "mknod /dev/loop0 b 7 0" in script


def test_a_volume_has_one_server(cinder: volumes.Volumes, world: World) -> None:
    cinder.attach("data", OWNER.project, "srv", "magnum-local-test-srv")
    interface = servers.Interface(network="net")
    world.servers.create(servers.ServerRequest("srv-2", "srv-2", OWNER, "debian", b"", [interface]))

    with pytest.raises(errors.Conflict, match="in use by server srv"):
        cinder.attach("data", OWNER.project, "srv-2", "magnum-local-test-srv-2")


def test_detaching_and_deleting_leave_nothing(world: World, cinder: volumes.Volumes, losetup: dict[str, str]) -> None:
    volume_id = cinder.attach("data", OWNER.project, "srv", "magnum-local-test-srv")
    world.servers.delete("srv")

    cinder.detach(volume_id, "magnum-local-test-srv")
    cinder.detach(volume_id, "magnum-local-test-srv")
    cinder.delete(volume_id)
    cinder.delete(volume_id)

    assert losetup == {}
    assert list((world.settings.state / "volumes").iterdir()) == []
    assert world.count("volume") == 0


def test_a_volume_grows_and_does_not_shrink(world: World, cinder: volumes.Volumes) -> None:
    cinder.resize("0123456789-0123456789-0123", 3)

    file = world.settings.state / "volumes" / "0123456789-0123456789-0123.img"
    assert file.stat().st_size == 3 * 1024**3
    with pytest.raises(errors.BadRequest, match="cannot be made smaller"):
        cinder.resize("0123456789-0123456789-0123", 1)
