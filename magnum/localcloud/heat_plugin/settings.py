"""The description of the cloud that this plugin serves: a JSON file written when the cloud is brought up.

It is read anew each time something is built, so that an image made after Heat was started can be used at once.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import errors

VARIABLE = "MAGNUM_LOCAL_CLOUD"
# Where a subnet goes whose own range is taken: away from the usual ranges of pods, services, Docker and home networks.
SUBNET_POOLS = ("172.24.0.0/13", "10.192.0.0/11")


@dataclass(frozen=True)
class Image:
    """What a server image is made of: a Docker image, and the containerd store its nodes start with (or none)."""

    docker_image: str
    containerd_store: Path | None = None


@dataclass(frozen=True)
class Settings:
    """One cloud."""

    name: str
    docker_host: str
    state: Path
    images: Mapping[str, Image]
    privileged: bool = False
    node_memory: str | int | None = None
    subnet_pools: tuple[str, ...] = SUBNET_POOLS
    base_image: str = "debian:bookworm"
    load_balancer_image: str = "magnum-local/haproxy:1"

    def image(self, name: str | None) -> Image:
        """The server image of that name or id."""
        found = self.images.get(name or "")
        if found is None:
            raise errors.NotFound(f"Image {name} could not be found.")
        return found

    @property
    def inventory(self) -> Path:
        """The file in which the plugin keeps what exists."""
        return self.state / "heat-inventory.sqlite"


def read(path: Path) -> Settings:
    """Read the description of a cloud."""
    data: dict[str, Any] = json.loads(path.read_text())
    images = {
        name: Image(entry["docker_image"], Path(entry["containerd_store"]) if entry.get("containerd_store") else None)
        for name, entry in data.get("images", {}).items()
    }
    optional = {key: data[key] for key in ("privileged", "base_image", "load_balancer_image") if data.get(key)}
    return Settings(
        name=data["name"],
        docker_host=data["docker_host"],
        state=path.parent,
        images=images,
        node_memory=data.get("node_memory"),
        subnet_pools=tuple(data.get("subnet_pools") or SUBNET_POOLS),
        **optional,
    )


def from_environment() -> Settings:
    """Read the cloud that the environment of this process names."""
    path = os.environ.get(VARIABLE)
    if not path:
        raise errors.LocalCloudError(f"{VARIABLE} is not set: Heat does not know which local cloud it serves.")
    return read(Path(path))
