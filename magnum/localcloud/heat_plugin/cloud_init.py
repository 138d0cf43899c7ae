"""What a new server finds at its first boot: the NoCloud seed that stands for Nova's metadata service."""

import base64
import json
import re
from collections.abc import Mapping

from . import engine, errors

_SEED = "/var/lib/cloud/seed/nocloud"
# Nova's limit, on the encoded form in which it travels and is stored.
_USER_DATA_LIMIT = 65535


def hostname(server_name: str) -> str:
    """The host name that a server of this name gets, by Nova's rules for turning one into the other."""
    clean = re.sub(r"[^a-z0-9.-]+", "", re.sub(r"[ _]+", "-", server_name.lower())).strip(".-")
    return clean[:63].rstrip(".-") or "server"


def seed(server_id: str, server_name: str, user_data: bytes, keys: Mapping[str, str]) -> list[engine.File]:
    """The files of the seed. Keys are SSH public keys by name."""
    encoded = len(base64.b64encode(user_data))
    if encoded > _USER_DATA_LIMIT:
        raise errors.BadRequest(
            f"User data of server {server_name} is too large: {encoded} bytes in base64, {_USER_DATA_LIMIT} allowed."
        )
    meta_data = {"instance-id": server_id, "local-hostname": hostname(server_name), "public-keys": dict(keys)}
    contents = {
        # JSON is YAML.
        "meta-data": json.dumps(meta_data).encode(),
        "user-data": user_data,
        # Docker has set the addresses already.
        "network-config": b"config: disabled\n",
    }
    return [engine.File(f"{_SEED}/{name}", content) for name, content in contents.items()]
