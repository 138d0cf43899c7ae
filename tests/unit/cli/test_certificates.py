"""ca-show, ca-sign and bay-config."""

import base64
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from .conftest import Answer, Ran, Seen, StubCloud

Run = Callable[..., Ran]

BAY = {"uuid": "u1", "name": "web", "baymodel_id": "m1", "api_address": "https://10.0.0.3:6443", "status": "X"}


@pytest.fixture
def bay(cloud: StubCloud) -> dict[str, Any]:
    row = dict(BAY)
    cloud.on("GET /v1/bays/web", 200, row)
    cloud.on("GET /v1/baymodels/m1", 200, {"uuid": "m1", "coe": "kubernetes", "tls_disabled": False})
    cloud.on("GET /v1/certificates/u1", 200, {"bay_uuid": "u1", "pem": "AUTHORITY\n"})
    cloud.on("POST /v1/certificates", 201, {"bay_uuid": "u1", "pem": "SIGNED\n"})
    return row


def test_ca_show_prints_the_certificate_alone(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("GET /v1/certificates/web", 200, {"pem": "-----BEGIN CERTIFICATE-----\nAA\n"})
    assert magnum("ca-show", "--bay", "web").out == "-----BEGIN CERTIFICATE-----\nAA\n"


def test_ca_sign_sends_the_request(magnum: Run, cloud: StubCloud, tmp_path: Path) -> None:
    (tmp_path / "a.csr").write_text("CSR")
    cloud.on("POST /v1/certificates", 201, {"pem": "SIGNED"})
    assert magnum("ca-sign", "--bay", "web", "--csr", str(tmp_path / "a.csr")).out == "SIGNED\n"
    assert cloud.seen[0].body == {"bay_uuid": "web", "csr": "CSR"}


@pytest.mark.usefixtures("bay")
def test_bay_config_writes_a_kubeconfig(magnum: Run, cloud: StubCloud, tmp_path: Path) -> None:
    requests: list[Seen] = []

    def sign(seen: Seen) -> Answer:
        requests.append(seen)
        return 201, {"pem": "SIGNED\n"}

    cloud.handlers["POST /v1/certificates"] = sign
    where = tmp_path / "a dir"
    ran = magnum("bay-config", "web", "--dir", str(where))
    assert ran.code == 0
    assert ran.out == f"export KUBECONFIG='{where}/config'\n"
    assert stat.S_IMODE((where / "config").stat().st_mode) == 0o600
    assert [path.name for path in where.iterdir()] == ["config"]

    config = yaml.safe_load((where / "config").read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    assert cluster["server"] == "https://10.0.0.3:6443"
    assert base64.b64decode(cluster["certificate-authority-data"]) == b"AUTHORITY\n"
    assert base64.b64decode(user["client-certificate-data"]) == b"SIGNED\n"
    assert config["current-context"] == config["contexts"][0]["name"] == "web"

    csr = x509.load_pem_x509_csr(requests[0].body["csr"].encode())
    assert csr.subject.rfc4514_string() == "CN=admin,O=system:masters"
    key = serialization.load_pem_private_key(base64.b64decode(user["client-key-data"]), None)
    assert key.public_key() == csr.public_key()


@pytest.mark.usefixtures("bay")
def test_bay_config_keeps_what_is_there_unless_forced(magnum: Run, cloud: StubCloud, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("precious")
    ran = magnum("bay-config", "web", "--dir", str(tmp_path))
    assert ran.code == 2
    assert "--force" in ran.err
    assert not cloud.seen
    assert (tmp_path / "config").read_text() == "precious"
    assert magnum("bay-config", "web", "--dir", str(tmp_path), "--force").code == 0
    assert "precious" not in (tmp_path / "config").read_text()
    assert stat.S_IMODE((tmp_path / "config").stat().st_mode) == 0o600


def test_a_bay_that_is_not_there_yet(magnum: Run, bay: dict[str, Any], tmp_path: Path) -> None:
    bay |= {"api_address": None, "status": "CREATE_IN_PROGRESS"}
    ran = magnum("bay-config", "web", "--dir", str(tmp_path))
    assert ran.code == 1
    assert "no API address (status CREATE_IN_PROGRESS)" in ran.err
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("bay")
def test_a_bay_without_tls_needs_no_certificate(magnum: Run, cloud: StubCloud, tmp_path: Path) -> None:
    cloud.on("GET /v1/baymodels/m1", 200, {"coe": "kubernetes", "tls_disabled": True})
    magnum("bay-config", "web", "--dir", str(tmp_path))
    assert not [seen for seen in cloud.seen if "certificates" in seen.path]
    assert yaml.safe_load((tmp_path / "config").read_text())["users"][0]["user"] == {}


@pytest.mark.usefixtures("bay")
def test_another_kind_of_cluster(magnum: Run, cloud: StubCloud, tmp_path: Path) -> None:
    cloud.on("GET /v1/baymodels/m1", 200, {"coe": "swarm"})
    ran = magnum("bay-config", "web", "--dir", str(tmp_path))
    assert ran.code == 1
    assert "of type swarm" in ran.err


@pytest.mark.usefixtures("bay")
def test_a_place_that_cannot_be_written(magnum: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = magnum("bay-config", "web", "--dir", str(tmp_path / "file" / "below"))
    assert ran.code == 2
    assert "cannot be written" in ran.err
