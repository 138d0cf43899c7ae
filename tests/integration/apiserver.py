"""A real Kubernetes API server on loopback, with its etcd and a throw-away authority, and no nodes."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from magnum.coe.kubernetes import KubernetesBay
from magnum.coe.kubernetes_api import Access
from magnum.common.exception import BayUnreachable
from magnum.localcloud import debian
from magnum.localcloud.files import exclusive
from magnum.localcloud.paths import cache_root
from tests.integration.cloud import eventually
from tests.integration.services import free_port, free_ports
from tests.pki import Authority, account_key


@contextmanager
def api_server(binary: Path, folder: Path) -> Iterator[Access]:
    """Run the API server and its etcd in a folder; gives a cluster administrator's access to it."""
    authority = Authority.make()
    with ExitStack() as stack:
        etcd_url = _start_etcd(stack, folder)
        certificate, key = authority.issue("admin", "system:masters")
        port = free_port()
        access = Access(f"https://127.0.0.1:{port}", authority.pem, certificate, key)
        _start_api_server(stack, binary, folder, authority, etcd_url, port)
        eventually(lambda: _is_up(access), "the API server is ready", 60)
        yield access


def with_client(access: Access, authority: Authority) -> Access:
    """The same server, as a client that some other authority vouches for."""
    certificate, key = authority.issue("admin", "system:masters")
    return replace(access, certificate=certificate, key=key)


def _start_etcd(stack: ExitStack, folder: Path) -> str:
    binary = shutil.which("etcd") or _kept_etcd()
    url, peer = (f"http://127.0.0.1:{port}" for port in free_ports(2))
    _start(
        stack,
        [
            binary,
            f"--data-dir={folder / 'etcd'}",
            f"--listen-client-urls={url}",
            f"--advertise-client-urls={url}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
        ],
        folder / "etcd.log",
    )
    return url


def _kept_etcd() -> str:
    """Debian's etcd, not installed, as that would start a service; fetched once per machine."""
    folder = cache_root() / "etcd" / debian.RELEASE
    folder.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(folder.parent / "lock"):
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix="making-") as making:
                archive = debian.Archive(Path(making, "apt"), Path(making, "log"))
                archive.update()
                archive.unpack_packages(["etcd-server"], Path(making, "unpacked"))
                Path(making, "unpacked").rename(folder)
    return str(folder / "usr/bin/etcd")


def _start_api_server(
    stack: ExitStack, binary: Path, folder: Path, authority: Authority, etcd_url: str, port: int
) -> None:
    certificate, key = authority.issue("kube-apiserver", "kubernetes", "127.0.0.1")
    files = {"ca.crt": authority.pem, "server.crt": certificate, "server.key": key, "account.key": account_key()}
    for name, content in files.items():
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(content)
    _start(
        stack,
        [
            str(binary),
            f"--etcd-servers={etcd_url}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--client-ca-file={folder / 'ca.crt'}",
            f"--tls-cert-file={folder / 'server.crt'}",
            f"--tls-private-key-file={folder / 'server.key'}",
            f"--service-account-key-file={folder / 'account.key'}",
            f"--service-account-signing-key-file={folder / 'account.key'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.254.0.0/16",
            "--authorization-mode=RBAC",
            # Nobody here makes the service accounts that pods are given.
            "--disable-admission-plugins=ServiceAccount",
        ],
        folder / "apiserver.log",
    )


def _start(stack: ExitStack, argv: list[str], log: Path) -> None:
    output = stack.enter_context(log.open("w"))
    process = subprocess.Popen(argv, stdout=output, stderr=subprocess.STDOUT)
    stack.callback(process.wait, 30)
    stack.callback(process.terminate)


def _is_up(access: Access) -> bool:
    """Whether it is ready and has made what it makes by itself, the namespace default before its service."""
    try:
        with KubernetesBay(access, timeout=2) as bay:
            return bay.healthy() and "kubernetes" in [service.name for service in bay.list("service")]
    except BayUnreachable:
        return False
