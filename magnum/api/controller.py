"""The one controller of all resources: list, detail, show, create, update, delete.

A resource declares its names, its types and its fields, and overrides the few steps that are its own. Instances hold
no state; everything about a request is in its `Call`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from oslo_db import exception as db_exc
from wsme import types as wtypes

from magnum.api import paging, patch, types, views
from magnum.api.call import Answer, Call
from magnum.common.exception import Conflict, Invalid, NotFound
from magnum.db import models, resources
from magnum.db.resources import Page

Row = TypeVar("Row", bound=models.Owned)
Fields = Mapping[str, Any]

DATES = ("created_at", "updated_at")


class ResourceController(Generic[Row]):
    """A resource that lives in a table of ours. What a subclass must say is declared without a value."""

    noun: ClassVar[str]
    """Its name in policies and messages."""
    plural: ClassVar[str]
    """Its name in paths and bodies."""
    model: type[Row]
    input_type: ClassVar[type[wtypes.Base]]
    short: ClassVar[tuple[str, ...]]
    """Fields of an object in a list."""
    full: ClassVar[tuple[str, ...]]
    """Fields of an object that is shown by itself."""
    defaults: ClassVar[Fields] = {}
    """Values of fields that are not given."""
    internal: ClassVar[tuple[str, ...]] = ()
    """Fields that a patch must not name."""
    ignored_parameters: ClassVar[tuple[str, ...]] = ()
    """Query parameters of a list that old clients send and nobody reads."""
    filters: ClassVar[tuple[str, ...]] = ()
    """Query parameters that choose among the objects."""

    # --- the verbs -------------------------------------------------------------------------------------------------

    def list(self, call: Call) -> Answer:
        """A page of objects in short."""
        call.allow(f"{self.noun}:get_all")
        return self._page(call, self.short, self.plural)

    def detail(self, call: Call) -> Answer:
        """A page of objects in full."""
        call.allow(f"{self.noun}:detail")
        return self._page(call, self.full, f"{self.plural}/detail")

    def show(self, call: Call) -> Answer:
        """One object."""
        row = self._allowed(call, "get")
        return Answer(self.view(call, self.refreshed(call, row)))

    def create(self, call: Call) -> Answer:
        """Store a new object."""
        call.allow(f"{self.noun}:create")
        call.check_query()
        document = call.document(self.noun)
        problems: list[str] = []
        given = types.read(self.input_type, document, problems)
        row = self.store(call, self.checked(call, {**self.defaults, **given}, problems))
        location = f"{call.host_url}/v1/{self.plural}/{row.uuid}"
        return Answer(self.view(call, row), 201, {"Location": location})

    def update(self, call: Call) -> Answer:
        """Change an object by a JSON Patch."""
        row = self._allowed(call, "update")
        return Answer(self.view(call, self.patched(call, row, call.json())))

    def delete(self, call: Call) -> Answer:
        """Delete an object."""
        row = self._allowed(call, "delete")
        self.remove(call, row)
        return Answer(status=204)

    def _allowed(self, call: Call, verb: str) -> Row:
        """The object that the path names. Whoever may do this to no object is not told which exist."""
        rule = f"{self.noun}:{verb}"
        call.allow(rule)
        call.check_query(*self.filters)
        row = self.find(call)
        call.allow(rule, self.target(row))
        return row

    # --- the steps, for a resource to override -----------------------------------------------------------------------

    def find(self, call: Call) -> Row:
        """The object that the path names."""
        with call.services.database.reader() as session:
            return resources.find(session, call.context, self.model, call.arguments["ident"])

    def target(self, row: Row) -> Fields:
        """What policy needs to know of an object."""
        return {"project_id": row.project_id, "user_id": row.user_id}

    def refreshed(self, call: Call, row: Row) -> Row:  # noqa: ARG002
        """The object as it is to be shown."""
        return row

    def rows(self, call: Call, page: Page) -> Sequence[Row]:
        """The objects of a page."""
        with call.services.database.reader() as session:
            return resources.page(session, call.context, self.model, page)

    def checked(self, call: Call, values: dict[str, Any], problems: Sequence[str]) -> dict[str, Any]:
        """The columns of an object with these values.

        :param problems: what is already known to be wrong with them
        :raises Invalid: with all that is wrong
        """
        found = [*problems, *self.problems(call, values)]
        if found:
            raise Invalid(found)
        return values

    def problems(self, call: Call, values: Fields) -> Sequence[str]:  # noqa: ARG002
        """What is wrong with values that are each of their type; fields that are wrong by type are absent."""
        return ()

    def store(self, call: Call, values: dict[str, Any]) -> Row:
        """Store a new object. One that asks for the uuid of another tenant's gets a new uuid."""
        try:
            with call.services.database.writer() as session:
                return resources.add(session, call.context, self.model(**values))
        except db_exc.DBDuplicateEntry as error:
            if "uuid" in values and not self._is_known(call, values["uuid"]):
                return self.store(call, {name: value for name, value in values.items() if name != "uuid"})
            fields = " and ".join(error.columns or ["uuid"])
            raise Conflict(f"A {self.noun} with the same {fields} already exists.") from error

    def patched(self, call: Call, row: Row, document: Any) -> Row:
        """Change an object; nothing is written where nothing differs."""
        names = self.patchable()
        before = {name: getattr(row, name) for name in names}
        after = patch.apply(document, before, internal=self.internal, mandatory=self.mandatory())
        problems: list[str] = []
        given = types.read(self.input_type, {name: after[name] for name in names}, problems)
        empty = dict.fromkeys(names)
        values = self.checked(call, {**empty, **self.defaults, **given}, problems)
        changed = {name: value for name, value in values.items() if value != before.get(name)}
        return self.change(call, row, changed) if changed else row

    def change(self, call: Call, row: Row, changed: Fields) -> Row:
        """Write the fields that differ."""
        with call.services.database.writer() as session:
            resources.change(session, call.context, self.model, row.uuid, changed)
            return resources.find(session, call.context, self.model, row.uuid)

    def remove(self, call: Call, row: Row) -> None:
        """Delete the object."""
        with call.services.database.writer() as session:
            resources.remove(session, call.context, self.model, row.uuid)

    # --- what follows from the declarations --------------------------------------------------------------------------

    def patchable(self) -> Sequence[str]:
        """Fields that a patch can name."""
        hidden = patch.COMMON_INTERNAL | set(self.internal)
        return [
            attribute.name
            for attribute in wtypes.list_attributes(self.input_type)
            if attribute.name not in hidden and not attribute.readonly
        ]

    def mandatory(self) -> Sequence[str]:
        """Fields that every object has."""
        return [attribute.name for attribute in wtypes.list_attributes(self.input_type) if attribute.mandatory]

    def view(self, call: Call, row: Row, fields: Sequence[str] | None = None) -> dict[str, Any]:
        """An object as clients see it."""
        return views.represent(row, fields or self.full, call.host_url, self.plural)

    def _is_known(self, call: Call, uuid: str) -> bool:
        with call.services.database.reader() as session:
            try:
                resources.find(session, call.context, self.model, uuid)
            except NotFound:
                return False
        return True

    def _page(self, call: Call, fields: Sequence[str], path: str) -> Answer:
        call.check_query(*paging.PARAMETERS, *self.filters, *self.ignored_parameters)
        sortable = {"id", *self.full}.intersection(resources.sort_keys(self.model))
        page = paging.read_page(call.query, call.services.conf.api.max_limit, sortable)
        rows = self.rows(call, page)
        body: dict[str, Any] = {self.plural: [self.view(call, row, fields) for row in rows]}
        if len(rows) == page.limit:
            chosen = {name: call.query[name] for name in self.filters if name in call.query}
            body["next"] = paging.next_link(call.host_url, path, page, rows[-1].uuid, chosen)
        return Answer(body)
