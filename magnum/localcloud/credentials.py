"""openrc and clouds.yaml: how people and tools speak to the local cloud, as its tenant or its admin."""

from dataclasses import dataclass

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


def write(paths: CloudPaths, auth_url: str, demo: Account, admin: Account) -> None:
    write_private(paths.openrc, _openrc(auth_url, demo))
    write_private(paths.admin_openrc, _openrc(auth_url, admin))
    clouds = {"magnum-local": _cloud(auth_url, demo), "magnum-local-admin": _cloud(auth_url, admin)}
    write_private(paths.clouds_yaml, yaml.safe_dump({"clouds": clouds}, sort_keys=False))


def _openrc(auth_url: str, account: Account) -> str:
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
    # What an earlier openrc of another cloud may have left behind would be mixed with ours.
    clear = "for name in $(env | sed -n 's/^\\(OS_[A-Z_]*\\)=.*/\\1/p'); do unset \"$name\"; done\nunset name\n"
    return clear + "".join(f"export {name}={value}\n" for name, value in values.items())


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
