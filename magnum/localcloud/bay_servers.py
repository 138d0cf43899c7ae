"""The Docker objects of one cloud: its bays' servers, their networks and volumes, found by label."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker
import docker.errors

_SECONDS = 120
_STOP_SECONDS = 5
_AT_ONCE = 4


class BayServers:
    """Everything in a Docker Engine that carries the label of the cloud called ``cloud``."""

    def __init__(self, docker_host: str, cloud: str) -> None:
        self._client: Any = docker.DockerClient(base_url=docker_host, timeout=_SECONDS)
        self._mine = {"label": f"magnum-local={cloud}"}

    def start(self) -> int:
        """Start those that were stopped with the cloud; how many there were."""
        return self._each(self._containers("exited"), lambda container: container.start())

    def stop(self) -> int:
        """Stop those that run; how many there were."""
        return self._each(self._containers("running"), lambda container: container.stop(timeout=_STOP_SECONDS))

    def remove(self) -> int:
        """Remove servers, networks and volumes; how many there were."""
        count = self._each(
            self._client.containers.list(all=True, filters=self._mine),
            lambda container: container.remove(force=True, v=True),
        )
        count += self._each(self._client.networks.list(filters=self._mine), lambda network: network.remove())
        return count + self._each(self._client.volumes.list(filters=self._mine), lambda volume: volume.remove())

    def running(self) -> dict[str, str]:
        """The running servers: their container's id by their host name."""
        return {str(item.attrs["Config"]["Hostname"]): str(item.id) for item in self._containers("running")}

    def _containers(self, status: str) -> list[Any]:
        found: list[Any] = self._client.containers.list(all=True, filters={**self._mine, "status": status})
        return found

    def _each(self, objects: list[Any], action: Callable[[Any], object]) -> int:
        def act(item: Any) -> None:
            try:
                action(item)
            except docker.errors.NotFound:
                return  # gone meanwhile, which is what was wanted or cannot be helped

        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            list(pool.map(act, objects))
        return len(objects)
