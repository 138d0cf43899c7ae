"""Public keys that people log in to servers with."""

import base64
import binascii

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

TYPES = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)


def public_key_line(text: str) -> str:
    """The one line of this key, as it can stand in a file of authorized keys.

    :raises ValueError: it is anything but one key: its sentence says what it should be
    """
    line = text.strip()
    if not line.replace("\t", " ").isprintable():
        raise ValueError("Value should be one public key on one line, as in the .pub file that ssh-keygen writes.")
    kind, _, rest = line.replace("\t", " ").partition(" ")
    if kind not in TYPES:
        raise ValueError(f"Value should begin with the type of the key, without options: one of {', '.join(TYPES)}.")
    _load(kind, *rest.split(maxsplit=1)[:1])
    return line


def _load(kind: str, data: str = "") -> None:
    try:
        base64.b64decode(data, validate=True)
        load_ssh_public_key(f"{kind} {data}".encode())
    except (ValueError, binascii.Error, UnsupportedAlgorithm) as error:
        raise ValueError(
            f"Value should be a whole key of type {kind}, and this is none: copy it anew from its .pub file."
        ) from error
