"""What is there for whoever comes without a token."""

import pytest

from tests.functional.conftest import Client


def test_root(nobody: Client) -> None:
    answer = nobody.get("/").json
    assert answer["name"] == "OpenStack Magnum API"
    assert answer["versions"][0]["links"] == [{"href": "http://localhost/v1/", "rel": "self"}]
    assert answer["default_version"] == answer["versions"][0]


def test_v1(nobody: Client) -> None:
    for path in ("/v1", "/v1/"):
        answer = nobody.get(path).json
        assert answer["id"] == "v1"
        for name in ("baymodels", "bays", "nodes", "pods", "services", "rcs", "certificates"):
            assert answer[name] == [
                {"href": f"http://localhost/v1/{name}/", "rel": "self"},
                {"href": f"http://localhost/{name}/", "rel": "bookmark"},
            ]


def test_healthcheck(nobody: Client) -> None:
    assert nobody.get("/healthcheck").status_int == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/healthcheck", 405), ("DELETE", "/healthcheck", 405), ("GET", "/healthcheck/x", 401)],
)
def test_healthcheck_is_one_thing_only(nobody: Client, method: str, path: str, status: int) -> None:
    answer = nobody.request(method, path)
    assert answer.status_int == status
    assert answer.json["errors"][0]["status"] == status
