"""Whatever is sent, the answer is no 5xx, and what is refused leaves nothing behind."""

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wsme import types as wtypes

from magnum.api.fields import fields_of
from magnum.api.resources.baymodels import BayModelFields
from magnum.api.resources.bays import BayFields
from magnum.api.resources.certificates import CertificateFields
from magnum.api.resources.containers import ContainerFields
from magnum.api.resources.nodes import NodeFields
from magnum.api.resources.workloads import WorkloadFields
from magnum.db import models
from magnum.db.session import Database
from tests.functional.conftest import Client
from tests.functional.test_workloads import POD

INPUTS: dict[str, type[wtypes.Base]] = {
    "baymodels": BayModelFields,
    "bays": BayFields,
    "nodes": NodeFields,
    "pods": WorkloadFields,
    "rcs": WorkloadFields,
    "containers": ContainerFields,
    "certificates": CertificateFields,
}
TABLES: dict[str, Any] = {
    "baymodels": models.BayModel,
    "bays": models.Bay,
    "nodes": models.Node,
    "pods": models.Pod,
    "containers": models.Container,
}

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["small", "web", "kubernetes", "debian", "10.0.0.1", "http://x.invalid:99999/", POD, "{'a': 1}"])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
PATHS = st.sampled_from(
    [
        "/name",
        "/node_count",
        "/labels",
        "/labels/a",
        "/manifest",
        "/manifest_url",
        "/type",
        "/image",
        "/image_id",
        "/memory",
        "/environment",
        "//",
        "x",
    ]
)
PATCHES = st.lists(
    st.fixed_dictionaries(
        {}, optional={"op": st.sampled_from(["add", "replace", "remove", "x", []]), "path": PATHS, "value": VALUES}
    ),
    max_size=4,
)

quick = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def count(database: Database, plural: str) -> int:
    with database.reader() as session:
        return int(session.query(TABLES[plural]).count()) if plural in TABLES else 0


@pytest.mark.parametrize("plural", INPUTS)
def test_creating(
    request: pytest.FixtureRequest, alice: Client, ready_bay: dict[str, Any], database: Database, plural: str
) -> None:
    if plural == "containers":
        request.getfixturevalue("swarm_bay")
    fields = list(fields_of(INPUTS[plural]))

    @quick
    @given(body=st.dictionaries(st.sampled_from(fields), VALUES) | VALUES)
    def _check(body: Any) -> None:
        before = count(database, plural)
        response = alice.post(f"/v1/{plural}", body)
        assert response.status_int < 500, (body, response.text)
        assert count(database, plural) - before == (1 if response.status_int == 201 and plural in TABLES else 0)

    _check()


@pytest.mark.parametrize("path", ["/v1/baymodels/small", "/v1/bays/web", "/v1/pods/redis", "/v1/containers/redis"])
def test_patching(alice: Client, ready_bay: dict[str, Any], database: Database, path: str) -> None:
    alice.post("/v1/pods", {"bay_uuid": "web", "manifest": POD})
    owner = {"project_id": "project-a", "user_id": "alice", "bay_uuid": ready_bay["uuid"]}
    with database.writer() as session:
        session.add(models.Container(name="redis", image="redis", **owner))

    @quick
    @given(body=PATCHES | VALUES)
    def _check(body: Any) -> None:
        response = alice.patch(path, body)
        assert response.status_int < 500, (body, response.text)

    _check()


@pytest.mark.parametrize("plural", ["baymodels", "bays", "pods", "containers"])
def test_asking(alice: Client, ready_bay: dict[str, Any], plural: str) -> None:
    @quick
    @given(
        ident=st.text(max_size=12, alphabet=st.characters(codec="utf-8")),
        key=st.sampled_from(["limit", "marker", "sort_key", "sort_dir", "bay_ident", "x"]),
        value=st.text(max_size=12, alphabet=st.characters(codec="utf-8")),
    )
    def _check(ident: str, key: str, value: str) -> None:
        for path in (f"/v1/{plural}/{quote(ident)}", f"/v1/{plural}?{quote(key)}={quote(value)}"):
            assert alice.get(path).status_int < 500, path

    _check()
