"""Secrets at rest."""

import pytest
from cryptography.fernet import Fernet
from oslo_config import cfg

from magnum.certificates.storage import KeyProblem, SecretBox


def use(conf: cfg.ConfigOpts, *keys: str) -> SecretBox:
    conf.set_override("encryption_key", list(keys), group="certificates")
    return SecretBox(conf)


def test_a_secret_comes_back_and_is_not_in_what_is_stored(conf: cfg.ConfigOpts, key: str) -> None:
    box = SecretBox(conf)
    stored = box.encrypt("päss")
    assert "päss" not in stored
    assert box.decrypt(stored) == "päss"


def test_keys_can_be_rotated(conf: cfg.ConfigOpts) -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    stored = use(conf, old).encrypt("secret")
    assert use(conf, new, old).decrypt(stored) == "secret"
    with pytest.raises(KeyProblem, match="stored with none"):
        use(conf, new).decrypt(stored)


def test_a_missing_or_wrong_key_is_said_with_the_remedy(conf: cfg.ConfigOpts) -> None:
    with pytest.raises(KeyProblem, match="generate-key"):
        SecretBox(conf)
    with pytest.raises(KeyProblem, match="Key number 1"):
        use(conf, "short")
