"""Bodies that do not come to their end."""

import io
import logging

import pytest
from webob import Request

from magnum.api.body import read_json
from magnum.common.exception import Invalid


def test_a_client_that_leaves_halfway_is_no_error_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    request = Request.blank("/v1/bays", method="POST")
    request.body_file_raw = io.BytesIO(b'{"name"')
    request.content_length = 100
    with caplog.at_level(logging.INFO), pytest.raises(Invalid, match="did not come to its end"):
        read_json(request, 1000)
    (record,) = caplog.records
    assert (record.levelno, record.exc_info) == (logging.INFO, None)
    assert "POST /v1/bays" in record.getMessage()
