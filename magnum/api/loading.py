"""What the factories that paste.deploy calls are made with: it hands them nothing but strings."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from magnum.api.call import Services

_SERVICES: ContextVar[Services] = ContextVar("services")


@contextmanager
def loading_with(services: Services) -> Iterator[None]:
    """Within it an application is loaded that works with these."""
    token = _SERVICES.set(services)
    try:
        yield
    finally:
        _SERVICES.reset(token)


def loading_services() -> Services:
    """Those of the application that is being loaded."""
    return _SERVICES.get()
