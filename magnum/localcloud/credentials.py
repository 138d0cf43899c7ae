"""openrc and clouds.yaml: how people and tools speak to the local cloud, as its tenant or its admin."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from magnum.localcloud.files import write_private
from magnum.localcloud.keystone_service import REGION
from magnum.localcloud.paths import CloudPaths


@dataclass(frozen=True)
class Account:
    """A user in a project."""

    username: str
    password: str
    project: str


def write(paths: CloudPaths, auth_url: str, demo: Account, admin: Account, commands: Sequence[Path]) -> None:
    """Write all of them; an openrc also puts the folders of ``commands`` on the PATH."""
    write_private(paths.openrc, _openrc(auth_url, demo, commands))
    write_private(paths.admin_openrc, _openrc(auth_url, admin, commands))
    clouds = {"magnum-local": _cloud(auth_url, demo), "magnum-local-admin": _cloud(auth_url, admin)}
    write_private(paths.clouds_yaml, yaml.safe_dump({"clouds": clouds}, sort_keys=False))


def _openrc(auth_url: str, account: Account, commands: Sequence[Path]) -> str:
    values = {
        "OS_AUTH_URL": auth_url,
        "OS_IDENTITY_API_VERSION": "3",
        "OS_USERNAME": account.username,
        "OS_PASSWORD": account.password,
        "OS_PROJECT_NAME": account.project,
        "OS_USER_DOMAIN_ID": "default",
        "OS_PROJECT_DOMAIN_ID": "default",
        "OS_REGION_NAME": REGION,
    }
    # What another cloud's openrc left behind would be mixed with ours.
    clear = "for name in $(env | sed -n 's/^\\(OS_[A-Z_]*\\)=.*/\\1/p'); do unset \"$name\"; done\nunset name\n"
    folders = ":".join(shlex.quote(str(folder)) for folder in commands)
    path = f'case ":$PATH:" in *:{folders}:*) ;; *) export PATH={folders}:"$PATH" ;; esac\n'
    return clear + "".join(f"export {name}={value}\n" for name, value in values.items()) + path


def _cloud(auth_url: str, account: Account) -> dict[str, object]:
    return {
        "auth": {
            "auth_url": auth_url,
            "username": account.username,
            "password": account.password,
            "project_name": account.project,
            "user_domain_id": "default",
            "project_domain_id": "default",
        },
        "region_name": REGION,
        "identity_api_version": 3,
    }
