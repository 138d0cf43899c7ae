"""The cluster's API, as far as a node speaks to it."""

import base64
import http
import re
import tempfile
from pathlib import Path
from typing import Any

import https
import system

# Kinds of the objects a bay starts with, and where they live in the API.
_COLLECTIONS = {
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "ConfigMap": "configmaps",
    "DaemonSet": "daemonsets",
    "Namespace": "namespaces",
    "ServiceAccount": "serviceaccounts",
}


def url(description: dict[str, Any]) -> str:
    """Where the bay's servers reach its API."""
    return f"https://{description['api_address']}:{description['api_port']}"


def kubeconfig(server: str, authority: str, certificate: str, key: str) -> dict[str, Any]:
    """Return a kubeconfig with everything inside; JSON is YAML enough for its readers."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "bay", "cluster": {"server": server, "certificate-authority-data": _encoded(authority)}}],
        "users": [
            {
                "name": "node",
                "user": {"client-certificate-data": _encoded(certificate), "client-key-data": _encoded(key)},
            }
        ],
        "contexts": [{"name": "node", "context": {"cluster": "bay", "user": "node"}}],
        "current-context": "node",
    }


def client(url: str, config: Path) -> https.Client:
    """Return a client of ``url`` with the credentials embedded in a kubeconfig."""
    text = config.read_text()
    files = []
    with tempfile.TemporaryDirectory(dir="/run") as folder:
        for field in ("certificate-authority-data", "client-certificate-data", "client-key-data"):
            found = re.search(rf'"?{field}"?: *"?([A-Za-z0-9+/=]+)', text)
            if found is None:
                raise system.Failed(f"{config} has no {field}")
            files.append(Path(folder) / field)
            system.write(files[-1], base64.b64decode(found[1]).decode())
        authority, certificate, key = map(str, files)
        return https.Client(url, authority, certificate, key)  # which reads the files now


def may_join(api: https.Client, name: str) -> bool | None:
    """Return True once the cluster lets joining nodes look for themselves: kubeadm init grants that almost last."""
    try:
        api.call("GET", f"/api/v1/nodes/{name}", timeout=3)
    except https.Unreachable:
        return None
    except https.Refused as error:
        return True if error.code == http.HTTPStatus.NOT_FOUND else None
    return True


def ready(api: https.Client, name: str) -> bool | None:
    """Return True once the node of that name is Ready, None before."""
    try:
        conditions = api.call("GET", f"/api/v1/nodes/{name}", timeout=5)["status"].get("conditions", [])
    except (https.Unreachable, https.Refused):
        return None
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions) or None


def apply(api: https.Client, item: dict[str, Any], deadline: float) -> None:
    """Create an object, or make it what it is to be."""
    path = f"{_collection(item)}/{item['metadata']['name']}?fieldManager=magnum&force=true"

    def attempt() -> bool | None:
        try:
            api.call("PATCH", path, item, content_type="application/apply-patch+yaml")
        except https.Unreachable:
            return None
        return True

    system.wait_for(attempt, deadline, f"creating {item['kind']} {item['metadata']['name']}")


def _collection(item: dict[str, Any]) -> str:
    group = item["apiVersion"]
    root = f"/apis/{group}" if "/" in group else f"/api/{group}"
    namespace = item["metadata"].get("namespace")
    return f"{root}/{f'namespaces/{namespace}/' if namespace else ''}{_COLLECTIONS[item['kind']]}"


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
