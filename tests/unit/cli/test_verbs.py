"""The generic verbs: what they send and what they show."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from magnum.cli.resources import RESOURCES
from magnum.cli.values import decode

from .conftest import Answer, Ran, Seen, StubCloud, refusal

Run = Callable[..., Ran]

BAY: dict[str, Any] = {
    "uuid": "3f0c1f0e-2d62-4b1e-9a55-5b7f5f0b8a11",
    "name": "web",
    "baymodel_id": "b1",
    "node_count": 1,
    "master_count": 1,
    "status": "CREATE_COMPLETE",
    "links": [{"href": "http://magnum.test:9511/v1/bays/x", "rel": "self"}],
}


def test_list_shows_a_table_of_the_usual_columns(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("GET /v1/bays", 200, {"bays": [BAY]})
    ran = magnum("bay-list")
    assert ran.code == 0
    assert "| uuid " in ran.out
    assert BAY["uuid"] in ran.out
    assert "CREATE_COMPLETE" in ran.out
    assert "links" not in ran.out


def test_no_version_header_is_sent_and_the_token_is(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("GET /v1/bays", 200, {"bays": []})
    magnum("bay-list")
    headers = {name.lower(): value for name, value in cloud.seen[0].headers.items()}
    assert headers["x-auth-token"] == "the-token"
    assert not [name for name in headers if "version" in name]


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("csv", '"name","node_count"\n"web",1\n'),
        ("value", "web 1\n"),
        ("json", '[\n  {\n    "name": "web",\n    "node_count": 1\n  }\n]\n'),
        ("yaml", "- name: web\n  node_count: 1\n"),
    ],
)
def test_formats_and_columns(magnum: Run, cloud: StubCloud, output: str, expected: str) -> None:
    cloud.on("GET /v1/bays", 200, {"bays": [BAY]})
    assert magnum("bay-list", "-f", output, "-c", "name", "-c", "node_count").out == expected


def test_one_object_as_csv(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("GET /v1/bays/web", 200, BAY)
    assert magnum("bay-show", "web", "-f", "csv", "-c", "name").out == '"name"\n"web"\n'


def test_an_unknown_column_is_an_error_that_names_the_known(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("GET /v1/bays", 200, {"bays": [BAY]})
    ran = magnum("bay-list", "-c", "colour")
    assert ran.code == 2
    assert "No column is called 'colour': there are uuid, name, node_count" in ran.err
    assert "--detail shows more" in ran.err
    assert not cloud.seen
    cloud.on("GET /v1/bays/detail", 200, {"bays": [BAY]})
    assert magnum("bay-list", "--detail", "-c", "name", "-c", "colour").code == 2


def _pages(total: int, size: int) -> Callable[[Seen], Answer]:
    """A collection of `total` bays in pages of `size`, and links that lead to another host."""

    def answer(seen: Seen) -> Answer:
        begin = int(seen.params.get("marker", "-1")) + 1
        count = min(size, int(seen.params.get("limit", size)))
        rows = [{"uuid": str(number)} for number in range(begin, min(begin + count, total))]
        page: dict[str, Any] = {"bays": rows}
        if len(rows) == count:
            page["next"] = f"http://elsewhere.test/v1/bays?limit={count}&marker={rows[-1]['uuid']}"
        return 200, page

    return answer


def test_a_list_goes_through_all_pages_and_never_to_another_host(magnum: Run, cloud: StubCloud) -> None:
    cloud.handlers["GET /v1/bays"] = _pages(total=7, size=3)
    ran = magnum("bay-list", "-f", "value", "-c", "uuid")
    assert ran.out.split() == list("0123456")
    assert {seen.headers["Host"] for seen in cloud.seen} == {"magnum.test:9511"}


def test_limit_is_over_all_pages(magnum: Run, cloud: StubCloud) -> None:
    cloud.handlers["GET /v1/bays"] = _pages(total=9, size=3)
    ran = magnum("bay-list", "--limit", "5", "-f", "value", "-c", "uuid")
    assert ran.out.split() == list("01234")
    assert [seen.params["limit"] for seen in cloud.seen] == ["5", "2"]


def test_detail_shows_every_field_but_links(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("GET /v1/bays/detail", 200, {"bays": [BAY | {"api_address": "https://10.0.0.3:6443"}]})
    row = magnum("bay-list", "--detail", "-f", "json").json[0]
    assert row["api_address"] == "https://10.0.0.3:6443"
    assert "links" not in row


def test_bay_create_sends_what_was_typed_and_no_more(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("POST /v1/bays", 201, BAY)
    ran = magnum("bay-create", "--name", "web", "--baymodel", "small", "--node-count", "2", "--timeout", "9")
    assert ran.code == 0
    expected = {"name": "web", "baymodel_id": "small", "node_count": 2, "bay_create_timeout": 9}
    assert cloud.seen[0].body == expected


def test_labels_are_collected_over_repeated_options(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("POST /v1/baymodels", 201, {"uuid": "u"})
    options = ("--labels", "kube_tag=v1.30,a=b=c", "--labels", "x=", "--tls-disabled", "--docker-volume-size", "5")
    magnum("baymodel-create", "--coe", "kubernetes", "--image-id", "i", *options)
    body = cloud.seen[0].body
    assert body["labels"] == {"kube_tag": "v1.30", "a": "b=c", "x": ""}
    assert body["tls_disabled"] is True
    assert body["docker_volume_size"] == 5
    assert "public" not in body


def test_a_label_without_value_is_a_wrong_usage(magnum: Run) -> None:
    ran = magnum("baymodel-create", "--coe", "kubernetes", "--image-id", "i", "--labels", "kube_tag")
    assert ran.code == 2
    assert "'kube_tag' is not of the form key=value" in ran.err


def test_pod_create_sends_the_text_of_the_file(magnum: Run, cloud: StubCloud, tmp_path: Path) -> None:
    manifest = tmp_path / "pod.yaml"
    manifest.write_text("kind: Pod\n")
    cloud.on("POST /v1/pods", 201, {"uuid": "p", "name": "redis", "links": []})
    ran = magnum("pod-create", "--bay", "web", "--manifest", str(manifest))
    assert ran.code == 0
    assert cloud.seen[0].body == {"bay_uuid": "web", "manifest": "kind: Pod\n"}


@pytest.mark.parametrize("words", [(), ("--manifest", "a", "--manifest-url", "http://b")])
def test_a_manifest_comes_from_one_place(magnum: Run, words: tuple[str, ...]) -> None:
    assert magnum("rc-create", "--bay", "web", *words).code == 2


def test_a_file_that_is_not_there_is_named(magnum: Run, tmp_path: Path) -> None:
    ran = magnum("pod-create", "--bay", "web", "--manifest", str(tmp_path / "none.yaml"))
    assert ran.code == 2
    assert "none.yaml cannot be read: No such file or directory." in ran.err


def test_a_manifest_without_end_is_not_read_to_it(magnum: Run, cloud: StubCloud) -> None:
    ran = magnum("coe-service-create", "--bay", "web", "--manifest", "/dev/zero")
    assert ran.code == 2
    assert "/dev/zero has more than the 524288 bytes that are sent." in ran.err
    assert not cloud.seen


@pytest.mark.parametrize("name", ["pod", "rc", "coe-service"])
def test_items_in_a_bay_are_narrowed_by_bay_ident(magnum: Run, cloud: StubCloud, name: str) -> None:
    collection = RESOURCES[name].collection
    cloud.on(f"GET /v1/{collection}/x", 200, {"uuid": "u"})
    cloud.on(f"DELETE /v1/{collection}/x", 204)
    cloud.on(f"GET /v1/{collection}", 200, {collection: []})
    assert magnum(f"{name}-show", "x", "--bay", "web").code == 0
    assert magnum(f"{name}-delete", "x", "--bay", "web").code == 0
    assert magnum(f"{name}-list", "--bay", "web").code == 0
    assert magnum(f"{name}-list").code == 0
    assert [seen.params for seen in cloud.seen] == [{"bay_ident": "web"}] * 3 + [{}]


def test_update_sends_several_attributes_decoded(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("PATCH /v1/bays/web", 200, BAY)
    magnum("bay-update", "web", "replace", "node_count=3", "name=web2", "labels/kube_tag=1.30")
    assert cloud.seen[0].body == [
        {"op": "replace", "path": "/node_count", "value": 3},
        {"op": "replace", "path": "/name", "value": "web2"},
        {"op": "replace", "path": "/labels/kube_tag", "value": "1.30"},
    ]


def test_remove_names_fields_only(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("PATCH /v1/baymodels/small", 200, {"uuid": "u"})
    magnum("baymodel-update", "small", "remove", "flavor_id", "/labels/kube_tag")
    assert cloud.seen[0].body == [
        {"op": "remove", "path": "/flavor_id"},
        {"op": "remove", "path": "/labels/kube_tag"},
    ]
    assert magnum("baymodel-update", "small", "remove", "flavor_id=x").code == 2


def test_a_manifest_of_an_update_is_a_file(magnum: Run, cloud: StubCloud, tmp_path: Path) -> None:
    manifest = tmp_path / "rc.yaml"
    manifest.write_text("spec: {replicas: 4}\n")
    cloud.on("PATCH /v1/rcs/frontend", 200, {"uuid": "u", "replicas": 4})
    magnum("rc-update", "frontend", "--bay", "web", "replace", f"manifest={manifest}")
    assert cloud.seen[0].body == [{"op": "replace", "path": "/manifest", "value": "spec: {replicas: 4}\n"}]
    assert cloud.seen[0].params == {"bay_ident": "web"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("true", True),
        ("null", None),
        ('"3"', "3"),
        ("1.30", "1.30"),
        ("NaN", "NaN"),
        ("v1", "v1"),
        ("", ""),
        ('{"a": 1}', '{"a": 1}'),
    ],
)
def test_values_are_decoded_where_the_api_has_such_a_type(text: str, value: Any) -> None:
    assert decode(text) == value
    assert type(decode(text)) is type(value)


def test_delete_goes_on_after_a_failure_and_says_so(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("DELETE /v1/baymodels/used", 400, refusal("Baymodel used is referenced by one or multiple bays."))
    cloud.on("DELETE /v1/baymodels/free", 204)
    ran = magnum("baymodel-delete", "used", "free")
    assert ran.code == 1
    assert "Delete for baymodel used failed: Baymodel used is referenced" in ran.err
    assert ran.out == "Deleted baymodel free.\n"


@pytest.mark.parametrize("ident", ["", ".", ".."])
def test_a_name_that_would_lead_elsewhere_is_not_sent(magnum: Run, cloud: StubCloud, ident: str) -> None:
    assert magnum("bay-delete", ident).code == 2
    assert not cloud.seen


def test_names_are_quoted_into_one_segment(magnum: Run, cloud: StubCloud) -> None:
    cloud.on("GET /v1/bays/a/b?c", 200, BAY)
    assert magnum("bay-show", "a/b?c").code == 0


@pytest.mark.parametrize("words", [("bay-list", "-h"), ("help", "bay-list"), ("bay-list", "--help")])
def test_help_has_an_example(magnum: Run, words: tuple[str, ...]) -> None:
    ran = magnum(*words)
    assert ran.code == 0
    assert "example:\n  magnum bay-list" in ran.out


def test_every_verb_explains_itself(magnum: Run) -> None:
    listed = magnum("--help").out.partition("\nverbs:\n")[2]
    names = [line.split()[0] for line in listed.splitlines()]
    assert len(names) > 50
    for name in names:
        ran = magnum("help", name)
        assert ran.code == 0, name
        assert f"magnum {name}" in ran.out
        assert f"example:\n  magnum {name}" in ran.out or name in ("bay-config", "complete", "help")
        assert "example:" in ran.out


def test_no_verb_shows_the_verbs(magnum: Run) -> None:
    ran = magnum()
    assert ran.code == 2
    assert "bay-create" in ran.out
