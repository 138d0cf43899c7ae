"""A bay's authority on an empty database."""

import pytest
from cryptography.fernet import Fernet
from oslo_config import cfg

from magnum.certificates.authority import Authority
from magnum.db.session import Database

BAY = "5d4b0c7e-8f65-4c41-9d7c-0d6f1f3f8c11"


@pytest.fixture
def key(conf: cfg.ConfigOpts) -> str:
    key = Fernet.generate_key().decode()
    conf.set_override("encryption_key", [key], group="certificates")
    return key


@pytest.fixture
def authority(conf: cfg.ConfigOpts, key: str, database: Database) -> Authority:
    """With the key pairs of BAY."""
    authority = Authority(conf)
    with database.writer() as session:
        authority.ensure(session, BAY, "my-bay")
    return authority
