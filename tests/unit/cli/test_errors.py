"""What a user reads when something is wrong, and the exit code."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Ran, StubCloud, refusal

Run = Callable[..., Ran]


def test_the_servers_sentence_and_its_code(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("GET /v1/bays/none", 404, refusal("Bay none could not be found. Look at the list."))
    ran = magnum("bay-show", "none")
    assert ran.code == 1
    assert ran.out == ""
    assert ran.err == "ERROR: Bay none could not be found. Look at the list. (HTTP 404) See: magnum bay-list\n"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"errors": [{"detail": "One."}, {"title": "Two"}]}, "One.\nTwo (HTTP 400)"),
        ({"error_message": json.dumps({"faultstring": "Old form."})}, "Old form. (HTTP 400)"),
        ({"error_message": "no JSON inside"}, "no JSON inside (HTTP 400)"),
        ({"errors": []}, "answered Bad Request. (HTTP 400)"),
        ("a page of a proxy", "answered Bad Request. (HTTP 400)"),
        (["a", "list"], "answered Bad Request. (HTTP 400)"),
    ],
)
def test_every_form_of_error(magnum: Run, cloud: StubCloud, body: Any, sentence: str) -> None:
    cloud.on("GET /v1/bays", 400, body)
    ran = magnum("bay-list")
    assert ran.code == 1
    assert sentence in ran.err


def test_an_answer_that_is_not_magnums(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("GET /v1/bays", 200, "<html>hello</html>")
    ran = magnum("bay-list")
    assert ran.code == 3
    assert "does not answer as Magnum does" in ran.err


def test_a_redirect_is_not_followed_with_the_token(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("GET /v1/bays", 302)
    ran = magnum("bay-list")
    assert ran.code == 3
    assert "Correct the endpoint's URL" in ran.err
    assert len(cloud.seen) == 1


def test_no_login(magnum: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OS_USERNAME")
    monkeypatch.setenv("OS_PASSWORD", "")
    ran = magnum("bay-list")
    assert ran.code == 3
    assert "OS_USERNAME" in ran.err
    assert "OS_PASSWORD" in ran.err
    assert "OS_PROJECT_NAME" not in ran.err


def test_a_refused_login(magnum: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_PASSWORD", "wrong")
    ran = magnum("bay-list")
    assert ran.code == 3
    assert "Keystone at http://keystone.test:5000/v3 refused the login" in ran.err


def test_a_refused_token(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("GET /v1/bays", 401, "Authentication required")
    ran = magnum("bay-list")
    assert ran.code == 3
    assert "does not accept the token" in ran.err


def test_no_connection_says_where_to(magnum: Run, cloud: StubCloud) -> None:
    cloud.away = True
    ran = magnum("bay-list")
    assert ran.code == 3
    assert "http://magnum.test:9511/v1/bays: Connection refused." in ran.err
    assert "Traceback" not in ran.err


def test_what_took_too_long_may_have_been_done(magnum: Run, cloud: StubCloud) -> None:
    cloud.slow = True
    assert "look before you repeat it" not in magnum("bay-list").err
    ran = magnum("bay-delete", "web")
    assert ran.code == 3
    assert "timed out" in ran.err
    assert "It may have been done all the same: look before you repeat it." in ran.err


@pytest.mark.parametrize(
    ("status", "advice"),
    [(403, "Ask an administrator"), (404, "See: magnum pod-list"), (406, "another with --magnum-api-version")],
)
def test_the_next_step_is_named(magnum: Run, cloud: StubCloud, status: int, advice: str) -> None:
    cloud.on("GET /v1/pods/p", status, refusal("No."))
    ran = magnum("pod-show", "p")
    assert ran.code == 1
    assert f"No. (HTTP {status}) " in ran.err
    assert advice in ran.err


def test_no_endpoint_in_the_catalog(magnum: Run, cloud: StubCloud) -> None:
    cloud.catalog_type = "orchestration"
    ran = magnum("bay-list")
    assert ran.code == 3
    assert "no endpoint of type container-infra or container" in ran.err


def test_a_bug_is_not_a_traceback(magnum: Run, cloud: StubCloud) -> None:
    def broken(_: Any) -> Any:
        raise ZeroDivisionError("by nought")

    cloud.handlers["GET /v1/bays"] = broken
    ran = magnum("bay-list")
    assert ran.code == 1
    assert "by nought" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    "words", [("bay-show", "\udcff"), ("pod-list", "--bay", "\udcff"), ("bay-list", "--sort-key", "\udcff")]
)
def test_a_name_that_is_not_text_is_wrongly_typed(magnum: Run, words: tuple[str, ...]) -> None:
    ran = magnum(*words)
    assert ran.code == 2
    assert "'\\udcff' is not valid UTF-8." in ran.err


@pytest.mark.parametrize("words", [(), ("-f", "value"), ("-f", "csv"), ("-f", "json"), ("-f", "yaml")])
def test_what_a_terminal_obeys_never_reaches_it(magnum: Run, cloud: StubCloud, words: tuple[str, ...]) -> None:
    evil = "a\x1b]0;owned\x07\x9b31m\u202eb\rc"
    cloud.on("GET /v1/pods", 200, {"pods": [{"uuid": evil, "name": evil, "status": None, "bay_uuid": ""}]})
    cloud.on("GET /v1/pods/x", 200, {"uuid": evil, "labels": {evil: evil}, "images": [evil], evil: evil})
    for ran in (magnum("pod-list", *words), magnum("pod-show", "x", *words)):
        assert ran.code == 0
        assert not set(ran.out) & set("\x1b\x07\x9b\u202e\r")


def test_nor_in_errors_and_logs(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("GET /v1/bays/x", 400, refusal("no \x1b[2J\x9b such"))
    ran = magnum("--debug", "bay-show", "x")
    assert not set(ran.err) & set("\x1b\x9b")
    assert "\\x1b[2J" in ran.err


def test_debug_shows_requests_but_no_secret(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("GET /v1/bays", 200, {"bays": []})
    ran = magnum("--debug", "bay-list")
    assert "http://magnum.test:9511/v1/bays" in ran.err
    assert "the-token" not in ran.err
    assert "secret" not in ran.err


@pytest.mark.parametrize(
    "words",
    [("pod-delete", "p", "--bay", ""), ("pod-show", "p", ""), ("rc-list", ""), ("container-list", "--bay", "")],
)
def test_a_bay_without_a_name_is_not_any_bay(magnum: Run, cloud: StubCloud, words: tuple[str, ...]) -> None:
    """As of a script whose variable is empty."""
    ran = magnum(*words)
    assert ran.code == 2
    assert ran.err == "ERROR: '' is no name or uuid of a bay.\n"
    assert not cloud.seen
