"""The Docker objects of a cloud, all at once."""

from typing import Any
from unittest import mock

import docker
import docker.errors
import pytest

from magnum.localcloud import bay_servers
from magnum.localcloud.bay_servers import BayServers
from magnum.localcloud.processes import ServiceError


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The SDK's client, with one object of each kind."""
    client = mock.Mock()
    for kind in (client.containers, client.networks, client.volumes):
        kind.list.return_value = [mock.Mock()]
    monkeypatch.setattr(docker, "DockerClient", mock.Mock(return_value=client))
    monkeypatch.setattr(bay_servers, "_POLL_SECONDS", 0)
    return client


def test_what_a_heat_that_was_ended_left_under_way_is_waited_for(client: Any) -> None:
    (container,), (network,) = client.containers.list(), client.networks.list()
    container.remove.side_effect = [
        docker.errors.APIError("removal of container c is already in progress"),
        docker.errors.NotFound("No such container: c"),
    ]
    network.remove.side_effect = [docker.errors.APIError("network n has active endpoints"), None]
    assert BayServers("unix:///nowhere", "test").remove() == 3
    assert container.remove.call_count == network.remove.call_count == 2
    client.volumes.list()[0].remove.assert_called_once()


@pytest.mark.parametrize("said", ["disk full", "container c is already in progress"])
def test_what_cannot_be_removed_is_told_in_a_sentence(client: Any, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setattr(bay_servers, "_SECONDS", -1)
    client.containers.list()[0].remove.side_effect = docker.errors.APIError(said)
    with pytest.raises(ServiceError, match=said):
        BayServers("unix:///nowhere", "test").remove()
