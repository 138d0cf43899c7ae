"""clouds.yaml: the settings of one named cloud.

Read strictly in what we use and silently in what we do not: the file is shared with other OpenStack tools, whose keys
are none of our business.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from magnum.cli.errors import NotReachedError

_DIRECTORIES = (Path(), Path("~/.config/openstack"), Path("/etc/openstack"))
_KEYS = ("auth_type", "region_name", "interface", "cacert", "verify")


def load_cloud(name: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """Settings of the cloud, flat: what stands below `auth`, and of the rest what a login needs.

    Passwords may stand in a secure.yaml beside clouds.yaml.
    """
    path = _find(environ)
    entry = _entry(path, name)
    secure = path.with_name("secure.yaml")
    if secure.is_file() and name in (clouds := _clouds(secure)):
        entry = _merge(entry, _mapping(clouds[name], secure, f"clouds.{name}"))
    auth = _mapping(entry.get("auth", {}), path, f"clouds.{name}.auth")
    settings = {key: entry[key] for key in _KEYS if key in entry} | dict(auth)
    for key, value in settings.items():
        if not isinstance(value, str | int | bool):
            raise NotReachedError(f"{path}: clouds.{name}: {key} must be a text, not {type(value).__name__}.")
    return {key: value if isinstance(value, bool) else str(value) for key, value in settings.items()}


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    if named := environ.get("OS_CLIENT_CONFIG_FILE"):
        yield Path(named)
        return
    for directory in _DIRECTORIES:
        for suffix in ("yaml", "yml"):
            yield directory.expanduser() / f"clouds.{suffix}"


def _find(environ: Mapping[str, str]) -> Path:
    candidates = list(_candidates(environ))
    for path in candidates:
        if path.is_file():
            return path
    looked = ", ".join(map(str, candidates))
    raise NotReachedError(f"No clouds.yaml found (looked for {looked}); set OS_CLIENT_CONFIG_FILE or write one.")


def _entry(path: Path, name: str) -> Mapping[str, Any]:
    clouds = _clouds(path)
    if name not in clouds:
        known = ", ".join(sorted(map(str, clouds))) or "none"
        raise NotReachedError(f"{path} has no cloud named '{name}'; it has: {known}.")
    return _mapping(clouds[name], path, f"clouds.{name}")


def _clouds(path: Path) -> Mapping[str, Any]:
    import yaml  # only those who name a cloud pay for it

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise NotReachedError(f"{path} cannot be read: {error}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)  # the error's own text quotes the line, which may hold a password
        where = f", line {mark.line + 1}" if mark else ""
        raise NotReachedError(f"{path}{where}: not valid YAML.") from None
    return _mapping(_mapping(content, path, "the file").get("clouds"), path, "clouds")


def _mapping(value: object, path: Path, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise NotReachedError(f"{path}: {what} must be a mapping.")
    return value


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> Mapping[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
