"""Where to log in and as whom: from the command line, clouds.yaml and the OS_* variables.

What is typed wins. The rest comes from one place only: the named cloud if one is named, else the variables. Mixing
those two would send one cloud's password to another.

Options and variables of python-magnumclient up to 2.1.0 are known too, also with underscores (`--os_username`); help
does not show what has a newer name.
"""

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from magnum.cli.clouds import load_cloud
from magnum.cli.errors import UsageError

_NO = ("", "0", "false", "no")


@dataclass(frozen=True)
class Setting:
    """One thing a login may need: its key in clouds.yaml, options and variables (the first ones are the documented)."""

    key: str
    help: str
    options: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()

    @property
    def all_options(self) -> tuple[str, ...]:
        """Every spelling of the option."""
        return (f"--os-{self.key.replace('_', '-')}", *self.options)

    @property
    def all_variables(self) -> tuple[str, ...]:
        """Every variable that sets it."""
        return (f"OS_{self.key.upper()}", *self.variables)


SETTINGS = (
    Setting("auth_url", "URL of Keystone, such as http://keystone:5000/v3"),
    Setting("auth_type", "password, token or v3applicationcredential; by default as the other settings suggest"),
    Setting("username", "name of the user"),
    Setting("user_id", "id of the user"),
    Setting("password", "password of the user"),
    Setting("user_domain_name", "domain the user is in"),
    Setting("user_domain_id", "id of the domain the user is in"),
    Setting("project_name", "project to act in", ("--os-tenant-name",), ("OS_TENANT_NAME",)),
    Setting("project_id", "id of the project to act in", ("--os-tenant-id",), ("OS_TENANT_ID",)),
    Setting("project_domain_name", "domain the project is in"),
    Setting("project_domain_id", "id of the domain the project is in"),
    Setting("token", "a token got before, instead of a password", (), ("OS_AUTH_TOKEN",)),
    Setting("application_credential_id", "id of an application credential"),
    Setting("application_credential_secret", "its secret"),
    Setting("region_name", "region of the cloud"),
    Setting(
        "interface",
        "endpoint to use: public (default), internal or admin",
        ("--os-endpoint-type", "--endpoint-type"),
        ("OS_ENDPOINT_TYPE", "MAGNUM_ENDPOINT_TYPE"),
    ),
    Setting("cacert", "file with the certificates of authorities to trust"),
    Setting(
        "endpoint_override",
        "URL of Magnum, instead of the one in Keystone's catalog",
        ("--bypass-url",),
        ("BYPASS_URL",),
    ),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Give the parser the options of a login."""
    group = parser.add_argument_group("cloud and login")
    group.add_argument("--os-cloud", metavar="NAME", help="cloud of clouds.yaml to use (OS_CLOUD)")
    for setting in SETTINGS:
        text = f"{setting.help} ({setting.all_variables[0]})"
        _add(group, *setting.all_options, dest=f"os_{setting.key}", metavar="VALUE", help=text)
    _add(group, "--service-type", metavar="TYPE", help="type of Magnum in Keystone's catalog")
    _add(
        group,
        "--magnum-api-version",
        metavar="1.N",
        help="version of the API to ask for, or latest (MAGNUM_API_VERSION); by default the one of 2015",
    )
    group.add_argument("--insecure", action="store_true", help="do not check the servers' certificates")
    group.add_argument("--timings", action="store_true", help="show how long each request took")
    _add(group, "--os-auth-system", help=argparse.SUPPRESS)
    _add(group, "--os-cache", action="store_true", help=argparse.SUPPRESS)  # there is nothing to keep


def _add(group: Any, *flags: str, **kwargs: Any) -> None:
    """Add an option and, unseen, its spellings with underscores."""
    kwargs.setdefault("dest", flags[0].lstrip("-").replace("-", "_"))
    group.add_argument(*flags, **kwargs)
    older = ["--" + flag.lstrip("-").replace("-", "_") for flag in flags]
    group.add_argument(*older, **kwargs | {"help": argparse.SUPPRESS, "default": argparse.SUPPRESS})


def gather(options: argparse.Namespace, environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings that are set, by their keys.

    :raises NotReachedError: the named cloud is not there or not readable
    :raises UsageError: a login by something else than Keystone is wanted
    """
    if options.os_auth_system not in (None, "", "keystone"):
        raise UsageError(f"--os-auth-system {options.os_auth_system}: there is no login but by Keystone. Leave it out.")
    cloud = options.os_cloud or environ.get("OS_CLOUD")
    found = load_cloud(cloud, environ) if cloud else _from_variables(environ)
    typed = {setting.key: getattr(options, f"os_{setting.key}") for setting in SETTINGS}
    found |= {key: value for key, value in typed.items() if value}
    if options.insecure or (not cloud and environ.get("MAGNUMCLIENT_INSECURE", "").lower() not in _NO):
        found["verify"] = False
    return found


def api_version(options: argparse.Namespace, environ: Mapping[str, str]) -> str | None:
    """The version of the API that the user chose.

    The older clients called the only one they knew "1" or "api"; that is what a server does that is asked for none.

    :raises UsageError: what was chosen is no version
    """
    chosen = options.magnum_api_version or environ.get("MAGNUM_API_VERSION")
    if chosen in (None, "1", "api"):
        return None
    if chosen != "latest" and not re.fullmatch(r"[0-9]+\.[0-9]+", chosen):
        raise UsageError(f"--magnum-api-version {chosen}: give a version such as 1.3, or latest.")
    return str(chosen)


def _from_variables(environ: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for setting in SETTINGS:
        for variable in setting.all_variables:
            if value := environ.get(variable):
                found.setdefault(setting.key, value)
    return found
