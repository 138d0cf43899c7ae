"""Which version of the API a request gets."""

import pytest

from magnum.api.errors import NotAcceptable
from magnum.api.versions import NEWEST, OLDEST, VERSIONS, Feature, negotiate


@pytest.mark.parametrize(
    ("header", "old_header", "version"),
    [
        (None, None, "1.1"),
        ("container-infra 1.1", None, "1.1"),
        ("container-infra 1.2", None, "1.2"),
        ("container-infra latest", None, str(NEWEST)),
        ("Container-Infra LATEST", None, str(NEWEST)),
        ("container-infrastructure-management 1.3", None, "1.3"),
        ("compute 2.1, container-infra 1.2", None, "1.2"),
        (None, "1.1", "1.1"),
        (None, "latest", str(NEWEST)),
        ("container-infra 1.2", "1.1", "1.2"),
    ],
)
def test_negotiated(header: str | None, old_header: str | None, version: str) -> None:
    assert str(negotiate(header, old_header)) == version


@pytest.mark.parametrize(
    ("header", "old_header", "sentence"),
    [
        ("compute 2.1", None, "Invalid service type for OpenStack-API-Version header"),
        ("", None, "Invalid service type"),
        ("1.1", None, "Invalid service type"),
        ("container-infra", None, "Invalid value"),
        ("container-infra one", None, "Invalid value"),
        ("container-infra 1.1.1", None, "Invalid value"),
        ("container-infra 1.²", None, "Invalid value"),
        ("container-infra 1.0", None, "the minimum is 1.1"),
        ("container-infra 1.999", None, f"the maximum is {NEWEST}"),
        ("container-infra 2.1", None, f"the maximum is {NEWEST}"),
        (None, "1.999", f"the maximum is {NEWEST}"),
        (None, "", "Invalid value for X-OpenStack-Magnum-API-Version header: ''."),
        ("container-infra", "1.1", "Invalid value for OpenStack-API-Version header: ''."),
    ],
)
def test_not_here(header: str | None, old_header: str | None, sentence: str) -> None:
    with pytest.raises(NotAcceptable, match=sentence) as caught:
        negotiate(header, old_header)
    members = caught.value.members
    assert (members["min_version"], members["max_version"]) == (str(OLDEST), str(NEWEST))
    assert members["code"] == "magnum.microversion-unsupported"


def test_a_feature_stays_in_later_versions() -> None:
    for feature in Feature:
        having = [version.has(feature) for version in VERSIONS]
        assert having == sorted(having)
        assert having[-1]


def test_the_table_is_in_order_and_leaves_nothing_out() -> None:
    assert [version.minor for version in VERSIONS] == list(range(1, len(VERSIONS) + 1))
