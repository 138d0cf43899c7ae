#!/usr/bin/env python3
"""Makes this server a node of its bay's Kubernetes cluster, and tells Heat how it went.

cloud-init runs it once, at the first boot, with what the node is to be in /etc/magnum. It gets the authority of the
bay and its own credentials from Magnum with a bootstrap token, lets kubeadm do the rest, and signals the wait
condition of its stack when Kubernetes calls this node Ready; or at once when a step fails, with the step and the
reason.

Masters after the first join one after another, since etcd takes one new member at a time. Workers join whenever the
API answers, and get everything ready meanwhile.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cluster
import https
import software
import storage
import system
from system import Failed, log

MAGNUM = Path("/etc/magnum")
PKI = Path("/etc/kubernetes/pki")
KUBEADM_CONFIG = MAGNUM / "kubeadm.yaml"
KUBELET_CERTIFICATE = Path("/var/lib/kubelet/pki/kubelet-client-current.pem")
ETCD_MANIFEST = Path("/etc/kubernetes/manifests/etcd.yaml")
ETCD_PODS = Path("/var/log/pods")
KUBEADM_LOG = Path("/var/log/magnum-kubeadm.log")
DISCOVERY_FILE = MAGNUM / "discovery.conf"
SECRETS = ("bootstrap-token", "signal", "bootstrap.key", "bootstrap.csr", "discovery.conf", "kubeadm.yaml")

BOOTSTRAP_GROUP = "system:bootstrappers:kubeadm:default-node-token"
_MAGNUM_PATIENCE = 300  # seconds of Magnum's silence that a node bears
_ETCD_PATIENCE = 15  # seconds from its manifest to its pod
_REASON_LENGTH = 250
_SYSCTLS = {"net/ipv4/ip_forward": "1", "net/bridge/bridge-nf-call-iptables": "1"}
_ROUTES_UNIT = Path(__file__).with_name("magnum-routes.service")
_ADVICE = ("To see the stack trace", "If you know what you are doing", "Please, check the contents")
_METADATA_ADDRESS = "169.254.169.254"


class Node:
    """This server and what it is to become."""

    def __init__(self, description: dict[str, Any], token: str) -> None:
        self.name: str = description["name"]
        self.role: str = description["role"]
        self.api_url = cluster.url(description)
        self.address: str = description["address"]
        self.bay: str = description["bay_uuid"]
        self.volume: str = description["volume_id"]
        self.settings: dict[str, Any] = description["settings"]
        self.deadline = time.monotonic() + int(description["timeout"])
        authority = MAGNUM / "magnum-ca.pem"
        self.magnum = https.Client(
            description["magnum_url"],
            ca_file=str(authority) if authority.exists() and authority.stat().st_size else "",
            headers={"X-Bay-Bootstrap-Token": token},
            proxies=True,
        )

    def steps(self) -> list[tuple[str, Callable[[], None]]]:
        prepare = [
            ("volume", self.mount_volume),
            ("system", self.prepare_system),
            ("software", self.install_software),
            ("network", self.prepare_network),
        ]
        if self.role == "first-master":
            build = [
                ("control plane keys", self.fetch_control_plane_keys),
                ("kubeadm init", self.init),
                ("cluster objects", self.create_objects),
            ]
        else:
            keys = [("control plane keys", self.fetch_control_plane_keys)] if self.role == "master" else []
            build = [
                ("bay certificate", self.fetch_authority),
                *keys,
                ("node credentials", self.make_credentials),
                ("waiting for the control plane", self.wait_for_control_plane),
                ("kubeadm join", self.join),
            ]
        return [*prepare, *build, ("waiting to be Ready", self.wait_until_ready)]

    def mount_volume(self) -> None:
        if self.volume:
            storage.mount(self.volume, self.deadline)

    def prepare_system(self) -> None:
        subprocess.run(["modprobe", "-a", "overlay", "br_netfilter"], capture_output=True, check=False)
        lines = [f"{name.replace('/', '.')} = {value}\n" for name, value in _SYSCTLS.items()]
        Path("/etc/sysctl.d/90-kubernetes.conf").write_text("".join(lines))
        for name, value in _SYSCTLS.items():
            setting = Path("/proc/sys") / name
            if setting.exists() and setting.read_text().strip() != value:
                setting.write_text(value)

    def install_software(self) -> None:
        software.install(self.settings)
        software.configure_containerd(self.settings)

    def prepare_network(self) -> None:
        # What a pod finds at the metadata service is this server's user_data, with its bootstrap token.
        system.run("iptables", "-w", "-I", "FORWARD", "-d", _METADATA_ADDRESS, "-j", "REJECT")
        if self.settings["network_driver"] == "bridge":
            system.run("systemctl", "enable", "--now", "--no-block", "--quiet", str(_ROUTES_UNIT))

    def fetch_authority(self) -> None:
        answer = self.ask_magnum("GET", f"/v1/certificates/{self.bay}")
        system.write(PKI / "ca.crt", answer["pem"], mode=0o644)

    def fetch_control_plane_keys(self) -> None:
        files = self.ask_magnum("GET", f"/v1/certificates/{self.bay}/control-plane")["files"]
        for name, text in files.items():
            path = (PKI / name).resolve()
            if not path.is_relative_to(PKI):
                raise Failed(f"Magnum sent a file outside {PKI}")
            system.write(path, text)

    def make_credentials(self) -> None:
        """Have a client certificate signed that is good for joining and nothing else."""
        key, request = MAGNUM / "bootstrap.key", MAGNUM / "bootstrap.csr"
        system.write(key, system.run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout"))
        subject = f"/O={BOOTSTRAP_GROUP}/CN=system:bootstrap:{self.name}"
        system.run("openssl", "req", "-new", "-key", str(key), "-subj", subject, "-out", str(request))
        body = {"bay_uuid": self.bay, "csr": request.read_text()}
        certificate = self.ask_magnum("POST", "/v1/certificates", body)["pem"]
        config = cluster.kubeconfig(self.api_url, (PKI / "ca.crt").read_text(), certificate, key.read_text())
        system.write(DISCOVERY_FILE, json.dumps(config))

    def wait_for_control_plane(self) -> None:
        """Wait until nodes may join; a master also for its turn."""
        api = cluster.client(self.api_url, DISCOVERY_FILE)
        system.wait_for(
            lambda: cluster.may_join(api, self.name), self.deadline, f"the API at {self.api_url} takes no nodes"
        )
        if self.role == "master":
            prefix, _, index = self.name.rpartition("-")
            before = f"{prefix}-{int(index) - 1}"
            system.wait_for(lambda: cluster.ready(api, before), self.deadline, f"{before} is not Ready")

    def init(self) -> None:
        kubeadm = self.kubeadm("init")
        self.see_etcd_start(kubeadm)
        kubeadm.finish(self.deadline)

    def join(self) -> None:
        """Join. A kubelet that has just got its certificate may go on without it for ten seconds, over connections that
        it opened before; started anew it uses it at once. That of a master is left alone, as etcd comes right then.
        """
        kubeadm = self.kubeadm("join")
        system.wait_for(
            lambda: kubeadm.ended() or KUBELET_CERTIFICATE.exists() or None, self.deadline, "no certificate"
        )
        if self.role == "master":
            self.see_etcd_start(kubeadm)
        elif not kubeadm.ended():
            system.run("systemctl", "restart", "kubelet")
        kubeadm.finish(self.deadline)

    def see_etcd_start(self, kubeadm: "Kubeadm") -> None:
        """A kubelet that was started a moment ago does not know its disk yet, and refuses etcd, which wants some of it,
        once and for all. An etcd that was announced and never starts stops the whole cluster; started anew the kubelet
        looks again.
        """
        while not (kubeadm.ended() or next(ETCD_PODS.glob("kube-system_etcd-*"), None)):
            if time.monotonic() > self.deadline:
                return
            if ETCD_MANIFEST.exists() and time.time() - ETCD_MANIFEST.stat().st_mtime > _ETCD_PATIENCE:
                system.run("systemctl", "restart", "kubelet")
                os.utime(ETCD_MANIFEST)
            time.sleep(system.POLL_INTERVAL)

    def kubeadm(self, verb: str) -> "Kubeadm":
        phases = [phase for phase in self.settings["skipped_phases"] if verb == "init" or phase == "preflight"]
        return Kubeadm(verb, phases)

    def create_objects(self) -> None:
        port = self.api_url.rpartition(":")[2]
        admin = cluster.client(f"https://{self.address}:{port}", Path("/etc/kubernetes/admin.conf"))
        for item in self.settings["objects"]:
            cluster.apply(admin, item, self.deadline)

    def wait_until_ready(self) -> None:
        api = https.Client(self.api_url, str(PKI / "ca.crt"), str(KUBELET_CERTIFICATE))
        system.wait_for(lambda: cluster.ready(api, self.name), self.deadline, "not Ready")

    def ask_magnum(self, method: str, path: str, body: Any = None) -> Any:
        """Ask until Magnum answers; what it refuses is final."""
        last: list[str] = []

        def ask() -> Any:
            try:
                return self.magnum.call(method, path, body)
            except https.Unreachable as error:
                last[:] = [str(error)]
            except https.Refused as error:
                if error.code < 500:
                    raise Failed(f"Magnum refused: {error}") from error
                last[:] = [str(error)]
            return None

        deadline = min(self.deadline, time.monotonic() + _MAGNUM_PATIENCE)
        try:
            return system.wait_for(ask, deadline, "Magnum")
        except Failed as error:
            raise Failed(f"{error}; {last[0]}" if last else str(error)) from error


class Kubeadm:
    """A run of kubeadm, its output kept in a log that only root reads."""

    def __init__(self, verb: str, skipped_phases: Sequence[str]) -> None:
        command = ["kubeadm", verb, "--config", str(KUBEADM_CONFIG)]
        if skipped_phases:
            command.append("--skip-phases=" + ",".join(skipped_phases))
        self._verb = verb
        with os.fdopen(os.open(KUBEADM_LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            self._process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)

    def ended(self) -> bool:
        return self._process.poll() is not None

    def finish(self, deadline: float) -> None:
        try:
            code = self._process.wait(timeout=max(deadline - time.monotonic(), 1))
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise Failed(f"kubeadm {self._verb} did not end in time: {self._complaint()}") from None
        if code:
            raise Failed(self._complaint())

    def _complaint(self) -> str:
        """What kubeadm found wrong: its errors come before a line of advice."""
        lines = [line.strip() for line in KUBEADM_LOG.read_text(errors="replace").splitlines() if line.strip()]
        lines = [line for line in lines if not line.startswith(_ADVICE)]
        errors = [line for line in lines if re.match(r"\[?error", line, re.IGNORECASE)]
        return " ".join(errors[-3:] or lines[-1:]) or "failed without a word"


def signal(command: str, status: str, reason: str) -> None:
    """Tell Heat. ``command`` is the curl command that Heat itself gave for this."""
    arguments = shlex.split(command)
    authority = MAGNUM / "magnum-ca.pem"
    if authority.exists() and authority.stat().st_size:
        arguments += ["--cacert", str(authority)]
    arguments += ["--silent", "--show-error", "--fail", "--max-time", "30", "--retry", "10", "--retry-connrefused"]
    system.run(*arguments, "--data-binary", "@-", stdin=json.dumps({"status": status, "reason": reason}))


def set_up(node: Node) -> str:
    """Do all steps; return "" or what failed."""
    for title, step in node.steps():
        started = time.monotonic()
        try:
            step()
        except (Failed, https.Refused, https.Unreachable) as error:
            return f"{node.name}: {title}: {error}"
        except Exception as error:  # noqa: BLE001 - whatever it was, the owner of the bay must hear of it now
            log(f"{title}: {error!r}")
            return f"{node.name}: {title}: {type(error).__name__}: {error}"
        log(f"{title}: {time.monotonic() - started:.1f} s")
    return ""


def proxies(description: dict[str, Any]) -> dict[str, str]:
    """The proxies of the bay, not used for what only Heat knew: the addresses of its API and of this server."""
    given: dict[str, str] = description["settings"]["proxies"]
    if not given:
        return {}
    return given | {"no_proxy": ",".join([given["no_proxy"], description["api_address"], description["address"]])}


def main() -> int:
    description = json.loads((MAGNUM / "node.json").read_text())
    token = (MAGNUM / "bootstrap-token").read_text().strip()
    command = (MAGNUM / "signal").read_text()
    (MAGNUM / "bootstrap-token").unlink()
    software.use_proxies(proxies(description))
    failure = set_up(Node(description, token))
    if failure:
        log(failure)
        signal(command, "FAILURE", failure.replace(token, "***")[:_REASON_LENGTH])
    else:
        signal(command, "SUCCESS", f"{description['name']} is Ready")
    for name in SECRETS:
        (MAGNUM / name).unlink(missing_ok=True)
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())
