"""What the files can say of an answer beyond what Gabbi knows."""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from gabbi import case
from gabbi.handlers import base, core, jsonhandler

from tests.functional.described import check_described

ERROR_FIELDS = {"request_id", "code", "status", "title", "detail", "links"}


class Form(base.ResponseHandler):
    """What holds for every answer, so no file says it: what OpenAPI says, a request id, both forms of an error."""

    test_key_suffix = "form"

    def __call__(self, test: case.HTTPTestCase) -> None:
        response, status = test.response, int(test.response["status"])
        request = {"REQUEST_METHOD": test.test_data["method"], "PATH_INFO": unquote(urlsplit(test.url).path)}
        body = test.output.encode() if isinstance(test.output, str) else test.output
        check_described(request, status, response, body)
        assert re.search("^req-", response["x-openstack-request-id"])
        if status < 400:
            return
        assert response["content-type"].split(";")[0] == "application/json"
        if test.test_data["method"] != "HEAD":
            self._check_errors(test, status, response["x-openstack-request-id"])

    @staticmethod
    def _check_errors(test: case.HTTPTestCase, status: int, request_id: str) -> None:
        document = test.response_data
        assert set(document) == {"errors", "error_message"}
        assert document["errors"], "errors must not be empty"
        for error in document["errors"]:
            assert set(error) >= ERROR_FIELDS
            assert (error["request_id"], error["status"]) == (request_id, status)
            assert all(error[name] for name in ("title", "detail", "code"))
        assert isinstance(document["error_message"], str)
        fault = json.loads(document["error_message"])
        assert set(fault) == {"debuginfo", "faultcode", "faultstring"}
        assert fault["faultcode"] == ("Client" if status < 500 else "Server")
        assert fault["faultstring"]


class Says(base.ResponseHandler):
    """``response_says``: words (or a /regular expression/) of which each stands in the details of the errors."""

    test_key_suffix = "says"
    test_key_value: list[str] = []  # noqa: RUF012 - Gabbi's way to say of what type it is

    def action(self, test: case.HTTPTestCase, item: str, value: Any = None) -> None:
        details = "\n".join(error["detail"] for error in test.response_data["errors"])
        regex = self.is_regex(item)
        words = test.replace_template(item, escape_regex=regex)
        assert re.search(words[1:-1], details) if regex else words in details, f"{words!r} is not in {details!r}"


class Keys(base.ResponseHandler):
    """``response_keys``: at each JSON path, an object with these members and no others."""

    test_key_suffix = "keys"
    test_key_value: Mapping[str, list[str]] = {}

    def action(self, test: case.HTTPTestCase, item: str, value: Any = None) -> None:
        found = jsonhandler.JSONHandler.extract_json_path_value(test.response_data, item)
        assert isinstance(found, dict)
        assert sorted(found) == sorted(value)


HANDLERS = (
    Form,
    Says,
    Keys,
    jsonhandler.JSONHandler,
    core.StringResponseHandler,
    core.HeadersResponseHandler,
    core.ForbiddenHeadersResponseHandler,
)
"""What can be said of an answer."""
