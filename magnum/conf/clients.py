"""How Magnum reaches the other services of the cloud."""

from typing import Any

from keystoneauth1 import loading
from oslo_config import cfg

AUTH_GROUP = "keystone_auth"

_SERVICES = ("heat", "nova", "glance", "neutron")

_OPTS = [
    cfg.StrOpt("region_name", help="Region of the service's endpoint."),
    cfg.StrOpt("endpoint_type", default="publicURL", help="Which endpoint of the catalog to use."),
    cfg.IntOpt("timeout", default=20, min=1, help="Seconds one request may take."),
]


def register(conf: cfg.ConfigOpts) -> None:
    loading.register_auth_conf_options(conf, AUTH_GROUP)
    loading.register_session_conf_options(conf, AUTH_GROUP)
    for service in _SERVICES:
        conf.register_opts(_OPTS, group=f"{service}_client")


def list_opts() -> list[tuple[str | None, list[Any]]]:
    groups: list[tuple[str | None, list[Any]]] = [(f"{service}_client", _OPTS) for service in _SERVICES]
    auth = loading.get_auth_common_conf_options() + loading.get_auth_plugin_conf_options("password")
    groups.append((AUTH_GROUP, loading.get_session_conf_options() + auth))
    return groups
