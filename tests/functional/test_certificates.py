"""Certificates for tenants, and what a bootstrap token is good for: its own bay, and nothing else."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from oslo_config import cfg

from magnum.certificates.bootstrap import HEADER, BootstrapIdentity, BootstrapTokens, Role
from magnum.certificates.requests import BOOTSTRAP_ORGANIZATION
from magnum.db import models
from magnum.db.session import Database
from tests.functional.conftest import Client, People, sentences


def request_for(name: str, organization: str) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


NODE_CSR = request_for("system:bootstrap:web-node-0", BOOTSTRAP_ORGANIZATION)
ADMIN_CSR = request_for("admin", "system:masters")


@pytest.fixture
def node(application: Any, conf: cfg.ConfigOpts, database: Database, certified: str) -> Client:
    """A node of that bay."""
    return with_token(application, conf, database, certified, Role.NODE)


@pytest.fixture
def master(application: Any, conf: cfg.ConfigOpts, database: Database, certified: str) -> Client:
    """A master of that bay."""
    return with_token(application, conf, database, certified, Role.MASTER)


def identity(database: Database, bay: str, role: Role) -> BootstrapIdentity:
    """What the operation that creates this bay gives its nodes."""
    with database.reader() as session:
        operation = session.query(models.Operation).filter_by(bay_uuid=bay, verb="create").one()
    return BootstrapIdentity(bay, role, operation.uuid)


def with_token(application: Any, conf: cfg.ConfigOpts, database: Database, bay: str, role: Role) -> Client:
    token = BootstrapTokens(conf).issue(identity(database, bay, role), timedelta(seconds=60))
    return Client(application, None, {HEADER: token})


def test_tenant(alice: Client, certified: str) -> None:
    for ident in (certified, "web"):
        answer = alice.get(f"/v1/certificates/{ident}").json
        assert answer["bay_uuid"] == certified
        assert answer["links"][0]["href"] == f"http://localhost/v1/certificates/{certified}"
        ca = x509.load_pem_x509_certificate(answer["pem"].encode())
    for name in ("bay_uuid", "cluster_uuid"):
        response = alice.post("/v1/certificates", {name: "web", "csr": ADMIN_CSR})
        assert response.status_int == 201
        assert "Location" not in response.headers
        signed = x509.load_pem_x509_certificate(response.json["pem"].encode())
        signed.verify_directly_issued_by(ca)
        assert response.json["csr"] == ADMIN_CSR


def test_bad_requests(alice: Client, certified: str) -> None:
    assert len(sentences(alice.post("/v1/certificates", {}))) == 2
    for csr in ("x", "-----BEGIN CERTIFICATE REQUEST-----\nx\n-----END CERTIFICATE REQUEST-----\n", 5, ["x"]):
        assert alice.post("/v1/certificates", {"bay_uuid": "web", "csr": csr}).status_int == 400
    assert alice.get("/v1/certificates").status_int == 405


def test_certificates_are_not_there_yet(alice: Client, bay: dict[str, Any]) -> None:
    assert alice.get("/v1/certificates/web").status_int == 409


def test_node_gets_ca_and_its_own_certificate(node: Client, master: Client, certified: str) -> None:
    for machine in (node, master):
        ca = x509.load_pem_x509_certificate(machine.get(f"/v1/certificates/{certified}").json["pem"].encode())
        response = machine.post("/v1/certificates", {"bay_uuid": certified, "csr": NODE_CSR})
        assert response.status_int == 201
        assert set(response.json) >= {"bay_uuid", "csr", "pem"}
        x509.load_pem_x509_certificate(response.json["pem"].encode()).verify_directly_issued_by(ca)
        assert machine.post("/v1/certificates", {"bay_uuid": certified, "csr": ADMIN_CSR}).status_int == 400


def test_control_plane_is_for_masters_alone(
    alice: Client, people: People, node: Client, master: Client, certified: str
) -> None:
    path = f"/v1/certificates/{certified}/control-plane"
    files = master.get(path).json["files"]
    pairs = {f"{name}.{ending}" for name in ("ca", "etcd/ca", "front-proxy-ca") for ending in ("crt", "key")}
    assert set(files) == pairs | {"sa.key", "sa.pub"}
    operator = people("project-a", "operator", ["admin", "member", "reader"])
    for client in (node, alice, operator):
        response = client.get(path)
        assert response.status_int == 403
        assert "PRIVATE" not in response.text


def test_token_is_for_its_own_bay(
    application: Any, conf: cfg.ConfigOpts, alice: Client, certified: str, database: Database
) -> None:
    other = alice.post("/v1/bays", {"name": "other", "baymodel_id": "small"}).json["uuid"]
    stranger = with_token(application, conf, database, other, Role.MASTER)
    assert stranger.get(f"/v1/certificates/{certified}").status_int == 403
    assert stranger.get("/v1/certificates/web").status_int == 403
    assert stranger.get(f"/v1/certificates/{certified}/control-plane").status_int == 403
    assert stranger.post("/v1/certificates", {"bay_uuid": certified, "csr": NODE_CSR}).status_int == 403
    with database.writer() as session:
        session.query(models.Bay).filter_by(uuid=other).delete()
    assert stranger.get(f"/v1/certificates/{other}").status_int == 404


def test_token_opens_nothing_else(node: Client, master: Client, certified: str) -> None:
    for machine in (node, master):
        for method, path in (
            ("GET", "/v1/bays"),
            ("GET", f"/v1/bays/{certified}"),
            ("DELETE", f"/v1/bays/{certified}"),
            ("POST", "/v1/bays"),
            ("GET", f"/v1/bays/{certified}/events"),
            ("GET", "/v1/nodes"),
            ("POST", f"/v1/certificates/{certified}"),
            ("GET", "/v1/certificates"),
            ("GET", f"/v1/certificates/{certified}/control-plane/x"),
            ("GET", "/v1/nothing"),
        ):
            assert machine.request(method, path).status_int == 401, path


@pytest.mark.parametrize("end", ["done", "failed", "superseded"])
def test_token_ends_with_its_operation(
    node: Client, master: Client, certified: str, database: Database, end: str
) -> None:
    with database.writer() as session:
        session.query(models.Operation).update({"state": "running"})
    path = f"/v1/certificates/{certified}"
    assert master.get(f"{path}/control-plane").status_int == 200
    with database.writer() as session:
        session.query(models.Operation).update({"state": end})
    for machine in (node, master):
        refused = [machine.get(path), machine.post("/v1/certificates", {"bay_uuid": certified, "csr": NODE_CSR})]
        refused.append(machine.get(f"{path}/control-plane"))
        assert [response.status_int for response in refused] == [403] * 3
        assert "operation" in sentences(refused[0])[0]
    assert "is over" in sentences(master.get(f"{path}/control-plane"))[0]


def test_bays_story_tells_who_got_its_keys(alice: Client, node: Client, master: Client, certified: str) -> None:
    def told() -> int:
        events = alice.get(f"/v1/bays/{certified}/events").json["events"]
        return [event["text"] for event in events].count("The control plane's keys were handed to a master.")

    for machine, times in ((node, 0), (master, 1), (master, 2)):
        machine.get(f"/v1/certificates/{certified}/control-plane")
        assert told() == times


def test_keys_are_given_no_more_often_than_masters_need_them(
    alice: Client, master: Client, certified: str, database: Database
) -> None:
    def story() -> list[tuple[str, str]]:
        events = alice.get(f"/v1/bays/{certified}/events").json["events"]
        return [(event["level"], event["text"][:38]) for event in events if "keys" in event["text"]]

    path = f"/v1/certificates/{certified}/control-plane"
    assert [master.get(path).status_int for _ in range(5)] == [200, 200, 403, 403, 403]
    assert "as often as its masters can need them" in sentences(master.get(path))[0]
    assert [level for level, _ in story()] == ["info", "info", "error"]
    assert master.get(f"/v1/certificates/{certified}").status_int == 200
    with database.writer() as session:
        session.query(models.Bay).filter_by(uuid=certified).update({"master_count": 3})
        session.query(models.Operation).update({"keys_given": 0})
    assert [master.get(path).status_int for _ in range(7)] == [200] * 6 + [403]


def test_bad_tokens(application: Any, conf: cfg.ConfigOpts, certified: str, database: Database) -> None:
    path = f"/v1/certificates/{certified}"
    expired = BootstrapTokens(conf).issue(identity(database, certified, Role.NODE), timedelta(seconds=-1))
    for token in ("", "x", "é", "g" * 5000, expired):
        response = Client(application, None, {HEADER: token.encode("utf-8").decode("latin-1")}).get(path)
        assert response.status_int == 401, token
        assert response.headers["WWW-Authenticate"]


def test_identity_cannot_be_put_into_headers(nobody: Client, certified: str) -> None:
    spoofed = {
        "X_Project_Id": "project-a",
        "X_User_Id": "alice",
        "X_Roles": "admin,member",
        "X_Identity_Status": "Confirmed",
        "Magnum_Context": "x",
        "Magnum_Bootstrap_Identity": "x",
    }
    assert nobody.get(f"/v1/certificates/{certified}", **spoofed).status_int == 401
    assert nobody.get("/v1/bays", **spoofed).status_int == 401
