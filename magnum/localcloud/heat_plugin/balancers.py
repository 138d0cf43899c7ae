"""Load balancers: one haproxy container each, whose configuration follows the rows of its listeners, pools and members.

Every change writes the row first and then renders the whole configuration anew from all rows, under one lock of the
machine, so that the file in the container is never older than what is known.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import engine, errors, haproxy, inventory, networks, settings

_CONFIG = "/etc/haproxy/haproxy.cfg"
_CANDIDATE = "/etc/haproxy/candidate.cfg"
_COMMAND = ("haproxy", "-W", "-db", "-f", _CONFIG)
_DOCKERFILE = """\
FROM {base}
RUN apt-get update && apt-get install --yes --no-install-recommends haproxy && rm -rf /var/lib/apt/lists/*
"""


def ensure_image(config: settings.Settings, docker: engine.Engine) -> None:
    """Make the image of load balancers, if the engine has none yet."""
    if not docker.has_image(config.load_balancer_image):
        docker.build_image(config.load_balancer_image, _DOCKERFILE.format(base=config.base_image), {})


@dataclass(frozen=True)
class BalancerRequest:
    """A load balancer to be made, at an address of a subnet."""

    id: str
    name: str
    owner: inventory.Owner
    subnet: str
    address: str | None
    data: dict[str, Any]


class Balancers:
    """Octavia, in small."""

    def __init__(
        self, config: settings.Settings, store: inventory.Inventory, docker: engine.Engine, nets: networks.Networks
    ) -> None:
        self._config = config
        self._store = store
        self._docker = docker
        self._networks = nets

    def create(self, request: BalancerRequest) -> None:
        """Make a load balancer and start it."""
        with self._lock():
            ensure_image(self._config, self._docker)
        port_id = f"{request.id}-vip"
        data = {**request.data, "vip_port_id": port_id}
        with self._store.transaction() as rows:
            rows.put(inventory.Record(request.id, "balancer", request.owner, request.name, None, data))
        fixed = networks.FixedIP(request.subnet, request.address)
        wanted = networks.PortRequest(port_id, f"{request.name}-vip", fixed_ips=[fixed], device=request.id)
        self._networks.create_port(request.owner, wanted, {"made_for_device": True})
        port = self._networks.bind(port_id, request.owner.project, request.id)
        spec = engine.ContainerSpec(
            name=self.container(request.id),
            image=self._config.load_balancer_image,
            hostname="load-balancer",
            labels=networks.labels(self._config.name, request.owner),
            endpoint=self._networks.endpoints(port)[0],
            command=_COMMAND,
        )
        self._docker.create_container(spec)
        self._docker.put_files(spec.name, [engine.File(_CONFIG, self._rendered(request.id).encode())])
        self._docker.start(spec.name)

    def is_running(self, balancer_id: str) -> bool:
        """Whether a load balancer's container runs; an error when it has ended."""
        found = self._docker.inspect(self.container(balancer_id))
        if found and found["State"]["Running"]:
            return True
        last = self._docker.last_line(self.container(balancer_id)) if found else "its container is gone"
        raise errors.ServerFailed(f"Load balancer {balancer_id} does not run: {last}")

    def delete(self, balancer_id: str) -> None:
        """Remove a load balancer; what is already gone is no error."""
        self._docker.remove_container(self.container(balancer_id))
        self._networks.release(balancer_id)
        with self._store.transaction() as rows:
            rows.remove(balancer_id)

    def put(self, record: inventory.Record) -> None:
        """Add or change a listener, pool, member or monitor, and serve accordingly."""
        with self._lock():
            with self._store.transaction() as rows:
                rows.put(record)
                balancer = _balancer_of(rows, record)
            self._apply(balancer)

    def remove(self, kind: str, record_id: str) -> None:
        """Remove a listener, pool, member or monitor, if it is there, and serve accordingly."""
        with self._lock():
            with self._store.transaction() as rows:
                record = rows.find(kind, record_id)
                balancer = _balancer_of(rows, record) if record else None
                rows.remove(record_id)
            self._apply(balancer)

    def show(self, balancer_id: str) -> dict[str, Any]:
        """A load balancer's attributes."""
        with self._store.transaction() as rows:
            balancer = rows.get("balancer", balancer_id)
            pools = [pool.id for pool in rows.all("pool") if _balancer_of(rows, pool) == balancer_id]
        fixed = self._networks.show_port(balancer.data["vip_port_id"])["fixed_ips"][0]
        return {
            **balancer.data,
            "id": balancer.id,
            "name": balancer.name,
            "vip_address": fixed["ip_address"],
            "vip_subnet_id": fixed["subnet_id"],
            "pools": [{"id": pool_id} for pool_id in pools],
            "provisioning_status": "ACTIVE",
            "operating_status": "ONLINE",
        }

    def show_part(self, kind: str, record_id: str) -> dict[str, Any]:
        """The attributes of a listener, pool, member or monitor."""
        with self._store.transaction() as rows:
            record = rows.get(kind, record_id)
            members = [member.id for member in rows.children("member", record_id)]
            monitors = [monitor.id for monitor in rows.children("monitor", record_id)]
        related: dict[str, dict[str, Any]] = {
            "listener": {
                "loadbalancers": [{"id": record.parent}],
                "default_pool_id": record.data.get("default_pool"),
            },
            "pool": {
                "members": [{"id": each} for each in members],
                "healthmonitor_id": monitors[0] if monitors else None,
                "listeners": [{"id": record.data["listener"]}] if record.data.get("listener") else [],
            },
            "member": {"pool_id": record.parent},
            "monitor": {"pools": [{"id": record.parent}]},
        }
        common = {"id": record.id, "name": record.name, "provisioning_status": "ACTIVE"}
        return {**record.data, **related[kind], **common}

    def container(self, balancer_id: str) -> str:
        """The name of a load balancer's container."""
        return f"{networks.LABEL}-{self._config.name}-{balancer_id}"

    def _apply(self, balancer_id: str | None) -> None:
        if balancer_id is None:
            return
        container = self.container(balancer_id)
        found = self._docker.inspect(container)
        if found is None or not found["State"]["Running"]:
            return
        text = self._rendered(balancer_id).encode()
        # haproxy keeps serving what it has when the new file is wrong, without a word to us: so it is asked before.
        self._docker.put_files(container, [engine.File(_CANDIDATE, text)])
        self._docker.run(container, ["haproxy", "-c", "-q", "-f", _CANDIDATE])
        self._docker.put_files(container, [engine.File(_CONFIG, text)])
        self._docker.signal(container, "SIGUSR2")

    def _rendered(self, balancer_id: str) -> str:
        with self._store.transaction() as rows:
            vip = rows.get("port", rows.get("balancer", balancer_id).data["vip_port_id"])
            listeners = [
                haproxy.Listener(listener.id, listener.data, _pool_behind(rows, listener))
                for listener in rows.children("listener", balancer_id)
            ]
        return haproxy.render(vip.data["fixed_ips"][0]["ip_address"], listeners)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        path: Path = self._config.state / "load-balancers.lock"
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _balancer_of(rows: inventory.Records, record: inventory.Record) -> str | None:
    """The load balancer that a part belongs to, if that part's own parents still exist."""
    if record.kind == "listener":
        return record.parent
    if record.kind == "pool":
        listener = rows.find("listener", record.data.get("listener") or "")
        return listener.parent if listener else record.data.get("loadbalancer")
    pool = rows.find("pool", record.parent or "")
    return _balancer_of(rows, pool) if pool else None


def _pool_behind(rows: inventory.Records, listener: inventory.Record) -> haproxy.Pool | None:
    """The pool that a listener names, or that names the listener."""
    for pool in rows.all("pool"):
        if pool.id == listener.data.get("default_pool") or pool.data.get("listener") == listener.id:
            monitors = rows.children("monitor", pool.id)
            members = [haproxy.Member(member.id, member.data) for member in rows.children("member", pool.id)]
            return haproxy.Pool(pool.id, pool.data, members, monitors[0].data if monitors else None)
    return None
