"""``python -m magnum.cmd.openapi``: the OpenAPI document of the newest version, as in ``docs/openapi.json``."""

import json

from magnum.api.openapi import make_document
from magnum.api.routes import all_routes
from magnum.api.versions import NEWEST


def text() -> str:
    """The document."""
    return json.dumps(make_document(all_routes(), NEWEST), indent=1) + "\n"


if __name__ == "__main__":
    print(text(), end="")
