"""Errors of every layer have both bodies; `check_form` looks at each answer, so here it is the codes and sentences."""

import logging
import time
from dataclasses import replace
from typing import Any

import pytest
from keystonemiddleware.auth_token._exceptions import ServiceError
from oslo_config import cfg
from oslo_db import exception as db_exc
from sqlalchemy import exc

from magnum.api import app as api_app
from magnum.api.call import Services
from magnum.db import resources
from magnum.db.session import Database, DatabaseBusy
from tests.functional.conftest import BAYMODEL, Client, People, sentences


def test_what_is_no_json(alice: Client) -> None:
    for body in (b"{", b"nonsense", b'{"a": NaN}', b"\xff\xfe", b"[" * 100000, b'{"a":' * 5000, b"1" * 5000):
        response = alice.post("/v1/baymodels", body)
        assert response.status_int == 400, body[:20]
    for body in (b"", b"  "):
        assert 'Missing argument: "baymodel"' in sentences(alice.post("/v1/baymodels", body))[0]
    documents: list[Any] = [[], "x", 1, None]
    for document in documents:
        assert alice.post("/v1/baymodels", document).status_int == 400
    nested: Any = "x"
    for _ in range(40):
        nested = [nested]
    assert "deeper" in sentences(alice.post("/v1/baymodels", {"name": nested}))[0]


def test_too_much(alice: Client) -> None:
    response = alice.post("/v1/baymodels", {**BAYMODEL, "name": "n" * 2**20})
    assert response.status_int == 413
    assert "1048576" in sentences(response)[0]


def test_content_types_and_accept_headers_do_not_matter(alice: Client) -> None:
    for accept in ("*/*", "application/json", "text/html", "application/octet-stream", "nonsense"):
        response = alice.request("POST", "/v1/baymodels", BAYMODEL, Accept=accept, Content_Type="text/plain")
        assert response.status_int == 201
        assert response.content_type == "application/json"


def test_paths_and_queries_that_are_no_text(alice: Client) -> None:
    for path in ("/v1/bays/%ff", "/v1/bays/%00", "/v1/bays/a%00b/events", "/v1/bays?marker=%ff", "/v1/bays?limit=%00"):
        assert alice.get(path).status_int == 400, path
    assert alice.get("/v1/bays?" + "&".join(f"a{number}=1" for number in range(200))).status_int == 400
    assert alice.get("/v1/bays/%f0%9f%90%b3").status_int == 404
    assert alice.get("/v1/bays/" + "x" * 5000).status_int == 404


def test_unexpected_errors_say_nothing_internal(
    alice: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def _fail(*_args: Any, **_named: Any) -> None:
        raise RuntimeError("s3cr3t detail")

    monkeypatch.setattr(resources, "page", _fail)
    with caplog.at_level(logging.ERROR):
        response = alice.get("/v1/bays")
    assert response.status_int == 500
    assert "s3cr3t" not in response.text
    request_id = response.headers["X-Openstack-Request-Id"]
    assert request_id in sentences(response)[0]
    assert any(request_id in record.getMessage() and record.exc_info for record in caplog.records)


@pytest.mark.parametrize(
    "trouble",
    [
        db_exc.DBConnectionError("postgres://user:password@host"),
        db_exc.DBDeadlock("password"),
        DatabaseBusy("database is locked\n[parameters: {'trustee_secret': 'password'}]"),
        exc.TimeoutError("QueuePool limit of size 5 reached (password)"),
    ],
)
def test_database_trouble_that_passes(
    alice: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, trouble: Exception
) -> None:
    def _fail(*_args: Any, **_named: Any) -> None:
        raise trouble

    monkeypatch.setattr(resources, "page", _fail)
    response = alice.get("/v1/bays")
    assert response.status_int == 503
    assert "password" not in response.text
    assert "trustee_secret" not in caplog.text
    assert response.headers["Retry-After"]


def test_keystone_away(application: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def _fail(*_args: Any, **_named: Any) -> None:
        raise ServiceError("http://keystone.internal does not answer")

    monkeypatch.setattr("keystonemiddleware.auth_token._identity.IdentityServer.verify_token", _fail)
    response = Client(application, "a-token").get("/v1/bays")
    assert response.status_int == 503
    assert "internal" not in response.text


def test_request_id_of_the_caller_does_not_replace_ours(alice: Client) -> None:
    theirs = "req-00000000-0000-0000-0000-000000000000"
    assert alice.get("/v1/bays", X_Openstack_Request_Id=theirs).headers["X-Openstack-Request-Id"] != theirs


def test_a_database_that_cannot_be_reached_is_said_at_once(
    conf: cfg.ConfigOpts, services: Services, tokens: Any, people: People
) -> None:
    away = Database(conf)
    conf.set_override("connection", "sqlite:////nonexistent/folder/magnum.sqlite", group="database")
    application = api_app.load(conf, replace(services, database=away))
    client = Client(application, people.token("project-a", "alice", ["member"]))
    begin = time.monotonic()
    assert client.get("/v1/bays").status_int in (500, 503)
    assert client.post("/v1/baymodels", BAYMODEL).status_int in (500, 503)
    assert time.monotonic() - begin < 5
