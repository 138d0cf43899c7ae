"""A kubeconfig for a bay. The private key is made here and never leaves this machine."""

import argparse
import base64
import os
import shlex
import tempfile
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from magnum.cli.certificates import pem_of
from magnum.cli.client import Row
from magnum.cli.command import Verb
from magnum.cli.errors import CliError, UsageError
from magnum.cli.text import clean_line

_KEPT = "{} exists already. Use it, choose another place with --dir, or replace it with --force."


class BayConfig(Verb):
    """Write a kubeconfig with a new administrator's certificate for a bay, and say how to use it."""

    example = 'eval "$(magnum bay-config web --dir ~/web)" && kubectl get nodes'

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which bay and where to."""
        parser = super().get_parser(prog_name)
        parser.add_argument("bay", metavar="BAY", help="name or uuid of the bay")
        parser.add_argument("--dir", default=".", metavar="DIR", help="where to write `config` (default: here)")
        parser.add_argument("--force", action="store_true", help="replace a `config` that is there already")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Get a certificate and write the file."""
        target = Path(parsed_args.dir).expanduser().absolute() / "config"
        if target.exists() and not parsed_args.force:
            raise UsageError(_KEPT.format(target))  # said before a certificate is made in vain
        bay = self.client.get("bays", parsed_args.bay)
        content = yaml.safe_dump(self._kubeconfig(bay), sort_keys=False)
        write_private(target, content, replace=parsed_args.force)
        self.app.stdout.write(f"export KUBECONFIG={shlex.quote(str(target))}\n")

    def _kubeconfig(self, bay: Row) -> dict[str, Any]:
        name = str(bay.get("name") or bay["uuid"])
        server = bay.get("api_address")
        if not server:
            shown = clean_line(name)
            raise CliError(f"Bay {shown} has no API address (status {bay.get('status')}). See: magnum bay-show {shown}")
        baymodel = self.client.get("baymodels", str(bay["baymodel_id"]))
        if baymodel.get("coe") != "kubernetes":
            raise CliError(f"Bay {clean_line(name)} is of type {baymodel.get('coe')}, which has no kubeconfig.")
        if baymodel.get("tls_disabled"):
            return kubeconfig(name, {"server": server}, {})
        return kubeconfig(name, *self._credentials(str(bay["uuid"]), str(server)))

    def _credentials(self, uuid: str, server: str) -> tuple[dict[str, str], dict[str, str]]:
        key, csr = make_request()
        signed = pem_of(self.client.post("certificates", body={"bay_uuid": uuid, "csr": csr}))
        authority = pem_of(self.client.get("certificates", uuid))
        cluster = {"server": server, "certificate-authority-data": _data(authority)}
        return cluster, {"client-certificate-data": _data(signed), "client-key-data": _data(key)}


def make_request() -> tuple[str, str]:
    """A new private key and a request for an administrator's certificate, both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:masters"),
            x509.NameAttribute(NameOID.COMMON_NAME, "admin"),
        ]
    )
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode(), csr.public_bytes(serialization.Encoding.PEM).decode()


def kubeconfig(name: str, cluster: dict[str, str], user: dict[str, str]) -> dict[str, Any]:
    """A kubeconfig with one cluster and one user, chosen."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": "admin", "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": "admin"}}],
        "current-context": name,
    }


def write_private(target: Path, content: str, *, replace: bool) -> None:
    """Write a file that only its owner can read; whole or not at all.

    :raises UsageError: it is there already and is not to be replaced, or it cannot be written
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".config-")  # made with mode 0600
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(content)
            if replace:
                Path(name).replace(target)
            else:
                target.hardlink_to(name)  # fails where the name is taken
        finally:
            Path(name).unlink(missing_ok=True)
    except FileExistsError:
        raise UsageError(_KEPT.format(target)) from None
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}.") from None


def _data(pem: str) -> str:
    return base64.b64encode(pem.encode()).decode()
