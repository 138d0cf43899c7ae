"""The main job, shown: a Kubernetes cluster is asked for, built, used and changed, and one that must fail says why.

Each command is printed as a user would type it and run by a shell; what it shows is checked, so a demonstration that
ends well has proved what it says. Run again it uses the bay that is there and makes only what is missing.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from magnum.localcloud import figures
from magnum.localcloud.cloud import LocalCloud
from magnum.localcloud.paths import SOURCE_ROOT, CloudPaths
from magnum.localcloud.settings import stored
from magnum.localcloud.transcript import CommandError, Transcript

BAY = "k8s"
BAYMODEL = "kubernetes"
FAILING_BAY = "must-fail"
FAILING_BAYMODEL = "no-such-image"
_IMAGE = "debian-kubernetes"
_MISSING_IMAGE = "an-image-that-does-not-exist"
_MANIFESTS = Path("examples/kubernetes")
_SERVERS = "--flavor-id m1.small --external-network-id public"
_NODE_PORT = 30080
_PODS_SECONDS = 120
_NODES_SECONDS = 60
# A bay whose last change failed works on; the change is asked for again.
_USABLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED")


class DemoError(Exception):
    """What was shown is not what should be."""


def command(options: argparse.Namespace) -> int:
    """`magnum-local demo`."""
    paths = CloudPaths.named(options.name)
    settings = stored(paths)
    if settings is None or not paths.openrc.exists():
        raise DemoError(f"There is no cloud {options.name!r} yet. First: magnum-local up --name {options.name}")
    try:
        Demo(LocalCloud(paths, settings)).run()
    except CommandError as error:
        raise DemoError(
            f"{error}\nThe logs are in {paths.logs}; `magnum-local demo --name {options.name}` goes on from here."
        ) from error
    return 0


class Demo:
    """The story, chapter by chapter."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._paths = cloud.paths
        self._shell = Transcript(_environment(cloud.paths), SOURCE_ROOT)

    def run(self) -> None:
        self._shell.say(f"$ . {self._paths.openrc}")
        self._build()
        self._look()
        self._workloads()
        self._scale_pods()
        self._scale_bay()
        self._kubectl()
        self._failure()
        self._how_to_go_on()
        figures.show(figures.measure(self._cloud, self._shell, BAY))

    def _build(self) -> None:
        self._shell.heading("A Kubernetes cluster of one master and one node")
        if self._shell.ask(f"magnum baymodel-show {BAYMODEL}") is None:
            self._make_baymodel(BAYMODEL, _IMAGE)
        bay = self._settled_bay(BAY)
        if bay is not None and bay["status"] not in _USABLE:
            self._shell.run(f"magnum bay-delete {BAY} --wait")
            bay = None
        if bay is None:
            self._shell.run(f"magnum bay-create --name {BAY} --baymodel {BAYMODEL} --node-count 1 --wait")
            bay = self._shell.ask(f"magnum bay-show {BAY}")
        else:
            self._shell.say(f"The bay {BAY} is there from an earlier run.")
        _check(bay is not None and bay["status"] in _USABLE, f"the bay {BAY} is not complete: {bay}")

    def _look(self) -> None:
        self._shell.heading("What was built")
        self._shell.run(f"magnum bay-show {BAY}")
        self._shell.wait(
            "The nodes are Ready",
            f"magnum node-list --bay {BAY}",
            lambda nodes: len(nodes or ()) >= 2 and all(node["status"] == "Ready" for node in nodes),
            _NODES_SECONDS,
        )

    def _workloads(self) -> None:
        self._shell.heading("A pod, a replication controller and a service, from manifests")
        self._create("pod", "hello", "pod.yaml")
        self._create("rc", "web", "rc.yaml")
        self._create("coe-service", "web", "service.yaml")
        self._shell.wait("The pods run", f"magnum pod-list --bay {BAY}", lambda pods: _running(pods, 3), _PODS_SECONDS)
        self._shell.run(f"magnum rc-list --bay {BAY}")
        self._shell.run(f"magnum coe-service-list --bay {BAY}")
        self._shell.say("\nThe service answers at every node; from here, at the first:")
        address = self._node_addresses()[0]
        outcome = self._shell.run(f"curl --silent --show-error --max-time 10 --retry 5 --retry-all-errors {address}")
        _check(outcome.output.strip() != "", "the service answered with nothing")

    def _scale_pods(self) -> None:
        self._shell.heading("Four replicas instead of two")
        self._shell.run(f"magnum rc-update web --bay {BAY} replace manifest={_MANIFESTS / 'rc-four.yaml'}")
        self._shell.wait("The pods run", f"magnum pod-list --bay {BAY}", lambda pods: _running(pods, 5), _PODS_SECONDS)

    def _scale_bay(self) -> None:
        self._shell.heading("A second node")
        bay = self._shell.ask(f"magnum bay-show {BAY}")
        if bay["node_count"] < 2 or bay["status"] in ("UPDATE_FAILED", "ROLLBACK_FAILED"):
            self._shell.run(f"magnum bay-update {BAY} replace node_count=2 --wait")
        else:
            self._shell.say(f"The bay {BAY} has {bay['node_count']} nodes from an earlier run.")
        self._shell.wait(
            "The second node is Ready",
            f"magnum node-list --bay {BAY}",
            lambda nodes: len(nodes or ()) >= 3 and all(node["status"] == "Ready" for node in nodes),
            _NODES_SECONDS,
        )

    def _kubectl(self) -> None:
        self._shell.heading("The cluster belongs to its tenant: kubectl, with a certificate the bay's authority signed")
        folder = self._paths.root / "kubeconfig"
        self._shell.run(f"magnum bay-config {BAY} --dir {folder} --force")
        self._shell.export("KUBECONFIG", str(folder / "config"))
        outcome = self._shell.run("kubectl get nodes")
        _check(outcome.output.count(" Ready ") >= 3, "kubectl does not show three Ready nodes")

    def _failure(self) -> None:
        self._shell.heading("A cluster that must fail, and says why: its image does not exist")
        if self._shell.ask(f"magnum baymodel-show {FAILING_BAYMODEL}") is None:
            self._make_baymodel(FAILING_BAYMODEL, _MISSING_IMAGE)
        bay = self._settled_bay(FAILING_BAY)
        if bay is None:
            self._shell.run(f"magnum bay-create --name {FAILING_BAY} --baymodel {FAILING_BAYMODEL} --wait", fails=True)
        outcome = self._shell.run(f"magnum bay-show {FAILING_BAY} -c name -c status -c status_reason")
        _check("CREATE_FAILED" in outcome.output, f"the bay {FAILING_BAY} did not fail")
        _check(_MISSING_IMAGE in _joined(outcome.output), "the reason does not name the image")
        self._shell.run(f"magnum bay-event-list {FAILING_BAY}")

    def _how_to_go_on(self) -> None:
        name = "" if self._paths.name == "demo" else f" --name {self._paths.name}"
        self._shell.heading("How to go on")
        self._shell.say(
            f"The cloud runs, with its bays. In any shell:\n\n"
            f"    . {self._paths.openrc}              # magnum and kubectl are then on the PATH\n"
            f"    export KUBECONFIG={self._paths.root / 'kubeconfig' / 'config'}\n"
            f"    magnum bay-list; magnum help; kubectl get pods -o wide\n\n"
            f"    magnum-local status{name}      # what runs, and where it logs\n"
            f"    magnum-local down{name}        # to stop it all; `magnum-local up{name}` goes on with it\n"
            f"    magnum-local reset{name}       # to remove it all\n"
        )

    def _make_baymodel(self, name: str, image: str) -> None:
        self._shell.run(f"magnum baymodel-create --name {name} --coe kubernetes --image-id {image} {_SERVERS}")

    def _create(self, kind: str, name: str, manifest: str) -> None:
        if self._shell.ask(f"magnum {kind}-show {name} --bay {BAY}") is None:
            self._shell.run(f"magnum {kind}-create --bay {BAY} --manifest {_MANIFESTS / manifest}")
        else:
            self._shell.say(f"The {kind} {name} is there from an earlier run.")

    def _settled_bay(self, name: str) -> Any:
        """The bay of that name, when what is in progress with it has ended; None where there is none."""
        bay = self._shell.ask(f"magnum bay-show {name}")
        if bay is not None and bay["status"].endswith("IN_PROGRESS"):
            self._shell.until(
                f"The bay {name} is settled",
                f"magnum bay-show {name}",
                lambda shown: shown is None or not shown["status"].endswith("IN_PROGRESS"),
                3600,
            )
            bay = self._shell.ask(f"magnum bay-show {name}")
        return bay

    def _node_addresses(self) -> list[str]:
        nodes = self._shell.ask(f"magnum node-list --bay {BAY}")
        return [f"http://{address}:{_NODE_PORT}/" for node in nodes for address in node["addresses"]]


def _environment(paths: CloudPaths) -> dict[str, str]:
    """What a shell has after `. openrc`, and nothing of the caller's that could steer a command."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "PATH", "TERM") if name in os.environ}
    if sys.stdout.isatty():
        kept["CLIFF_MAX_TERM_WIDTH"] = str(shutil.get_terminal_size().columns)  # the commands write to a pipe

    text = subprocess.run(
        ["bash", "-c", f". {shlex.quote(str(paths.openrc))} && env -0"],
        env=kept,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout
    return dict(line.split("=", 1) for line in text.split("\0") if "=" in line)


def _running(pods: Sequence[dict[str, Any]] | None, count: int) -> bool:
    """Whether so many of our own pods run; others that somebody made are not ours to judge."""
    ours = [pod for pod in pods or () if pod["name"] == "hello" or pod["name"].startswith("web-")]
    return len([pod for pod in ours if pod["status"] == "Running"]) >= count


def _joined(table: str) -> str:
    """The text of a table whose cells may be broken over lines."""
    return "".join(part.strip() for line in table.splitlines() for part in line.split("|"))


def _check(true: bool, otherwise: str) -> None:
    if not true:
        raise DemoError(f"The demonstration stops here: {otherwise}")
