"""With which options a cloud was brought up. Later commands, and later `up`s without options, go by them."""

import json
from dataclasses import asdict, dataclass, fields, replace

from magnum.localcloud.files import read_json, write_atomically
from magnum.localcloud.paths import LARGEST_OFFSET, CloudPaths

BUSES = ("memory", "rabbit")
DATABASES = ("sqlite", "postgresql", "mariadb")
REAL, STAND_IN = HEATS = ("real", "stand-in")


@dataclass(frozen=True)
class Settings:
    port_offset: int = 0
    bus: str = "memory"
    database: str = "sqlite"
    conductors: int = 1
    api_workers: int = 1
    heat: str = REAL


@dataclass(frozen=True)
class Wish:
    """The options that were given; None for those that were not."""

    port_offset: int | None = None
    bus: str | None = None
    database: str | None = None
    conductors: int | None = None
    api_workers: int | None = None
    heat: str | None = None


class SettingsError(ValueError):
    """What was asked for does not go with the cloud that is there."""


def stored(paths: CloudPaths) -> Settings | None:
    """The options of an existing cloud; None where there is no such cloud."""
    content = read_json(paths.settings)
    if not content:
        return None
    return Settings(**{field.name: content[field.name] for field in fields(Settings) if field.name in content})


def settle(paths: CloudPaths, wish: Wish) -> Settings:
    """The options to bring the cloud up with: those given, else those it has, else the defaults."""
    existing = stored(paths)
    given = {name: value for name, value in asdict(wish).items() if value is not None}
    if wish.bus == "memory":
        given = {"conductors": 1, "api_workers": 1, **given}
    wanted = replace(existing or Settings(), **given)
    if not 0 <= wanted.port_offset <= LARGEST_OFFSET:
        raise SettingsError(f"--port-offset {wanted.port_offset} is none: it is from 0 to {LARGEST_OFFSET}.")
    if existing is not None:
        _refuse_what_cannot_change(paths, existing, wanted)
    if wanted.bus == "memory" and (wanted.conductors, wanted.api_workers) != (1, 1):
        raise SettingsError(
            f"{wanted.conductors} conductors and {wanted.api_workers} API workers need a bus between them: add "
            "--bus rabbit. Without one, API and conductor are one process."
        )
    return wanted


def _refuse_what_cannot_change(paths: CloudPaths, existing: Settings, wanted: Settings) -> None:
    way_out = f"magnum-local reset --name {paths.name}; or give the other one a --name of its own."
    if wanted.port_offset != existing.port_offset:
        raise SettingsError(
            f"The cloud {paths.name!r} uses --port-offset {existing.port_offset}, and its catalog and bays hold these "
            f"ports. To move it: {way_out}"
        )
    if wanted.heat != existing.heat:
        raise SettingsError(
            f"The cloud {paths.name!r} was made with --heat {existing.heat}, which has its stacks. To use another: "
            f"{way_out}"
        )
    if wanted.database != existing.database:
        raise SettingsError(
            f"The cloud {paths.name!r} keeps its bays in --database {existing.database}. To use another: {way_out}"
        )


def store(paths: CloudPaths, settings: Settings) -> None:
    write_atomically(paths.settings, json.dumps(asdict(settings)) + "\n")
