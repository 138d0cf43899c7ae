"""Glance: images, as whoever makes a request sees them."""

from dataclasses import dataclass
from typing import Any

from magnum.clients.errors import Permanent
from magnum.clients.requester import Requester, members
from magnum.common.idents import is_uuid

_SERVICE = "image"


@dataclass(frozen=True)
class Image:
    """An image; ``os_distro`` is what its owner says of the operating system in it."""

    id: str
    os_distro: str | None


def find_images(requester: Requester, ident: str) -> list[Image]:
    """The images with this id or name; of several of a name no more than two."""
    if is_uuid(ident):
        try:
            return [_image(requester.get(_SERVICE, f"/images/{ident}"))]
        except Permanent as error:
            if error.code == 404:
                return []
            raise
    found = requester.get(_SERVICE, "/images", {"name": _exactly(ident), "limit": 2})
    return [_image(each) for each in members(_SERVICE, found, "images")]


def _exactly(name: str) -> str:
    """Glance takes what stands before a colon for an operator."""
    return f"eq:{name}" if ":" in name else name


def _image(found: dict[str, Any]) -> Image:
    distro = found.get("os_distro")
    return Image(id=str(found.get("id")), os_distro=distro if isinstance(distro, str) and distro else None)
