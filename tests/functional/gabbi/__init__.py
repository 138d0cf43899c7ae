"""The contract of the API, as declarative HTTP tests."""

import pytest

pytest.register_assert_rewrite("tests.functional.gabbi.handlers")  # so that a failure shows what it compared
