"""What holds on each of the databases, which by themselves differ in it."""

from tests.functional.conftest import BAYMODEL, Client


def _names(client: Client, query: str) -> list[str | None]:
    return [baymodel["name"] for baymodel in client.get(f"/v1/baymodels?sort_key=name&{query}").json["baymodels"]]


def test_names_differ_by_case(alice: Client) -> None:
    made = {name: alice.post("/v1/baymodels", {**BAYMODEL, "name": name}).json["uuid"] for name in ("small", "SMALL")}
    for name, uuid in made.items():
        assert alice.get(f"/v1/baymodels/{name}").json["uuid"] == uuid
    assert alice.get("/v1/baymodels/Small").status_int == 404


def test_a_name_is_kept_as_it_is(alice: Client) -> None:
    for name in ("Straße", "🐳 whale", "small "):
        alice.post("/v1/baymodels", {**BAYMODEL, "name": name})
    assert set(_names(alice, "")) == {"Straße", "🐳 whale", "small "}


def test_null_is_less_than_any_name(alice: Client) -> None:
    for name in ("a", None, "b", None):
        alice.post("/v1/baymodels", {**BAYMODEL, "name": name})
    assert _names(alice, "sort_dir=asc") == [None, None, "a", "b"]
    assert _names(alice, "sort_dir=desc") == ["b", "a", None, None]


def test_pages_go_on_after_nulls(alice: Client) -> None:
    for name in ("a", None, "b", None):
        alice.post("/v1/baymodels", {**BAYMODEL, "name": name})
    for direction, names in (("asc", [None, None, "a", "b"]), ("desc", ["b", "a", None, None])):
        found, query = [], f"sort_dir={direction}&limit=1"
        for _ in names:
            page = alice.get(f"/v1/baymodels?sort_key=name&{query}").json["baymodels"]
            found.append(page[0]["name"])
            query = f"sort_dir={direction}&limit=1&marker={page[0]['uuid']}"
        assert found == names
