"""From Heat's words to a tenant's."""

import time

import pytest

from magnum.clients.heat import StackResource
from magnum.conductor import faults


def failed(path: str, reason: str, kind: str = "OS::Nova::Server", *, nested: bool = False) -> StackResource:
    return StackResource(tuple(path.split(".")), kind, "CREATE_FAILED", reason, "", nested)


@pytest.mark.parametrize(
    ("reason", "plain"),
    [
        ("Image x could not be found.", "Image x could not be found."),
        ("ResourceInError: resources.server: Image x could not be found.", "Image x could not be found."),
        (
            "Resource CREATE failed: NotFound: resources.nodes.resources[0].resources.server: No such image: x.",
            "No such image: x.",
        ),
        (
            'ResourceInError: resources.server: Went to status ERROR due to "Message: No host was found. , Code: 500"',
            "No host was found.",
        ),
        ("Property error: : resources.a.properties.b: : no", "Property error: : resources.a.properties.b: : no"),
        ("Timed out", "Timed out"),
        ("", "no reason is given"),
        ("two\n lines", "two lines"),
    ],
)
def test_noise_goes(reason: str, plain: str) -> None:
    assert faults.plain(reason) == plain


def test_only_leaves_count() -> None:
    found = faults.collect(
        [
            failed("nodes", "resources.nodes: …", "OS::Heat::ResourceGroup", nested=True),
            failed("nodes.1", "…", "server.yaml", nested=True),
            failed("nodes.1.server", "ResourceInError: resources.server: Quota exceeded for instances (HTTP 403)"),
            failed("nodes.0.ready", "CREATE aborted (user triggered cancel)", "OS::Heat::WaitCondition"),
            StackResource(("network",), "OS::Neutron::Net", "CREATE_COMPLETE", "", "", nested=False),
        ]
    )
    assert [(fault["resource"], fault["service"], fault["code"]) for fault in found] == [
        ("nodes.1.server", "nova", "403")
    ]
    assert faults.one_line(found, "") == "node 1: Quota exceeded for instances (HTTP 403)"


def test_cancelled_ones_count_where_nothing_else_is_known() -> None:
    found = faults.collect([failed("masters.0.port", "CREATE aborted", "OS::Neutron::Port")])
    assert faults.one_line(found, "") == "master 0: CREATE aborted"


def test_a_nested_stack_that_failed_by_itself_is_a_leaf() -> None:
    found = faults.collect([failed("nodes", "StackValidationFailed: resources.nodes: no such flavor", nested=True)])
    assert faults.one_line(found, "") == "nodes: no such flavor"


def test_a_node_that_never_reported_is_named() -> None:
    (fault,) = faults.collect(
        [failed("nodes.2.ready", "WaitConditionTimeout: resources.ready: 0 of 1 received", "OS::Heat::WaitCondition")]
    )
    assert (fault["name"], fault["message"].split(".")[0]) == ("node 2", "did not report in time that it is up")


def test_what_failed_in_the_same_way_is_said_once() -> None:
    found = faults.collect([failed(f"nodes.{number}.server", "No host was found.") for number in range(5)])
    assert faults.one_line(found[:2], "") == "node 0, node 1: No host was found."
    assert faults.one_line(found, "") == "node 0, node 1, node 2 and 2 more: No host was found."


def test_other_faults_are_counted_and_long_ones_cut() -> None:
    found = faults.collect([failed(f"nodes.{number}.server", str(number) * 2000) for number in range(3)])
    line = faults.one_line(found, "")
    assert line.startswith("node 0: 000")
    assert line.endswith("(and 2 more)")
    assert len(line) < 600


def test_without_faults_the_stack_speaks() -> None:
    assert faults.one_line([], "Create timed out") == "Create timed out"


def test_what_is_gone_is_named_by_the_resource_around_it() -> None:
    reason = "Conflict: resources.nodes.resources[2].resources.server: No host was found."
    (fault,) = faults.collect([failed("nodes", reason, "OS::Heat::ResourceGroup", nested=True)])
    assert (fault["resource"], fault["name"]) == ("nodes.2.server", "node 2")
    assert faults.one_line([fault], "") == "node 2: No host was found."


def leaf_of(path: str, reason: str, kind: str = "OS::Nova::Server") -> StackResource:
    return StackResource(tuple(path.split(".")), kind, "CREATE_FAILED", reason, "id", nested=False)


BROKEN_OFF = leaf_of("masters.0.server", "CREATE aborted (user triggered cancel)")
BUILD_ABORTED = leaf_of(
    "nodes.1.server",
    'ResourceInError: resources.server: Went to status ERROR due to "Message: Build of instance 5f aborted: Failed to '
    'allocate the network(s)., Code: 500"',
)
IN_VAIN = leaf_of(
    "masters.0.ready", "WaitConditionTimeout: resources.ready: 0 of 1 received", "OS::Heat::WaitCondition"
)


@pytest.mark.parametrize("other", [BROKEN_OFF, IN_VAIN])
def test_a_cause_comes_before_what_it_made_fail(other: StackResource) -> None:
    found = faults.collect([other, BUILD_ABORTED])
    assert faults.one_line(found, "Stack CREATE failed").startswith("node 1: Build of instance 5f aborted: Failed to")


def test_where_all_was_broken_off_the_stack_says_why() -> None:
    assert faults.one_line(faults.collect([BROKEN_OFF]), "Create timed out") == "Create timed out"


def test_what_is_gone_is_named_though_others_beside_it_were_broken_off() -> None:
    gone = "Conflict: resources.nodes.resources[2].resources.server: No host was found."
    around = failed("nodes", gone, "OS::Heat::ResourceGroup", nested=True)
    beside = failed("nodes.1.server", "CREATE aborted (user triggered cancel)")
    assert faults.one_line(faults.collect([around, beside]), "") == "node 2: No host was found."


@pytest.mark.parametrize(
    "text",
    [
        'Went to status ERROR due to "' + " " * 200_000 + "x",
        'Went to status ERROR due to "Message: ' + "Code: " * 50_000,
        "Error: " * 50_000,
        "resources.nodes.resources[0]: " * 20_000,
        "cancelled" + " " * 100_000 + "x",
        "A" * 200_000,
    ],
)
def test_words_that_are_written_to_keep_readers_busy(text: str) -> None:
    begun = time.process_time()
    (fault,) = faults.collect([failed("nodes.0.server", text)])
    assert time.process_time() - begun < 0.5
    assert max(len(str(value)) for value in fault.values()) <= 500


def test_control_characters_are_left_out() -> None:
    (fault,) = faults.collect([failed("nodes.0.server", "x\0y\x1b[31mRED\x07\u202e")])
    assert fault["message"] == "x y [31mRED  "


def test_a_fault_without_words() -> None:
    (fault,) = faults.collect([failed("nodes.0.server", "ResourceInError: resources.server: ")])
    assert fault["message"] == "no reason is given"
