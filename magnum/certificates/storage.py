"""Encryption of what is secret in the database: private keys, and the passwords of the bays' own users."""

import base64
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from oslo_config import cfg

_KEY_BYTES = 32


class KeyProblem(Exception):
    """The configured keys are missing or wrong, or are not those a secret was stored with; for the operator."""


class SecretBox:
    """Encrypts with the first configured key and decrypts with each of them."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in _keys(conf)])

    def encrypt(self, text: str) -> str:
        """Text to store."""
        return self._fernet.encrypt(text.encode()).decode()

    def decrypt(self, stored: str) -> str:
        """What was encrypted.

        :raises KeyProblem: with none of today's keys
        """
        try:
            return self._fernet.decrypt(stored.encode()).decode()
        except InvalidToken as error:
            raise KeyProblem(
                "A secret in the database was stored with none of the keys in [certificates] encryption_key. Add the "
                "key it was stored with."
            ) from error


def derived(conf: cfg.ConfigOpts, purpose: str) -> MultiFernet:
    """Keys for one other purpose, made of the configured ones: what is good for the one is useless for the other."""
    return MultiFernet([Fernet(_derive(base64.urlsafe_b64decode(key), purpose)) for key in _keys(conf)])


def _keys(conf: cfg.ConfigOpts) -> Sequence[str]:
    keys: Sequence[str] = conf.certificates.encryption_key
    if not keys:
        raise KeyProblem(
            "[certificates] encryption_key is not set: no private key can be stored. "
            "'magnum-db-manage generate-key' prints a new one; every API and conductor needs the same."
        )
    for number, key in enumerate(keys, 1):
        try:
            Fernet(key)
        except ValueError as error:
            raise KeyProblem(
                f"Key number {number} of [certificates] encryption_key is no Fernet key (32 bytes in URL-safe base64)."
            ) from error
    return keys


def _derive(key: bytes, purpose: str) -> bytes:
    material = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=purpose.encode()).derive(key)
    return base64.urlsafe_b64encode(material)
