"""What can go wrong between Magnum and another OpenStack service, in two kinds: what may pass, and what will not.

Whoever calls a service decides by the kind alone whether trying again makes sense. The messages are for a tenant.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from keystoneauth1 import exceptions as ka

_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_MOST_BROKEN_ANSWERS = 6


class ServiceError(Exception):
    """Base of both kinds."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Transient(ServiceError):
    """It may work when tried again.

    ``tries`` is how often at most; None while there is time. A service that is away comes back, but one that answers
    a request with an error of its own again and again never will.
    """

    def __init__(self, message: str, tries: int | None = None) -> None:
        super().__init__(message)
        self.tries = tries


class NotAccepted(Transient):
    """The credentials are not accepted. Those that were made just now may be, a moment later."""


class Permanent(ServiceError):
    """It will fail each time until somebody changes something; ``code`` is the HTTP status, where there is one."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


def from_status(service: str, code: int, message: str) -> ServiceError:
    """The error that an HTTP status stands for."""
    if code == 500:
        return Transient(f"The {service} service had an internal error (HTTP 500).", tries=_MOST_BROKEN_ANSWERS)
    if code in _PASSING:
        return Transient(f"The {service} service cannot answer now (HTTP {code}).")
    return Permanent(message, code)


def unreadable(service: str) -> Transient:
    """The error that an answer stands for which is none of that service, as of a proxy before it."""
    return Transient(f"The {service} service gave an answer that cannot be read.", tries=_MOST_BROKEN_ANSWERS)


@contextmanager
def translated(service: str) -> Iterator[None]:
    """Within it errors of keystoneauth become ours.

    :param service: its name for a tenant, such as "orchestration"
    """
    try:
        yield
    except ka.HttpError as error:
        said = f"The {service} service refused: {error.message or error.http_status}"
        raise from_status(service, error.http_status, said) from error
    except (ka.ConnectionError, ka.DiscoveryFailure) as error:
        raise Transient(f"The {service} service does not answer.") from error
    except ka.InvalidResponse as error:
        raise unreadable(service) from error
    except (ka.CatalogException, ka.EmptyCatalog) as error:
        raise Permanent(f"This cloud's catalog has no {service} service.") from error
