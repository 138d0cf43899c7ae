"""The contract of the API as declarative HTTP tests: a YAML file for each resource and subject, and one for each bug.

Each file is a test of its own: the whole pipeline on a new database, its requests in order, each a subtest. Gabbi's own
driver for pytest sets a file up where its first request runs, which is another process when the tests are shared among
several; so here Gabbi reads the files and makes the requests, and pytest runs them.

A file names under ``fixtures`` the pytest fixtures that it needs, from `conftest.py` here or above. Tokens are called
like the people that have them (`conftest.PEOPLE`).
"""

import re
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from gabbi import case, suitemaker

from magnum.api.errors import MethodNotAllowed
from magnum.api.routes import RouteTable, all_routes
from magnum.common.exception import NotFound
from tests.functional.gabbi.handlers import HANDLERS

HERE = Path(__file__).parent
FILES = sorted(path.stem for path in HERE.glob("*.yaml"))


class Result(unittest.TestResult):
    """Tells pytest what became of a request."""

    def addFailure(self, test: Any, err: Any) -> None:  # noqa: N802 - unittest's name
        pytest.fail(f"{describe(test)}: {err[1]}", pytrace=False)

    addError = addFailure  # noqa: N815


def describe(request: case.HTTPTestCase) -> str:
    """A request in a line."""
    return f"{request.test_data['method']} {request.test_data['url']}"


@pytest.mark.parametrize("name", FILES)
def test_contract(name: str, application: Any, request: pytest.FixtureRequest, subtests: pytest.Subtests) -> None:
    """Make the requests of a file."""
    document = yaml.safe_load((HERE / f"{name}.yaml").read_text())
    for fixture in ("everybody", *document.pop("fixtures", ())):
        request.getfixturevalue(fixture)
    document.setdefault("defaults", {})["use_prior_test"] = False  # they run in order, and none again where one failed
    suite = suitemaker.test_suite_from_dict(
        unittest.TestLoader(),
        name,
        document,
        str(HERE),
        "magnum.example.org",
        9511,
        None,
        lambda: application,
        handlers=[handler() for handler in HANDLERS],
        test_loader_name=__name__,
    )
    for one in suite:
        with subtests.test(one.test_data["name"]):
            one(Result())


def test_every_route_is_stated() -> None:
    """There is a request for each method on each path of the table of routes."""
    table = RouteTable(all_routes())
    stated = set()
    for method, path in requests():
        try:
            route = table.find(method, path)[0]
        except (NotFound, MethodNotAllowed):
            continue
        stated.add((route.method, route.path))
    assert {(route.method, route.path) for route in all_routes()} - stated == set()


def requests() -> Iterator[tuple[str, str]]:
    """Method and path of each request that names them; what is filled in from other answers is some name."""
    for name in FILES:
        for test in yaml.safe_load((HERE / f"{name}.yaml").read_text())["tests"]:
            method, url = next((key, value) for key, value in test.items() if key.isupper())
            filled = re.sub(r"(\$HISTORY\['[^']*'\]\.)?\$RESPONSE\['[^']*'\]", "x", url)
            if filled.startswith("/"):
                yield method, urlsplit(filled).path
