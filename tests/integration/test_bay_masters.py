"""A bay with three masters: the control plane survives the loss of one."""

from tests.integration.cloud import Cloud, eventually, write_baymodel


def test_three_masters(cloud: Cloud) -> None:
    write_baymodel(cloud, "masters")
    cloud.text("bay-create", "--name", "masters", "--baymodel", "masters", "--master-count", "3", "--wait", seconds=420)
    bay = cloud.bay("masters")
    assert bay["status"] == "CREATE_COMPLETE"
    assert len(bay["master_addresses"]) == 3
    states = {node["name"]: (node["role"], node["status"]) for node in cloud.nodes(bay["uuid"])}
    assert sorted(states.values()) == [("master", "Ready")] * 3 + [("node", "Ready")]
    lost = sorted(name for name, (role, _) in states.items() if role == "master")[-1]
    cloud.docker("stop", "-t", "1", cloud.servers(bay)[lost])

    def noticed() -> bool:
        return [node["status"] for node in cloud.nodes(bay["uuid"]) if node["name"] == lost] == ["NotReady"]

    eventually(noticed, "the API still answers and calls the lost master NotReady", 120)
    cloud.text("bay-delete", "masters", "--wait", seconds=300)
