"""What a bay's authority makes and signs."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store
from oslo_config import cfg
from sqlalchemy import select

from magnum.certificates.authority import Authority, Kind
from magnum.common import clock
from magnum.common.exception import Conflict, Invalid
from magnum.db import models
from magnum.db.session import Database
from tests.unit.certificates.conftest import BAY

NODE_ORGANIZATION = "system:bootstrappers:kubeadm:default-node-token"


def name(**parts: str) -> x509.Name:
    oids = {"cn": NameOID.COMMON_NAME, "o": NameOID.ORGANIZATION_NAME, "c": NameOID.COUNTRY_NAME}
    return x509.Name([x509.NameAttribute(oids[part], value) for part, value in parts.items()])


def request(
    subject: x509.Name, *extensions: tuple[x509.ExtensionType, bool], key: Any = None, digest: Any = None
) -> str:
    key = key or ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    if digest is None and not isinstance(key, ed25519.Ed25519PrivateKey):
        digest = hashes.SHA256()
    return builder.sign(key, digest).public_bytes(serialization.Encoding.PEM).decode()


def usages(**wanted: bool) -> x509.KeyUsage:
    every = dict.fromkeys(
        (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(**{**every, **wanted})


def sign(authority: Authority, database: Database, csr: str) -> x509.Certificate:
    with database.reader() as session:
        return x509.load_pem_x509_certificate(authority.sign(session, BAY, csr).encode())


def sign_for_node(authority: Authority, database: Database, csr: str) -> x509.Certificate:
    with database.reader() as session:
        return x509.load_pem_x509_certificate(authority.sign_for_node(session, BAY, csr).encode())


def rows(database: Database) -> dict[str, str]:
    with database.reader() as session:
        return {row.kind: row.certificate for row in session.scalars(select(models.Certificate))}


def ca_of(authority: Authority, database: Database) -> x509.Certificate:
    with database.reader() as session:
        return x509.load_pem_x509_certificate(authority.ca_pem(session, BAY).encode())


def test_making_twice_leaves_the_same(authority: Authority, database: Database) -> None:
    before = rows(database)
    assert set(before) == set(Kind)
    with database.writer() as session:
        authority.ensure(session, BAY, "my-bay")
    assert rows(database) == before


def test_what_is_missing_is_made(authority: Authority, database: Database) -> None:
    before = rows(database)
    with database.writer() as session:
        for row in session.scalars(select(models.Certificate).where(models.Certificate.kind == Kind.ETCD_CA)):
            session.delete(row)
    with database.writer() as session:
        authority.ensure(session, BAY, "my-bay")
    after = rows(database)
    assert after.pop(Kind.ETCD_CA) != before.pop(Kind.ETCD_CA)
    assert after == before


def test_the_ca_is_one(authority: Authority, database: Database, conf: cfg.ConfigOpts) -> None:
    ca = ca_of(authority, database)
    assert ca.subject == ca.issuer == name(cn="my-bay")
    constraints = ca.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value) == (True, x509.BasicConstraints(ca=True, path_length=0))
    usage = ca.extensions.get_extension_for_class(x509.KeyUsage)
    assert (usage.critical, usage.value) == (True, usages(key_cert_sign=True))
    assert ca.not_valid_after_utc - clock.now() > timedelta(days=conf.certificates.term_of_validity - 1)


def test_private_keys_are_stored_encrypted(authority: Authority, database: Database) -> None:
    with database.reader() as session:
        assert not any("PRIVATE" in row.private_key for row in session.scalars(select(models.Certificate)))


@pytest.mark.parametrize(
    ("bay_name", "common_name"),
    [
        ("n" * 255, "n" * 64),
        ("漢" * 22, "漢" * 21),
        ("x" + "😀" * 20, "x" + "😀" * 15),
        ("", "other"),
        ("  ", "other"),
    ],
)
def test_a_name_is_cut_to_what_a_certificate_takes(
    authority: Authority, database: Database, bay_name: str, common_name: str
) -> None:
    with database.writer() as session:
        authority.ensure(session, "other", bay_name)
    with database.reader() as session:
        files = authority.control_plane_files(session, "other")
    names = {
        file: x509.load_pem_x509_certificate(files[f"{file}.crt"].encode()).subject.rfc4514_string()
        for file in ("ca", "etcd/ca", "front-proxy-ca")
    }
    assert names["ca"] == f"CN={common_name}"
    assert names["etcd/ca"].endswith(" etcd-ca")
    assert names["front-proxy-ca"].endswith(" front-proxy-ca")


def test_masters_get_pairs_that_belong_together(authority: Authority, database: Database) -> None:
    with database.reader() as session:
        files = authority.control_plane_files(session, BAY)
    for ca in ("ca", "etcd/ca", "front-proxy-ca"):
        certificate = x509.load_pem_x509_certificate(files[f"{ca}.crt"].encode())
        key = serialization.load_pem_private_key(files[f"{ca}.key"].encode(), None)
        assert certificate.public_key() == key.public_key()
    account = serialization.load_pem_private_key(files["sa.key"].encode(), None)
    assert serialization.load_pem_public_key(files["sa.pub"].encode()) == account.public_key()


def test_a_tenants_request_is_signed_as_it_is(authority: Authority, database: Database) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = name(cn="admin", o="system:masters")
    signed = sign(authority, database, request(subject, key=key))
    assert signed.subject == subject
    assert signed.public_key() == key.public_key()
    assert signed.issuer == name(cn="my-bay")
    signed.verify_directly_issued_by(ca_of(authority, database))
    assert signed.not_valid_after_utc <= ca_of(authority, database).not_valid_after_utc


def test_allowed_extensions_stay(authority: Authority, database: Database) -> None:
    names = x509.SubjectAlternativeName([x509.DNSName("example.org")])
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    csr = request(
        name(cn="server"),
        (names, False),
        (purposes, False),
        (usages(digital_signature=True), True),
        (x509.BasicConstraints(ca=False, path_length=None), True),
    )
    signed = sign(authority, database, csr)
    assert signed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value == names
    assert signed.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value == purposes
    assert signed.extensions.get_extension_for_class(x509.KeyUsage).value == usages(digital_signature=True)
    verifier = (
        PolicyBuilder().store(Store([ca_of(authority, database)])).build_server_verifier(x509.DNSName("example.org"))
    )
    verifier.verify(signed, [])


@pytest.mark.parametrize(
    "extension",
    [
        x509.BasicConstraints(ca=True, path_length=None),
        usages(key_cert_sign=True),
        x509.NameConstraints([x509.DNSName("org")], None),
    ],
)
def test_what_is_not_allowed_is_dropped_or_refused_when_critical(
    authority: Authority, database: Database, extension: x509.ExtensionType
) -> None:
    with pytest.raises(Invalid, match="not allowed"):
        sign(authority, database, request(name(cn="x"), (extension, True)))
    signed = sign(authority, database, request(name(cn="x"), (extension, False)))
    assert extension not in [item.value for item in signed.extensions]
    assert not signed.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_an_authority_is_signed_where_the_operator_says_so(
    authority: Authority, database: Database, conf: cfg.ConfigOpts
) -> None:
    conf.set_override("allow_ca", True, group="certificates")
    wanted = x509.BasicConstraints(ca=True, path_length=None)
    signed = sign(authority, database, request(name(cn="x"), (wanted, True), (usages(key_cert_sign=True), True)))
    assert signed.extensions.get_extension_for_class(x509.BasicConstraints).value == wanted


def test_all_usual_keys_are_signed(authority: Authority, database: Database) -> None:
    for key in (ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP384R1())):
        assert sign(authority, database, request(name(cn="x"), key=key)).public_key() == key.public_key()


def test_weak_and_odd_keys_are_refused(authority: Authority, database: Database) -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
    for key in (weak, ec.generate_private_key(ec.SECP256K1()), dsa.generate_private_key(2048)):
        with pytest.raises(Invalid):
            sign(authority, database, request(name(cn="x"), key=key))


def test_a_request_signed_with_another_key_is_refused(authority: Authority, database: Database) -> None:
    pem = request(name(cn="x"))
    der = bytearray(x509.load_pem_x509_csr(pem.encode()).public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    forged = x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM).decode()
    with pytest.raises(Invalid, match="not signed"):
        sign(authority, database, forged)


@pytest.mark.parametrize(
    "pem",
    [
        "",
        "x",
        "\udcff",
        "é",
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
        "A" * 70000,
    ],
)
def test_what_is_no_request_is_refused(authority: Authority, database: Database, pem: str) -> None:
    with pytest.raises(Invalid, match="csr"):
        sign(authority, database, pem)


def test_a_bay_without_certificates_cannot_sign(authority: Authority, database: Database) -> None:
    with pytest.raises(Conflict, match="no certificates"), database.reader() as session:
        authority.sign(session, "other", request(name(cn="x")))


def test_a_node_gets_a_certificate_to_join_with_and_for_a_short_time(
    authority: Authority, database: Database, conf: cfg.ConfigOpts
) -> None:
    subject = name(o=NODE_ORGANIZATION, cn="system:bootstrap:my-bay-node-0")
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    signed = sign_for_node(authority, database, request(subject, (purposes, False)))
    assert signed.subject == subject
    assert list(signed.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.CLIENT_AUTH
    ]
    ttl = timedelta(seconds=conf.bay.bootstrap_token_ttl)
    assert signed.not_valid_after_utc <= clock.now() + ttl


@pytest.mark.parametrize(
    "subject",
    [
        name(o="system:masters", cn="admin"),
        name(o=NODE_ORGANIZATION, cn="admin"),
        name(o=NODE_ORGANIZATION, cn="system:bootstrap:"),
        name(o=NODE_ORGANIZATION, cn="system:bootstrap:a b"),
        name(o=NODE_ORGANIZATION, cn="system:bootstrap:a", c="DE"),
        name(cn="system:bootstrap:a"),
        x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, NODE_ORGANIZATION),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:masters"),
                x509.NameAttribute(NameOID.COMMON_NAME, "system:bootstrap:a"),
            ]
        ),
    ],
)
def test_a_node_gets_no_other_identity(authority: Authority, database: Database, subject: x509.Name) -> None:
    with pytest.raises(Invalid, match="bootstrap token"):
        sign_for_node(authority, database, request(subject))


def test_magnums_own_credentials_are_an_administrators_for_a_day(authority: Authority, database: Database) -> None:
    with database.reader() as session:
        mine = authority.client_credentials(session, BAY)
    certificate = x509.load_pem_x509_certificate(mine.certificate_pem.encode())
    assert certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "system:masters"
    certificate.verify_directly_issued_by(ca_of(authority, database))
    assert certificate.not_valid_after_utc - clock.now() <= timedelta(days=1)
    assert mine.key_pem not in repr(mine)


def test_an_authority_that_has_ended_signs_nothing_and_says_so(
    authority: Authority, database: Database, conf: cfg.ConfigOpts, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = clock.now() + timedelta(days=conf.certificates.term_of_validity + 1)
    monkeypatch.setattr(clock, "now", lambda: later)
    with database.reader() as session, pytest.raises(Conflict, match=rf"authority of bay {BAY} ended on \d{{4}}-"):
        authority.client_credentials(session, BAY)
