"""Versions of the API, as data, and how a request chooses one.

Later clients send ``OpenStack-API-Version: container-infra 1.N``, older ones ``X-OpenStack-Magnum-API-Version: 1.N``,
the first none at all: they get 1.1, in its shapes of 2015. Every answer says in the headers of both families which
version it is in and which there are. What a version brings is a `Feature`; handlers ask for features, never for
numbers, so that a new version is a new row in `VERSIONS`.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from magnum.api.errors import NotAcceptable, StartResponse, WSGIApplication, send_error

SERVICE = "container-infra"
HEADER = "OpenStack-API-Version"
OLD_HEADER = "X-OpenStack-Magnum-API-Version"
VERSION = "magnum.version"
"""Where a request's version stands in its WSGI environment."""

_SERVICES = frozenset({SERVICE, "container-infrastructure", "container-infrastructure-management"})
_NUMBER = re.compile(r"(0|[1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,3})")
_MAJOR = 1
_HELP = "https://docs.openstack.org/api-guide/compute/microversions.html"


class Feature(Enum):
    """What one version has and those before it have not."""

    ASYNC_BAYS = "bays are created and updated asynchronously"
    KNOWN_KEYS_ONLY = "unknown keys of a body are refused"
    ROLLBACK = "an update of a bay can ask to be rolled back if it fails"


@dataclass(frozen=True)
class Version:
    """A row of the table of versions."""

    minor: int
    adds: frozenset[Feature]
    text: str
    """What is new in it, for its users."""

    def __str__(self) -> str:
        return f"{_MAJOR}.{self.minor}"

    def has(self, feature: Feature) -> bool:
        """Whether this version, or one before it, brought the feature."""
        return any(feature in version.adds for version in VERSIONS if version.minor <= self.minor)


VERSIONS = (
    Version(1, frozenset(), "The API of 2015."),
    Version(
        2,
        frozenset({Feature.ASYNC_BAYS, Feature.KNOWN_KEYS_ONLY}),
        "Creating and updating a bay answer 202 with its uuid. A key of a body that does not exist is refused.",
    ),
    Version(3, frozenset({Feature.ROLLBACK}), "Updating a bay takes ?rollback=true: a failed update is rolled back."),
)
OLDEST, NEWEST = VERSIONS[0], VERSIONS[-1]


def negotiate(header: str | None, old_header: str | None) -> Version:
    """The version that a request means.

    :param header: value of ``OpenStack-API-Version``, which may name versions of other services too
    :param old_header: value of ``X-OpenStack-Magnum-API-Version``, which counts where the other is not given
    :raises NotAcceptable: it is not here, or cannot be read
    """
    if header is not None:
        name, wanted = HEADER, _of_this_service(header)
    elif old_header is not None:
        name, wanted = OLD_HEADER, old_header.strip()
    else:
        return OLDEST
    if wanted.lower() == "latest":
        return NEWEST
    match = _NUMBER.fullmatch(wanted)
    if match is None:
        raise _refused(f"Invalid value for {name} header: {wanted[:40]!r}. Use 1.N or latest.")
    major, minor = int(match[1]), int(match[2])
    for version in VERSIONS:
        if (major, minor) == (_MAJOR, version.minor):
            return version
    raise _refused(f"Version {major}.{minor} was requested but the minimum is {OLDEST} and the maximum is {NEWEST}.")


def _of_this_service(header: str) -> str:
    for entry in header.split(","):
        service, _, wanted = entry.strip().partition(" ")
        if service.lower() in _SERVICES:
            return wanted.strip()
    raise _refused(f"Invalid service type for {HEADER} header: it should be '{SERVICE} 1.N'.")


def _refused(message: str) -> NotAcceptable:
    members = {
        "code": "magnum.microversion-unsupported",
        "title": "Requested microversion is unsupported",
        "min_version": str(OLDEST),
        "max_version": str(NEWEST),
        "links": [{"rel": "help", "href": _HELP}],
    }
    return NotAcceptable(message, members)


class Versions:
    """WSGI middleware that finds the version of each request, and tells it in each answer.

    It stands in front of what gives errors their bodies, as these answers tell it too.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    @classmethod
    def factory(cls, _global_conf: dict[str, str], **_local_conf: str) -> Callable[[WSGIApplication], "Versions"]:
        """For paste.deploy."""
        return cls

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO", "").strip("/") == "":
            return self._application(environ, start_response)  # discovery works before any version is chosen
        try:
            version = negotiate(_header(environ, HEADER), _header(environ, OLD_HEADER))
        except NotAcceptable as error:
            return send_error(environ, _telling(OLDEST, start_response), error)
        environ[VERSION] = version
        return self._application(environ, _telling(version, start_response))


def _header(environ: dict[str, Any], name: str) -> str | None:
    value: str | None = environ.get("HTTP_" + name.upper().replace("-", "_"))
    return value


def _telling(version: Version, start_response: StartResponse) -> StartResponse:
    told = [
        (HEADER, f"{SERVICE} {version}"),
        ("OpenStack-API-Minimum-Version", f"{SERVICE} {OLDEST}"),
        ("OpenStack-API-Maximum-Version", f"{SERVICE} {NEWEST}"),
        (OLD_HEADER, str(version)),
        (f"{OLD_HEADER.removesuffix('Version')}Minimum-Version", str(OLDEST)),
        (f"{OLD_HEADER.removesuffix('Version')}Maximum-Version", str(NEWEST)),
        ("Vary", f"{HEADER}, {OLD_HEADER}"),
    ]

    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        return start_response(status, [*headers, *told], exc_info)

    return start
