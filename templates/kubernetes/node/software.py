"""What a node needs to have installed: containerd, CNI plugins, kubeadm and kubelet, and how containerd is set up.

An image that carries all of it is used as it is, so nothing here needs the internet then. What is missing comes from
the distribution's packages, and Kubernetes itself from the download place the bay names.
"""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import system

CNI_FOLDER = Path("/opt/cni/bin")
CONTAINERD_CONFIG = Path("/etc/containerd/config.toml")
_CNI_PACKAGE_FOLDERS = (Path("/usr/lib/cni"), Path("/usr/libexec/cni"))
_PROXY_FILE = Path("/etc/magnum/proxy.env")
_PROXY_UNIT = Path("/etc/systemd/system/containerd.service.d/10-magnum-proxy.conf")
_BINARIES = Path("/usr/local/bin")
_UNIT = Path("/etc/systemd/system/kubelet.service")
_UNIT_SOURCE = Path(__file__).with_name("kubelet.service")
_COMMANDS = ("containerd", "iptables", "conntrack", "openssl")
_PACKAGES = "containerd containernetworking-plugins iptables socat ethtool openssl"
_INSTALLERS = {
    "apt-get": f"apt-get update -q && apt-get install -q -y --no-install-recommends {_PACKAGES} conntrack",
    "dnf": f"dnf install -y {_PACKAGES} conntrack-tools",
    "zypper": f"zypper --non-interactive install {_PACKAGES} conntrack-tools",
}
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_CAP_SYS_RESOURCE = 24
_CONTAINERD = """\
# Written when the node was set up.
version = 2

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = ""
  restrict_oom_score_adj = {restricted}

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni_folder}"
    conf_dir = "/etc/cni/net.d"

  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
"""


def use_proxies(proxies: dict[str, str]) -> None:
    """Have this process, its children and containerd go through proxies.

    The driver admits no quotes, backslashes or blanks in these values, so they are safe in the file systemd reads.
    """
    if not proxies:
        return
    os.environ.update({name.lower(): value for name, value in proxies.items()})
    os.environ.update({name.upper(): value for name, value in proxies.items()})
    system.write(_PROXY_FILE, "".join(f'{name.upper()}="{value}"\n' for name, value in proxies.items()))
    system.write(_PROXY_UNIT, f"[Service]\nEnvironmentFile={_PROXY_FILE}\n", mode=0o644)
    system.run("systemctl", "daemon-reload")


def install(settings: dict[str, Any]) -> None:
    """Install what the image lacks."""
    if not all(shutil.which(command) for command in _COMMANDS) or not _cni_plugins():
        _install_packages()
    CNI_FOLDER.mkdir(parents=True, exist_ok=True)
    for plugin in _cni_plugins():
        target = CNI_FOLDER / plugin.name
        if not target.exists():
            target.symlink_to(plugin)
    for name in ("kubeadm", "kubelet"):
        if _installed_version(name) != settings["kube_tag"]:
            _download(name, settings)
    if subprocess.run(["systemctl", "cat", "kubelet"], capture_output=True, check=False).returncode:
        shutil.copyfile(_UNIT_SOURCE, _UNIT)
        system.run("systemctl", "daemon-reload")
    system.run("systemctl", "enable", "--quiet", "kubelet", "containerd")


def configure_containerd(settings: dict[str, Any]) -> None:
    """Have containerd run with the settings, and behind the proxies, that the cluster needs."""
    present = CONTAINERD_CONFIG.read_text() if CONTAINERD_CONFIG.exists() else ""
    text = containerd_config(present, _pause_image(settings), settings["cgroup_driver"] == "systemd")
    if text != present:
        CONTAINERD_CONFIG.parent.mkdir(exist_ok=True)
        CONTAINERD_CONFIG.write_text(text)
    system.run("systemctl", "restart" if text != present or settings["proxies"] else "start", "containerd")


def containerd_config(present: str, pause_image: str, systemd_cgroup: bool) -> str:
    """Return containerd's configuration: the image's own with two values set, or ours where it has none for pods."""
    wanted = {"sandbox_image": f'"{pause_image}"', "SystemdCgroup": str(systemd_cgroup).lower()}
    if not all(re.search(rf"^\s*{name} *=", present, re.MULTILINE) for name in wanted):
        restricted = str(not _may_lower_oom_score()).lower()
        present = _CONTAINERD.format(cni_folder=CNI_FOLDER, restricted=restricted)
    for name, value in wanted.items():
        present = re.sub(rf"^(\s*{name} *=).*$", rf"\g<1> {value}", present, flags=re.MULTILINE)
    return present


def _cni_plugins() -> list[Path]:
    if (CNI_FOLDER / "bridge").exists():
        return list(CNI_FOLDER.iterdir())
    return [plugin for folder in _CNI_PACKAGE_FOLDERS if folder.is_dir() for plugin in folder.iterdir()]


def _install_packages() -> None:
    for tool, command in _INSTALLERS.items():
        if shutil.which(tool):
            system.run("sh", "-c", command, environment={"DEBIAN_FRONTEND": "noninteractive"})
            return
    raise system.Failed("the image has no containerd and no known package manager to install it with")


def _installed_version(name: str) -> str:
    if not shutil.which(name):
        return ""
    arguments = ["version", "-o", "short"] if name == "kubeadm" else ["--version"]
    return system.run(name, *arguments).split()[-1]


def _download(name: str, settings: dict[str, Any]) -> None:
    """Fetch a program and check it against the digest published beside it."""
    architecture = _ARCHITECTURES.get(platform.machine(), platform.machine())
    url = f"{settings['kube_download_url']}/{settings['kube_tag']}/bin/linux/{architecture}/{name}"
    partial = _BINARIES / f".{name}.partial"
    try:
        with urllib.request.urlopen(f"{url}.sha256", timeout=30) as response:  # noqa: S310 - the schema admits http(s)
            wanted = response.read(64).decode()
        digest = hashlib.sha256()
        with urllib.request.urlopen(url, timeout=30) as response, partial.open("wb") as out:  # noqa: S310
            while chunk := response.read(1 << 20):
                digest.update(chunk)
                out.write(chunk)
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise system.Failed(
            f"the image does not carry {name} {settings['kube_tag']}, and {url} cannot be fetched: {reason}"
        ) from error
    if digest.hexdigest() != wanted:
        partial.unlink()
        raise system.Failed(f"{url} does not match its published digest")
    partial.chmod(0o755)
    partial.replace(_BINARIES / name)


def _pause_image(settings: dict[str, Any]) -> str:
    """The image of pods' sandboxes that belongs to this release."""
    arguments = ("--kubernetes-version", settings["kube_tag"], "--image-repository", settings["image_repository"])
    images = system.run("kubeadm", "config", "images", "list", *arguments).split()
    return next(image for image in images if "/pause:" in image)


def _may_lower_oom_score() -> bool:
    """Whether this node may prefer some processes when memory runs out: one that is a container may not."""
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "CapBnd":
            return bool(int(value, 16) >> _CAP_SYS_RESOURCE & 1)
    return True
