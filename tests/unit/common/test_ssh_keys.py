"""Which texts are one public key."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from magnum.common.ssh_keys import public_key_line


def line(key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def packed(*parts: bytes) -> str:
    return base64.b64encode(b"".join(len(part).to_bytes(4) + part for part in parts)).decode()


def beginning(text: str) -> str:
    return text[:8]


ED25519 = line(ed25519.Ed25519PrivateKey.generate())
P256 = line(ec.generate_private_key(ec.SECP256R1()))
RSA = line(rsa.generate_private_key(public_exponent=65537, key_size=2048))
SK_TYPE = "sk-ssh-ed25519@openssh.com"
SK = f"{SK_TYPE} {packed(SK_TYPE.encode(), base64.b64decode(ED25519.split()[1])[-32:], b'ssh:')}"


@pytest.mark.parametrize(
    "key", [ED25519, P256, RSA, SK, f"{ED25519} me@home", f"{ED25519} Jörg, at home"], ids=beginning
)
def test_a_key_is_taken_as_it_is(key: str) -> None:
    assert public_key_line(key) == key


def test_what_surrounds_it_is_cut() -> None:
    assert public_key_line(f" \t{ED25519} me\r\n") == f"{ED25519} me"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
        "ssh-ed25519 ****",
        ED25519.replace("ssh-ed25519", "ssh-rsa"),
        ED25519[:-8],
        f"{ED25519}\n{RSA}",
        f"{ED25519}\r{RSA}",
        f"{ED25519} me\u2028{RSA}",
        f"{ED25519} me\x1b[2J",
        f'command="/bin/sh" {ED25519}',
        f"no-pty {ED25519}",
        f"# {ED25519}",
        f"ssh-dss {ED25519.split()[1]}",
        f"ssh-ed25519-cert-v01@openssh.com {ED25519.split()[1]}",
        f"{SK_TYPE} AAAA",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
    ],
    ids=beginning,
)
def test_anything_else_is_refused_with_what_to_do(text: str) -> None:
    with pytest.raises(ValueError, match="Value should be"):
        public_key_line(text)
