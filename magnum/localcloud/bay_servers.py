"""The Docker objects of one cloud: its bays' servers, their networks and volumes, found by label."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker
import docker.errors
import requests.exceptions

from magnum.localcloud.processes import ServiceError

_SECONDS = 120
_STOP_SECONDS = 5
_AT_ONCE = 4
_POLL_SECONDS = 0.5
# What Docker says, for want of a code of its own, while it is still at what a Heat asked for that was ended meanwhile.
_UNDER_WAY = ("already in progress", "has active endpoints", "volume is in use")


class BayServers:
    """Everything in a Docker Engine that carries the label of the cloud called ``cloud``."""

    def __init__(self, docker_host: str, cloud: str) -> None:
        self._client: Any = docker.DockerClient(base_url=docker_host, timeout=_SECONDS)
        self._mine = {"label": f"magnum-local={cloud}"}

    def start(self) -> int:
        """Start those that were stopped with the cloud; how many there were."""
        return self._each(self._containers(status="exited"), lambda container: container.start())

    def stop(self) -> int:
        """Stop those that run; how many there were."""
        return self._each(self._containers(status="running"), lambda container: container.stop(timeout=_STOP_SECONDS))

    def remove(self) -> int:
        """Remove servers, networks and volumes; how many there were."""
        count = self._each(self._containers(), lambda container: container.remove(force=True, v=True))
        count += self._each(self._client.networks.list(filters=self._mine), lambda network: network.remove())
        return count + self._each(self._client.volumes.list(filters=self._mine), lambda volume: volume.remove())

    def running(self) -> dict[str, str]:
        """The running servers: their container's id by their host name."""
        return {str(item.attrs["Config"]["Hostname"]): str(item.id) for item in self._containers(status="running")}

    def _containers(self, **filters: str) -> list[Any]:
        found: list[Any] = self._client.containers.list(
            all=True, filters={**self._mine, **filters}, ignore_removed=True
        )
        return found

    def _each(self, objects: list[Any], action: Callable[[Any], object]) -> int:
        deadline = time.monotonic() + _SECONDS

        def act(item: Any) -> None:
            while True:
                try:
                    action(item)
                except docker.errors.NotFound:
                    return  # gone meanwhile, which is what was wanted or cannot be helped
                except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
                    if time.monotonic() > deadline or not any(said in str(error) for said in _UNDER_WAY):
                        raise ServiceError(f"Docker Engine did not do what it was asked to: {error}") from error
                else:
                    return
                time.sleep(_POLL_SECONDS)

        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            list(pool.map(act, objects))
        return len(objects)
