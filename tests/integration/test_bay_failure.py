"""A bay that cannot be built says what failed, where and why; and goes."""

import pytest

from tests.integration.cloud import Cloud, CommandFailed, write_baymodel


def test_an_image_that_does_not_exist(cloud: Cloud) -> None:
    write_baymodel(cloud, "broken", **{"image-id": "no-such-image"})
    with pytest.raises(CommandFailed, match="no-such-image"):
        cloud.text("bay-create", "--name", "broken", "--baymodel", "broken", "--wait", seconds=300)
    bay = cloud.bay("broken")
    assert bay["status"] == "CREATE_FAILED"
    assert "no-such-image" in bay["status_reason"]
    assert "\n" not in bay["status_reason"]
    assert any("no-such-image" in event["text"] for event in cloud.json("bay-event-list", "broken"))
    cloud.text("bay-delete", "broken", "--wait", seconds=300)
    assert "broken" not in [item["name"] for item in cloud.json("bay-list")]
