"""What the benchmark of the conductor runs on: a database, a Keystone, a Heat and a bay's API, all its own.

Bays are put where they wait for their stacks: their rows into the database, their stacks into the file of a Heat that
only plays (`magnum.localcloud.heat_stand_in`), which then has them in progress, and complete at times that are known.
"""

import ipaddress
import json
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cryptography import x509
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fake_bay import FakeBay
from fake_keystone import SERVICE, FakeKeystone
from oslo_config import cfg
from sqlalchemy import delete, func, insert, select
from stage import HOST, NotStarted, end, free_ports

from magnum import conf
from magnum.certificates.authority import Authority, Kind
from magnum.certificates.storage import SecretBox
from magnum.common.idents import new_uuid
from magnum.common.states import BayStatus, OperationState, Verb
from magnum.db import models
from magnum.db.session import Database
from magnum.localcloud.heat_stand_in.shapes import Group, Shape
from magnum.localcloud.heat_stand_in.stacks import COMPLETE, CREATE, IN_PROGRESS, Phase, Stack
from magnum.localcloud.heat_stand_in.store import Store

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.databases import running

_BIN = Path(sys.executable).parent
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_ROWS_AT_ONCE = 500
_OUTPUTS = ("api_address", "api_port", "coe_version", "masters", "nodes")
_BAYMODEL = {"name": "small", "coe": "kubernetes", "image_id": "debian", "flavor_id": "small", "server_type": "vm"}
NEVER = 86400.0


@dataclass
class Waiting:
    """A bay that waits for its stack, which is complete at that time (seconds since 1970)."""

    project: str
    complete_at: float
    uuid: str = field(default_factory=new_uuid)
    stack_id: str = field(default_factory=new_uuid)

    @property
    def stack_name(self) -> str:
        """As the conductor names it."""
        return f"bay-{self.uuid.replace('-', '')[:12]}"


@dataclass
class Place:
    """All that is there; `start` adds processes of Magnum."""

    stack: ExitStack
    folder: Path
    keystone: FakeKeystone
    heat_port: int
    control_port: int
    settings: dict[str, dict[str, str]]
    bay: FakeBay
    certificates: Sequence[dict[str, Any]]

    @property
    def database(self) -> Database:
        return Database(self.configuration())

    def configuration(self) -> cfg.ConfigOpts:
        return _load(self.folder)

    def start(self, command: str, options: dict[str, dict[str, str]] | None = None) -> subprocess.Popen[bytes]:
        """Start a process of Magnum with these options over the common ones."""
        name = f"{command}-{secrets.token_hex(2)}"
        _write(self.folder / f"{name}.conf", _merged(self.settings, options or {}))
        return self.run([str(_BIN / command), f"--config-file={self.folder / name}.conf"], name)

    def run(self, argv: list[str], name: str) -> subprocess.Popen[bytes]:
        """Start a process that ends with this place, or with this program where that is killed."""
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "--", *argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.stack.callback(end, process)
        return process

    def start_heat(self, latency: float, *, admin_sees_all: bool) -> None:
        """Start Heat with the stacks that were put into its file before."""
        argv = [sys.executable, "-m", "magnum.localcloud.heat_stand_in", "--keystone", self.keystone.url]
        argv += ["--port", str(self.heat_port), "--control-port", str(self.control_port)]
        self.run([*argv, "--state", str(self.folder / "heat.sqlite")], "heat")
        wait_for(self.heat_port, self.folder / "heat.log")
        bay = {"api_address": HOST, "api_port": self.bay.port}
        self.order("PUT", "/settings", {"latency": latency, "admin_sees_all": admin_sees_all, **bay})

    def order(self, method: str, path: str, values: dict[str, Any] | None = None) -> Any:
        """Speak to who drives Heat."""
        body = None if values is None else json.dumps(values).encode()
        request = urllib.request.Request(f"http://{HOST}:{self.control_port}{path}", data=body, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.loads(answer.read() or b"null")

    def calls(self) -> dict[str, int]:
        """Calls that Heat has had, by kind."""
        found: dict[str, int] = {}
        for name, count in self.order("GET", "/calls").items():
            kind = name.partition(" ")[0]
            found[kind] = found.get(kind, 0) + count
        return found


@contextmanager
def place(database: str, options: dict[str, dict[str, str]] | None = None) -> Iterator[Place]:
    """Everything but Heat and Magnum, up.

    :param database: sqlite, postgresql or mariadb
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="magnum-benchmark-")))
        url = f"sqlite:///{folder}/magnum.sqlite" if database == "sqlite" else stack.enter_context(running(database))
        heat_port, control_port = free_ports(2)
        keystone = stack.enter_context(FakeKeystone(f"http://{HOST}:{heat_port}"))
        settings = _merged(_settings(url, keystone.url), options or {})
        _write(folder / "magnum.conf", settings)
        configuration = _load(folder)
        upgrade = [str(_BIN / "magnum-db-manage"), f"--config-file={folder / 'magnum.conf'}", "upgrade"]
        subprocess.run(upgrade, check=True, capture_output=True, timeout=60)
        bay, certificates = _make_authority(folder, configuration)
        stack.enter_context(bay)
        yield Place(stack, folder, keystone, heat_port, control_port, settings, bay, certificates)


def put(on: Place, bays: Sequence[Waiting], begun: float) -> None:
    """Have these bays wait, their stacks in progress since then. Heat must not run yet."""
    put_stacks(on, bays, begun)
    put_rows(on, bays)


def put_stacks(on: Place, bays: Sequence[Waiting], begun: float) -> None:
    """Of these bays only the stacks."""
    store = Store(on.folder / "heat.sqlite")
    for bay in bays:
        store.save(_stack(bay, begun))


def put_rows(on: Place, bays: Sequence[Waiting]) -> None:
    """Of these bays only what Magnum's database has."""
    secret = SecretBox(on.configuration()).encrypt("password")
    database = on.database
    now = datetime.now(UTC)
    for start in range(0, len(bays), _ROWS_AT_ONCE):
        part = bays[start : start + _ROWS_AT_ONCE]
        with database.writer() as session:
            session.execute(insert(models.Bay), [_bay_row(bay, secret) for bay in part])
            session.execute(
                insert(models.Operation),
                [_operation_row(bay, now + timedelta(seconds=20 + number % 10)) for number, bay in enumerate(part)],
            )
            session.execute(
                insert(models.Certificate),
                [{**pair, "bay_uuid": bay.uuid} for bay in part for pair in on.certificates],
            )
    database.dispose()


def put_running(on: Place, bays: Sequence[Waiting], api_address: str) -> None:
    """Have bays that are complete, and have their APIs there; Heat knows nothing of them."""
    values = {"status": BayStatus.CREATE_COMPLETE, "api_address": api_address}
    database = on.database
    with database.writer() as session:
        session.execute(insert(models.Bay), [_bay_row(bay, "") | values for bay in bays])
        session.execute(
            insert(models.Certificate), [{**pair, "bay_uuid": bay.uuid} for bay in bays for pair in on.certificates]
        )
    database.dispose()


def clear_ended(database: Database) -> None:
    """Remove the rows of bays that are complete, as if they had been deleted."""
    with database.writer() as session:
        complete = select(models.Bay.uuid).where(models.Bay.status == BayStatus.CREATE_COMPLETE)
        for model in (models.Node, models.Certificate):
            session.execute(delete(model).where(model.bay_uuid.in_(complete)))
        session.execute(delete(models.Bay).where(models.Bay.status == BayStatus.CREATE_COMPLETE))


def count_done(database: Database) -> int:
    """Operations that have ended."""
    query = select(func.count()).select_from(models.Operation).where(models.Operation.state == OperationState.DONE)
    with database.reader() as session:
        return session.scalar(query) or 0


def ended_at(database: Database) -> dict[str, float]:
    """When each bay became complete, in seconds since 1970, as its story says."""
    query = select(models.BayEvent.bay_uuid, models.BayEvent.created_at).where(
        models.BayEvent.text.like("Bay % is complete.")
    )
    with database.reader() as session:
        return {uuid: when.timestamp() for uuid, when in session.execute(query)}


def wait_for(port: int, log: Path) -> None:
    """Until somebody listens there.

    :raises NotStarted: nobody does
    """
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection((HOST, port), timeout=5).close()
        except OSError as error:
            if time.monotonic() > deadline:
                said = log.read_text(errors="replace")[-1500:]
                raise NotStarted(f"nobody listens on port {port}: {said}") from error
            time.sleep(0.1)
        else:
            return


def _settings(url: str, keystone: str) -> dict[str, dict[str, str]]:
    account = {
        "auth_type": "password",
        "auth_url": keystone,
        "username": "magnum",
        "password": "none",
        "user_domain_id": "default",
        "project_name": SERVICE,
        "project_domain_id": "default",
    }
    token = {"www_authenticate_uri": keystone, "service_token_roles_required": "true"}
    return {
        "DEFAULT": {"transport_url": "fake://"},
        "certificates": {"encryption_key": Fernet.generate_key().decode()},
        "database": {"connection": url.replace("%", "%%")},
        "quotas": {"max_bays_per_project": "-1"},
        "keystone_auth": account,
        "keystone_authtoken": account | token,
    }


def _merged(one: dict[str, dict[str, str]], other: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    return {section: one.get(section, {}) | other.get(section, {}) for section in {**one, **other}}


def _write(path: Path, settings: dict[str, dict[str, str]]) -> None:
    lines = []
    for section, values in settings.items():
        lines += [f"[{section}]", *(f"{option} = {value}" for option, value in values.items())]
    path.touch(0o600)
    path.write_text("\n".join(lines) + "\n")


def _load(folder: Path) -> cfg.ConfigOpts:
    return conf.load([f"--config-file={folder / 'magnum.conf'}"])


def _make_authority(folder: Path, configuration: cfg.ConfigOpts) -> tuple[FakeBay, Sequence[dict[str, Any]]]:
    """A bay's API, and the key pairs that all bays share: to make them for 2,000 would take minutes."""
    authority, database, first = Authority(configuration), Database(configuration), new_uuid()
    key = ec.generate_private_key(ec.SECP256R1())
    with database.writer() as session:
        authority.ensure(session, first, "benchmark")
        certificate = authority.sign(session, first, _request(key))
        query = select(models.Certificate).where(
            models.Certificate.bay_uuid == first, models.Certificate.kind == Kind.CA
        )
        pairs = [
            {"kind": row.kind, "certificate": row.certificate, "private_key": row.private_key}
            for row in session.scalars(query)
        ]
    database.dispose()
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return FakeBay(folder, certificate, pem), pairs


def _request(key: ec.EllipticCurvePrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubernetes")])
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name).add_extension(names, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def _stack(bay: Waiting, begun: float) -> Stack:
    groups = tuple(Group(name, f"{name}_count", f"{name}_removed", "OS::Nova::Server") for name in ("masters", "nodes"))
    members = {group.name: [0] for group in groups}
    return Stack(
        id=bay.stack_id,
        name=bay.stack_name,
        project_id=bay.project,
        owner="benchmark",
        tags=[f"magnum-operation-{bay.uuid}"],
        shape=Shape("", frozenset(), frozenset(), {}, groups, dict.fromkeys(_OUTPUTS, "")),
        parameters={"name_prefix": bay.stack_name, "coe_version": "v1.20.2"},
        timeout_minutes=60,
        disable_rollback=True,
        created_at=begun,
        phases=[
            Phase(begun, CREATE, IN_PROGRESS, "Stack CREATE started", members),
            Phase(bay.complete_at, CREATE, COMPLETE, "Stack CREATE completed successfully", members),
        ],
    )


def _bay_row(bay: Waiting, secret: str) -> dict[str, Any]:
    return {
        "uuid": bay.uuid,
        "project_id": bay.project,
        "user_id": "user",
        "name": "bay",
        "baymodel_id": new_uuid(),
        "baymodel": _BAYMODEL,
        "status": BayStatus.CREATE_IN_PROGRESS,
        "stack_id": bay.stack_id,
        "trustee_user_id": f"user-of-{bay.uuid}",
        "trustee_secret": secret,
    }


def _operation_row(bay: Waiting, due_at: datetime) -> dict[str, Any]:
    return {
        "uuid": bay.uuid,
        "bay_uuid": bay.uuid,
        "project_id": bay.project,
        "user_id": "user",
        "verb": Verb.CREATE,
        "state": OperationState.RUNNING,
        "step": "stack",
        "due_at": due_at,
        "deadline": due_at + timedelta(hours=1),
    }
