"""What the version of a request changes in its answers."""

from typing import Any

import pytest

from magnum.api.versions import NEWEST, OLDEST
from tests.functional.conftest import BAYMODEL, Client, sentences

LATEST = {"OpenStack_API_Version": "container-infra latest"}
SECOND = {"OpenStack_API_Version": "container-infra 1.2"}


def test_every_answer_tells_the_version(alice: Client, nobody: Client) -> None:
    for answer in (alice.get("/v1/bays"), alice.get("/v1/bays/x"), nobody.get("/v1/bays"), nobody.get("/v1")):
        assert answer.headers["OpenStack-API-Version"] == "container-infra 1.1"
        assert answer.headers["OpenStack-API-Minimum-Version"] == f"container-infra {OLDEST}"
        assert answer.headers["OpenStack-API-Maximum-Version"] == f"container-infra {NEWEST}"
        assert answer.headers["X-OpenStack-Magnum-API-Version"] == "1.1"
        assert answer.headers["X-OpenStack-Magnum-API-Minimum-Version"] == str(OLDEST)
        assert answer.headers["X-OpenStack-Magnum-API-Maximum-Version"] == str(NEWEST)
        assert "OpenStack-API-Version" in answer.headers["Vary"]
    assert alice.get("/bays", **LATEST).headers["OpenStack-API-Version"] == f"container-infra {NEWEST}"


def test_a_version_that_is_not_here_is_406_with_the_range(alice: Client) -> None:
    answer = alice.get("/v1/bays", OpenStack_API_Version="container-infra 1.999")
    assert answer.status_int == 406
    error = answer.json["errors"][0]
    assert (error["min_version"], error["max_version"]) == (str(OLDEST), str(NEWEST))
    assert error["code"] == "magnum.microversion-unsupported"


def test_discovery_works_in_any_version(nobody: Client) -> None:
    answer = nobody.get("/", OpenStack_API_Version="container-infra 1.999")
    assert answer.status_int == 200
    assert answer.json["versions"][0]["max_version"] == str(NEWEST)


def test_bays_answer_with_all_they_are_in_the_first_version(alice: Client, baymodel: dict[str, Any]) -> None:
    answer = alice.post("/v1/bays", {"name": "web", "baymodel_id": "small"})
    assert answer.status_int == 201
    assert answer.json["status"] == "CREATE_IN_PROGRESS"
    assert answer.json["baymodel_id"] == baymodel["uuid"]


@pytest.mark.usefixtures("baymodel")
def test_bays_answer_with_their_uuid_from_the_second_on(alice: Client) -> None:
    created = alice.post("/v1/bays", {"name": "web", "baymodel_id": "small"}, **SECOND)
    assert created.status_int == 202
    assert set(created.json) == {"uuid"}
    path = f"/v1/bays/{created.json['uuid']}"
    assert created.headers["Location"].endswith(path)
    changed = alice.patch(path, [{"op": "replace", "path": "/node_count", "value": 1}], **SECOND)
    assert (changed.status_int, changed.json) == (202, created.json)


def test_unknown_keys_are_refused_from_the_second_on(alice: Client) -> None:
    misspelt = {**BAYMODEL, "flavour_id": "m1.small"}
    assert alice.post("/v1/baymodels", misspelt).status_int == 201
    answer = alice.post("/v1/baymodels", misspelt, **SECOND)
    assert answer.status_int == 400
    assert sentences(answer) == ["Unknown attribute: 'flavour_id'. Did you mean flavor_id?"]
