"""Certificates: a bay's CA, and what it signs. Asked for by tenants, and by nodes with their bootstrap token.

A node is answered for its own bay only, and only what it needs to join it, while the operation that builds it is open;
the keys of the control plane go to masters, and the bay's story tells each time they do. Until then whoever may read
the project's stacks may find a master's token there, so they go out no more often than masters can need them: somebody
else who asks too often is seen, and so is one who came first, by the master that asks in vain.
"""

from typing import Any

from sqlalchemy.orm import Session
from wsme import types as wtypes

from magnum.api import views
from magnum.api.call import Answer, Call, Services
from magnum.api.fields import Field, Use, problem
from magnum.api.resources.bays import find_parent
from magnum.api.shapes import Object, Plain, Reply
from magnum.api.types import Links, Schema, Text
from magnum.certificates.bootstrap import BootstrapIdentity, Role
from magnum.common.context import service_context
from magnum.common.exception import Forbidden, Invalid
from magnum.db import models, operations, resources

_LONGEST_CSR = 65536
_EXAMPLE_CSR = """\
-----BEGIN CERTIFICATE REQUEST-----
MIHgMIGHAgEAMCUxEzARBgNVBAoMCmRldmVsb3BlcnMxDjAMBgNVBAMMBWFsaWNl
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEQc2rZj26AGj8yDEt/+sgjQCxOOgS
+1hUoufh2OMUO1LHAgxh+mH1THKJl4P602peW+8UYAqgRs3cKyhxw3urgqAAMAoG
CCqGSM49BAMCA0gAMEUCIBXzZ/rtsMuuFRAiHTjlwdIA6BQaaYq4wHLOUOqtADxj
AiEA2etMLESc++9LbWLiJ03ttU6jkw9bGiJWZ0ullJ+oXuo=
-----END CERTIFICATE REQUEST-----
"""
_KEYS_GIVEN = operations.Event("The control plane's keys were handed to a master.")
_KEYS_REFUSED = operations.Event(
    "The control plane's keys were asked for more often than masters can need them, and are given no more. "
    "If this creation fails, somebody else may have a master's token: find out who, and create another bay.",
    "error",
)
_TIMES_PER_MASTER = 2
"""A master asks once, and again where the answer was lost."""


class CertificateFields(wtypes.Base):
    """A bay's certificate; a bay may be called a cluster, as later clients do."""

    bay_uuid = Field(Text(255), text="Uuid or name of the bay.", example="web")
    cluster_uuid = Field(Text(255), text="The same, as later clients call it.", example="web")
    csr = Field(Text(_LONGEST_CSR), mandatory=True, text="A certificate signing request in PEM.", example=_EXAMPLE_CSR)
    pem = Field(Text(_LONGEST_CSR), use=Use.SHOWN)
    links = Field(Links(), use=Use.SHOWN)


_OF_CA = Object(CertificateFields, ("bay_uuid", "cluster_uuid", "pem"))
_FILES: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
SHOWN = (Reply(200, _OF_CA),)
SIGNED = (Reply(201, Object(CertificateFields)),)
CONTROL_PLANE = (Reply(200, Plain({"type": "object", "properties": {"files": _FILES}, "required": ["files"]})),)


class Certificates:
    """What is answered under /v1/certificates."""

    def show(self, call: Call) -> Answer:
        """The certificate of a bay's CA."""
        if call.node is None:
            call.allow("certificate:get")
        authority, ident = call.services.authority, call.arguments["ident"]
        with call.services.database.reader() as session:
            if call.node is not None:
                bay, _operation = _own_bay(session, call.node, ident)
            else:
                bay = resources.find(session, call.context, models.Bay, ident)
                call.allow("certificate:get", {"project_id": bay.project_id, "user_id": bay.user_id})
            return Answer(_view(call, bay.uuid, pem=authority.ca_pem(session, bay.uuid)))

    def sign(self, call: Call) -> Answer:
        """Sign a request with a bay's CA."""
        if call.node is None:
            call.allow("certificate:create")
        ident, csr = _read(call)
        if call.node is not None:
            bay_uuid, pem = _sign_for_node(call.services, call.node, ident, csr)
        else:
            bay_uuid, pem = _sign_for_tenant(call, ident, csr)
        return Answer(_view(call, bay_uuid, csr=csr, pem=pem), 201)

    def control_plane(self, call: Call) -> Answer:
        """The keys that make a machine a master of its bay; for nobody but a master that is about to be one."""
        if call.node is None or call.node.role is not Role.MASTER:
            raise Forbidden("The keys of a control plane are given to the masters of that bay only.")
        with call.services.database.writer() as session:
            bay, operation = _own_bay(session, call.node, call.arguments["ident"], to_change=True)
            files = _control_plane_files(call.services, session, bay, operation)
        if files is None:  # said here, as the count and the story are to be kept
            raise Forbidden("The keys of this control plane were given as often as its masters can need them.")
        return Answer({"files": files})


def _control_plane_files(
    services: Services, session: Session, bay: models.Bay, operation: models.Operation
) -> dict[str, str] | None:
    """The keys; None when they were given often enough."""
    most = _TIMES_PER_MASTER * bay.master_count
    if operation.keys_given > most:
        return None
    files = services.authority.control_plane_files(session, bay.uuid)
    operation.keys_given += 1
    refused = operation.keys_given > most
    operations.tell(session, operation, _KEYS_REFUSED if refused else _KEYS_GIVEN)
    return None if refused else files


def _read(call: Call) -> tuple[str, str]:
    problems: list[str] = []
    given = call.read(CertificateFields, "certificate", problems)
    ident = given.get("bay_uuid") or given.get("cluster_uuid")
    if ident is None and not any(" bay_uuid." in text or " cluster_uuid." in text for text in problems):
        problems.append(problem("bay_uuid", None, "Mandatory field missing."))
    if problems:
        raise Invalid(problems)
    return str(ident), str(given["csr"])


def _sign_for_node(services: Services, node: BootstrapIdentity, ident: str, csr: str) -> tuple[str, str]:
    with services.database.reader() as session:
        bay, _operation = _own_bay(session, node, ident)
        return bay.uuid, services.authority.sign_for_node(session, bay.uuid, csr)


def _sign_for_tenant(call: Call, ident: str, csr: str) -> tuple[str, str]:
    bay = find_parent(call, ident)
    call.allow("certificate:create", {"project_id": bay.project_id, "user_id": bay.user_id})
    with call.services.database.reader() as session:
        return bay.uuid, call.services.authority.sign(session, bay.uuid, csr)


def _own_bay(
    session: Session, node: BootstrapIdentity, ident: str, *, to_change: bool = False
) -> tuple[models.Bay, models.Operation]:
    """The bay of the node, if that is the one it names, and the operation that builds the node.

    :raises Forbidden: it names another, and whether there is one is not told; or the operation is over
    :raises NotFound: its bay is gone
    """
    if ident != node.bay_uuid:
        raise Forbidden("This bootstrap token is for another bay.")
    operation = operations.find_open(session, node.operation_uuid, to_change=to_change)
    if operation is None:
        raise Forbidden("The operation that this node belongs to is over, and its bootstrap token with it.")
    return resources.find(session, service_context(), models.Bay, node.bay_uuid), operation


def _view(call: Call, bay_uuid: str, **values: str) -> dict[str, Any]:
    links = views.links(call.host_url, "certificates", bay_uuid)
    return {"bay_uuid": bay_uuid, "cluster_uuid": bay_uuid, **values, "links": links}
