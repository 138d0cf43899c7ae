"""The authority of a bay: its key pairs, and what is signed with them.

Each bay has four key pairs: its own CA, which everybody in the bay trusts; the CAs of etcd and of the front proxy,
which only masters use; and the key with which the bay's service accounts are signed. All are made once, before the
bay's stack, and are the same for all masters.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from oslo_config import cfg
from sqlalchemy import select
from sqlalchemy.orm import Session

from magnum.certificates import requests, storage
from magnum.common import clock
from magnum.common.exception import Conflict
from magnum.db import models

_BACKDATED = timedelta(days=1)  # for machines whose clock is behind
_CONDUCTOR_TERM = timedelta(days=1)
_CONDUCTOR = "magnum-conductor"
_ADMINISTRATORS = "system:masters"
_LONGEST_NAME = 64  # of a common name, in bytes


class Kind(StrEnum):
    """What a key pair of a bay is for."""

    CA = "ca"
    ETCD_CA = "etcd-ca"
    FRONT_PROXY_CA = "front-proxy-ca"
    SERVICE_ACCOUNT = "service-account"


_PKI_FILES = {
    Kind.CA: ("ca.crt", "ca.key"),
    Kind.ETCD_CA: ("etcd/ca.crt", "etcd/ca.key"),
    Kind.FRONT_PROXY_CA: ("front-proxy-ca.crt", "front-proxy-ca.key"),
    Kind.SERVICE_ACCOUNT: ("sa.pub", "sa.key"),
}
"""Where kubeadm looks for them below its pki directory."""


@dataclass(frozen=True)
class ClientCredentials:
    """What proves to a bay that it is Magnum who calls."""

    ca_pem: str
    certificate_pem: str
    key_pem: str = field(repr=False)
    not_after: datetime


class Authority:
    """Makes and uses the key pairs of bays."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._box = storage.SecretBox(conf)

    def ensure(self, session: Session, bay_uuid: str, name: str) -> None:
        """Make the key pairs that the bay does not have yet.

        :param name: of the authorities: the bay's; a certificate may hold only the beginning of it
        """
        have = set(session.scalars(select(models.Certificate.kind).where(models.Certificate.bay_uuid == bay_uuid)))
        for kind in Kind:
            if kind not in have:
                session.add(self._make(bay_uuid, kind, name.strip() or bay_uuid))
        session.flush()

    def ca_pem(self, session: Session, bay_uuid: str) -> str:
        """The certificate of the bay's CA.

        :raises Conflict: it has none yet
        """
        return self._pair(session, bay_uuid, Kind.CA).certificate

    def sign(self, session: Session, bay_uuid: str, csr_pem: str) -> str:
        """Sign a request of the bay's tenant; its subject is taken as it is.

        :raises Invalid: the request asks for what is not given
        """
        wanted = requests.read(csr_pem, self._conf.certificates.allow_ca)
        return self._sign(session, bay_uuid, wanted, self._term)

    def sign_for_node(self, session: Session, bay_uuid: str, csr_pem: str) -> str:
        """Sign the request of a node that is about to join: for that alone, and no longer than its token lasts.

        :raises Invalid: the request asks for anything else
        """
        wanted = requests.read(csr_pem, allow_ca=False)
        requests.check_node_subject(wanted.subject)
        term = timedelta(seconds=self._conf.bay.bootstrap_token_ttl)
        limited = requests.Wanted(wanted.subject, wanted.public_key, _client_only())
        return self._sign(session, bay_uuid, limited, term)

    def control_plane_files(self, session: Session, bay_uuid: str) -> dict[str, str]:
        """All key pairs, by the file each is in below /etc/kubernetes/pki; for masters only.

        :raises Conflict: they are not there yet
        """
        files = {}
        for kind, (public, private) in _PKI_FILES.items():
            pair = self._pair(session, bay_uuid, kind)
            files[public] = pair.certificate
            files[private] = self._box.decrypt(pair.private_key)
        return files

    def client_credentials(self, session: Session, bay_uuid: str) -> ClientCredentials:
        """New credentials of Magnum itself, of the bay's administrators, for a day."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, _ADMINISTRATORS),
                x509.NameAttribute(NameOID.COMMON_NAME, _CONDUCTOR),
            ]
        )
        wanted = requests.Wanted(subject, key.public_key(), _client_only())
        not_after = clock.now() + _CONDUCTOR_TERM
        certificate = self._sign(session, bay_uuid, wanted, _CONDUCTOR_TERM)
        return ClientCredentials(self.ca_pem(session, bay_uuid), certificate, _private_pem(key), not_after)

    @property
    def _term(self) -> timedelta:
        return timedelta(days=self._conf.certificates.term_of_validity)

    def _make(self, bay_uuid: str, kind: Kind, name: str) -> models.Certificate:
        if kind is Kind.SERVICE_ACCOUNT:
            # kubeadm up to 1.20 lets a second master join only with an RSA key here.
            key: Any = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            public = _public_pem(key.public_key())
        else:
            key = ec.generate_private_key(ec.SECP256R1())
            public = _pem(self._self_signed(key, _common_name(name, "" if kind is Kind.CA else f" {kind}")))
        secret = self._box.encrypt(_private_pem(key))
        return models.Certificate(bay_uuid=bay_uuid, kind=kind, certificate=public, private_key=secret)

    def _self_signed(self, key: ec.EllipticCurvePrivateKey, name: str) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = _builder(subject, subject, key.public_key(), self._term)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_key_usage(key_cert_sign=True), critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        return builder.sign(key, SHA256())

    def _sign(self, session: Session, bay_uuid: str, wanted: requests.Wanted, term: timedelta) -> str:
        pair = self._pair(session, bay_uuid, Kind.CA)
        issuer = x509.load_pem_x509_certificate(pair.certificate.encode())
        if issuer.not_valid_after_utc <= clock.now():
            raise Conflict(f"The authority of bay {bay_uuid} ended on {issuer.not_valid_after_utc.date()}.")
        key: Any = serialization.load_pem_private_key(self._box.decrypt(pair.private_key).encode(), password=None)
        builder = _builder(wanted.subject, issuer.subject, wanted.public_key, term, issuer.not_valid_after_utc)
        for extension in _with_defaults(wanted, key.public_key()):
            builder = builder.add_extension(extension.value, extension.critical)
        return _pem(builder.sign(key, SHA256()))

    @staticmethod
    def _pair(session: Session, bay_uuid: str, kind: Kind) -> models.Certificate:
        query = select(models.Certificate).where(
            models.Certificate.bay_uuid == bay_uuid, models.Certificate.kind == kind
        )
        pair = session.scalars(query).one_or_none()
        if pair is None:
            raise Conflict(f"Bay {bay_uuid} has no certificates yet. Try again when it is further in its creation.")
        return pair


def _common_name(name: str, ending: str) -> str:
    room = _LONGEST_NAME - len(ending.encode())
    return name.encode()[:room].decode(errors="ignore") + ending


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: Any, term: timedelta, latest: datetime | None = None
) -> x509.CertificateBuilder:
    now = clock.now()
    end = now + term
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(secrets.randbits(158) + 1)
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(end if latest is None else min(end, latest))
    )


def _client_only() -> tuple[x509.Extension[Any], ...]:
    purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    return (
        x509.Extension(x509.ExtendedKeyUsage.oid, False, purpose),
        x509.Extension(x509.KeyUsage.oid, True, _key_usage(digital_signature=True, key_encipherment=True)),
    )


def _with_defaults(wanted: requests.Wanted, authority_key: Any) -> Iterable[x509.Extension[Any]]:
    own_key = x509.SubjectKeyIdentifier.from_public_key(wanted.public_key)
    defaults: list[x509.Extension[Any]] = [
        x509.Extension(x509.BasicConstraints.oid, True, x509.BasicConstraints(ca=False, path_length=None)),
        x509.Extension(x509.SubjectKeyIdentifier.oid, False, own_key),
        x509.Extension(
            x509.AuthorityKeyIdentifier.oid,
            False,
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key),
        ),
    ]
    asked = {extension.oid for extension in wanted.extensions}
    return [*wanted.extensions, *[extension for extension in defaults if extension.oid not in asked]]


def _key_usage(**usages: bool) -> x509.KeyUsage:
    every: dict[str, Any] = dict.fromkeys((*requests.EVERY_USAGE, "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(**{**every, **usages})


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _public_pem(key: rsa.RSAPublicKey) -> str:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def _private_pem(key: Any) -> str:
    pem: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return pem.decode()
