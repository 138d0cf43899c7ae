"""With which options a cloud was brought up. Later commands, and later `up`s without options, go by them."""

import json
from dataclasses import asdict, dataclass

from magnum.localcloud.files import read_json, write_atomically
from magnum.localcloud.paths import CloudPaths

BUSES = ("memory", "rabbit")


@dataclass(frozen=True)
class Settings:
    port_offset: int = 0
    bus: str = "memory"


class SettingsError(ValueError):
    """What was asked for does not go with the cloud that is there."""


def stored(paths: CloudPaths) -> Settings | None:
    """The options of an existing cloud; None where there is no such cloud."""
    content = read_json(paths.settings)
    if not content:
        return None
    return Settings(port_offset=int(content["port_offset"]), bus=str(content["bus"]))


def settle(paths: CloudPaths, port_offset: int | None, bus: str | None) -> Settings:
    """The options to bring the cloud up with: those given, else those it has, else the defaults."""
    existing = stored(paths)
    before = existing or Settings()
    wanted = Settings(
        port_offset=before.port_offset if port_offset is None else port_offset,
        bus=bus or before.bus,
    )
    if existing is not None and wanted.port_offset != existing.port_offset:
        raise SettingsError(
            f"The cloud {paths.name!r} uses --port-offset {existing.port_offset}, and its catalog and bays hold these "
            f"ports. To move it: magnum-local reset --name {paths.name}; or give the other one a --name of its own."
        )
    return wanted


def store(paths: CloudPaths, settings: Settings) -> None:
    write_atomically(paths.settings, json.dumps(asdict(settings)) + "\n")
