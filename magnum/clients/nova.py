"""Nova: flavors and key pairs, as whoever makes a request sees them."""

from urllib.parse import quote

from magnum.clients.errors import Permanent, Transient
from magnum.clients.requester import Requester, members

_SERVICE = "compute"
_MOST_PAGES = 20


def flavor_idents(requester: Requester) -> frozenset[str]:
    """The ids and names of all flavors. There is no way to ask for one by its name, and an id can be any text too."""
    found: set[str] = set()
    query = {"is_public": "None"}  # so that an administrator gets those too that are not public
    for _ in range(_MOST_PAGES):
        answer = requester.get(_SERVICE, "/flavors", query)
        page = members(_SERVICE, answer, "flavors")
        found.update(str(each.get(name)) for each in page for name in ("id", "name"))
        if not page or not answer.get("flavors_links"):
            break
        query = query | {"marker": str(page[-1].get("id"))}
    return frozenset(found)


def public_key(requester: Requester, name: str) -> str | None:
    """The public key of the requester's key pair of this name; None where there is none."""
    if name in (".", ".."):
        return None  # as part of a path these mean something else, however they are quoted
    try:
        found = requester.get(_SERVICE, f"/os-keypairs/{quote(name, safe='')}").get("keypair")
    except Permanent as error:
        if error.code == 404:
            return None
        raise
    if not isinstance(found, dict) or not isinstance(found.get("public_key"), str):
        raise Transient(f"The {_SERVICE} service answered without a public key.")
    return str(found["public_key"])
