"""Tokens of nodes."""

from datetime import datetime, timedelta

import pytest
from cryptography.fernet import Fernet
from oslo_config import cfg

from magnum.certificates.bootstrap import BootstrapIdentity, BootstrapTokens, Role, TokenRefused
from magnum.certificates.storage import SecretBox
from magnum.common import clock
from tests.unit.certificates.conftest import BAY

HOUR = timedelta(hours=1)
MASTER = BootstrapIdentity(BAY, Role.MASTER, "operation-1")


@pytest.fixture
def tokens(conf: cfg.ConfigOpts, key: str) -> BootstrapTokens:
    return BootstrapTokens(conf)


def test_a_token_says_bay_role_and_operation_to_every_process_with_the_key(
    conf: cfg.ConfigOpts, tokens: BootstrapTokens
) -> None:
    assert BootstrapTokens(conf).verify(tokens.issue(MASTER, HOUR)) == MASTER


def test_a_token_ends(tokens: BootstrapTokens, monkeypatch: pytest.MonkeyPatch) -> None:
    token = tokens.issue(MASTER, HOUR)
    later = clock.now() + HOUR + timedelta(seconds=1)

    def now() -> datetime:
        return later

    monkeypatch.setattr(clock, "now", now)
    with pytest.raises(TokenRefused, match="expired"):
        tokens.verify(token)


def test_what_magnum_encrypts_elsewhere_is_no_token(conf: cfg.ConfigOpts, tokens: BootstrapTokens) -> None:
    forged = SecretBox(conf).encrypt(f'{{"bay": "{BAY}", "role": "master", "expiry": 99999999999}}')
    with pytest.raises(TokenRefused):
        tokens.verify(forged)


_OF_ANOTHER_KEY = Fernet(Fernet.generate_key()).encrypt(b"{}").decode()


@pytest.mark.parametrize(
    "token", ["", "x", "é", "A" * 5000, _OF_ANOTHER_KEY], ids=["empty", "short", "not ASCII", "long", "of another key"]
)
def test_anything_else_is_refused(tokens: BootstrapTokens, token: str) -> None:
    with pytest.raises(TokenRefused):
        tokens.verify(token)
