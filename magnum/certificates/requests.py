"""Reading certificate requests: what may be asked of a bay's authority, and what is left of it.

An extension that is not allowed is dropped, or refused if the request calls it critical. The same holds for parts of
an allowed one: key usages beyond the usual and the wish to be an authority.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtensionOID, NameOID

from magnum.common.exception import Invalid

_SMALLEST_RSA = 2048
_LONGEST_PEM = 64 * 1024
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_KEY_USAGES = frozenset({"digital_signature", "key_encipherment", "content_commitment"})
_AUTHORITY_USAGES = frozenset({"key_cert_sign", "crl_sign"})
EVERY_USAGE = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
)

BOOTSTRAP_ORGANIZATION = "system:bootstrappers:kubeadm:default-node-token"
BOOTSTRAP_USER = "system:bootstrap:"


@dataclass(frozen=True)
class Wanted:
    """A request that may be signed: its subject, its key, and those of its extensions that are allowed."""

    subject: x509.Name
    public_key: Any
    extensions: tuple[x509.Extension[Any], ...]


def read(pem: str, allow_ca: bool) -> Wanted:
    """The request in this text.

    :raises Invalid: it is none, or asks for what is not given
    """
    request = _load(pem)
    return Wanted(request.subject, request.public_key(), tuple(_allowed(request, allow_ca)))


def check_node_subject(subject: x509.Name) -> None:
    """A node gets a certificate that lets it join its bay, and no other.

    :raises Invalid: the subject is another
    """
    organizations = subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    names = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    right = (
        len(list(subject)) == 2
        and [item.value for item in organizations] == [BOOTSTRAP_ORGANIZATION]
        and len(names) == 1
        and _is_bootstrap_user(str(names[0].value))
    )
    if not right:
        raise Invalid(
            f"With a bootstrap token only the subject O={BOOTSTRAP_ORGANIZATION}, CN={BOOTSTRAP_USER}<hostname> is "
            "signed."
        )


def _is_bootstrap_user(name: str) -> bool:
    host = name.removeprefix(BOOTSTRAP_USER)
    return name.startswith(BOOTSTRAP_USER) and 0 < len(host) <= 63 and host.replace("-", "").replace(".", "").isalnum()


def _load(pem: str) -> x509.CertificateSigningRequest:
    if len(pem) > _LONGEST_PEM:
        raise Invalid(f"csr has more than the {_LONGEST_PEM} characters allowed.")
    try:
        request = x509.load_pem_x509_csr(pem.encode())
        signed = request.is_signature_valid
        _check_key(request.public_key())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Invalid("csr is not a certificate signing request in PEM that can be read.") from error
    if not signed:
        raise Invalid("csr is not signed with the key it holds.")
    return request


def _check_key(key: Any) -> None:
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < _SMALLEST_RSA:
            raise Invalid(f"csr holds an RSA key of {key.key_size} bits; use at least {_SMALLEST_RSA}.")
    elif isinstance(key, ec.EllipticCurvePublicKey):
        if not isinstance(key.curve, _CURVES):
            raise Invalid(f"csr holds a key on the curve {key.curve.name}; use P-256, P-384 or P-521.")
    elif not isinstance(key, ed25519.Ed25519PublicKey):
        raise Invalid("csr holds a key of a kind that is not signed; use RSA, ECDSA or Ed25519.")


def _allowed(request: x509.CertificateSigningRequest, allow_ca: bool) -> list[x509.Extension[Any]]:
    try:
        asked = list(request.extensions)
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise Invalid("csr holds extensions that cannot be read.") from error
    return [kept for extension in asked if (kept := _weakened(extension, allow_ca)) is not None]


def _weakened(extension: x509.Extension[Any], allow_ca: bool) -> x509.Extension[Any] | None:
    rule = _RULES.get(extension.oid)
    value = rule(extension.value, allow_ca) if rule is not None else None
    if value != extension.value and extension.critical:
        raise Invalid(f"Extension '{_name(extension)}' not allowed: the request calls it critical.")
    return x509.Extension(extension.oid, extension.critical, value) if value is not None else None


def _name(extension: x509.Extension[Any]) -> str:
    if extension.oid == ExtensionOID.KEY_USAGE:
        return "keyUsage"
    if extension.oid == ExtensionOID.BASIC_CONSTRAINTS:
        return "basicConstraints"
    return str(extension.oid.dotted_string)


def _as_asked(value: x509.ExtensionType, _allow_ca: bool) -> x509.ExtensionType:
    return value


def _key_usage(value: x509.KeyUsage, allow_ca: bool) -> x509.KeyUsage | None:
    allowed = _KEY_USAGES | _AUTHORITY_USAGES if allow_ca else _KEY_USAGES
    usages = {name: bool(getattr(value, name)) and name in allowed for name in EVERY_USAGE}
    if not any(usages.values()):
        return None
    return x509.KeyUsage(**usages, encipher_only=False, decipher_only=False)


def _basic_constraints(value: x509.BasicConstraints, allow_ca: bool) -> x509.BasicConstraints:
    return value if allow_ca or not value.ca else x509.BasicConstraints(ca=False, path_length=None)


_RULES: dict[x509.ObjectIdentifier, Callable[[Any, bool], x509.ExtensionType | None]] = {
    ExtensionOID.KEY_USAGE: _key_usage,
    ExtensionOID.EXTENDED_KEY_USAGE: _as_asked,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME: _as_asked,
    ExtensionOID.BASIC_CONSTRAINTS: _basic_constraints,
    ExtensionOID.SUBJECT_KEY_IDENTIFIER: _as_asked,
}
