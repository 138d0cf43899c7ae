"""Uuids and names: how a path segment or a field says which object it means."""

import uuid


def new_uuid() -> str:
    """A new uuid in canonical form."""
    return str(uuid.uuid4())


def is_uuid(ident: str) -> bool:
    """Whether this is a uuid in canonical, lower-case form; everything else is a name."""
    try:
        return str(uuid.UUID(ident)) == ident
    except ValueError:
        return False
