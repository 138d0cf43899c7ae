"""Every option of Magnum, one module per group.

``CONF`` is oslo.config's own global object: keystonemiddleware, oslo.messaging and oslo.log read it too. Options are
registered when this package is imported; `load` reads the files.
"""

from collections.abc import Sequence
from typing import Any

from oslo_config import cfg
from oslo_db import options as db_options
from oslo_log import log
from oslo_service import backend

from magnum.conf import (
    api,
    bay,
    baymodel,
    certificates,
    clients,
    conductor,
    default,
    kubernetes,
    metrics,
    quotas,
    trust,
)

CONF: cfg.ConfigOpts = cfg.CONF

_GROUPS = (api, bay, baymodel, certificates, conductor, default, kubernetes, metrics, quotas, trust)

for _group in _GROUPS:
    CONF.register_opts(_group.OPTS, group=_group.GROUP)
clients.register(CONF)
db_options.set_defaults(CONF, connection="sqlite:///magnum.sqlite")
log.register_options(CONF)


def load(arguments: Sequence[str] | None = None, files: Sequence[str] | None = None) -> cfg.ConfigOpts:
    """Read the configuration; ``--config-file`` may be among the arguments. What cannot be read ends the process."""
    try:
        CONF(list(arguments or []), project="magnum", default_config_files=list(files) if files is not None else None)
    except cfg.Error as error:
        raise SystemExit(f"The configuration cannot be read: {error}") from error
    if found := problems(CONF):
        raise SystemExit("\n".join(["The configuration cannot be used:", *found]))
    return CONF


def problems(conf: cfg.ConfigOpts) -> list[str]:
    """What is wrong with the values of Magnum's own options, a sentence each: oslo.config looks when one is used."""
    found = []
    for group in _GROUPS:
        for option in group.OPTS:
            try:
                getattr(conf[group.GROUP] if group.GROUP else conf, option.dest)
            except cfg.ConfigSourceValueError as error:
                reason = str(error).rpartition(" is not valid: ")[2]  # before it stands where the value was read
                found.append(f"[{group.GROUP or 'DEFAULT'}] {option.name}: {reason}.")
    return found


def list_opts() -> list[tuple[str | None, list[Any]]]:
    """Options by group, for oslo-config-generator."""
    groups: list[tuple[str | None, list[Any]]] = [(group.GROUP, group.OPTS) for group in _GROUPS]
    groups.extend(clients.list_opts())
    groups.extend(db_options.list_opts())
    groups.extend(_messaging_opts())
    return groups


def _messaging_opts() -> list[tuple[str | None, list[Any]]]:
    # Named here, not to the generator, as oslo.messaging takes eventlet where nobody chose before it is imported.
    backend.init_backend(backend.BackendType.THREADING)
    from oslo_messaging import opts

    found: list[tuple[str | None, list[Any]]] = opts.list_opts()
    return found
