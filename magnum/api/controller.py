"""The one controller of all resources: list, detail, show, create, update, delete.

A resource declares its names, its types and its fields, and overrides the few steps that are its own. Instances hold
no state; everything about a request is in its `Call`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Generic, TypeVar

from sqlalchemy.orm import Session

from magnum.api import paging, patch, views
from magnum.api.call import Answer, Call
from magnum.api.fields import Dated, defaults, fields_of, given_fields, read, shown_fields
from magnum.api.shapes import Object, Parameter, Reply
from magnum.api.types import Text
from magnum.common.exception import Invalid
from magnum.db import models, resources
from magnum.db.resources import Page

Row = TypeVar("Row", bound=models.Owned)
Fields = Mapping[str, Any]


class ResourceController(Generic[Row]):
    """A resource that lives in a table of ours. What a subclass must say is declared without a value."""

    noun: ClassVar[str]
    """Its name in policies and messages."""
    plural: ClassVar[str]
    """Its name in paths and bodies."""
    model: type[Row]
    fields: ClassVar[type[Dated]]
    """All that there is to say of an object: what clients give and what they are shown."""
    any_of: ClassVar[tuple[str, ...]] = ()
    """Fields of which a new object must be given one."""
    short: ClassVar[tuple[str, ...]]
    """Fields of an object in a list."""
    filters: ClassVar[tuple[Parameter, ...]] = ()
    """Query parameters that choose among the objects."""
    update_parameters: ClassVar[tuple[Parameter, ...]] = ()
    """Query parameters of a patch, beside the filters."""
    ignored_parameters: ClassVar[tuple[str, ...]] = ()
    """Query parameters of a list that old clients send and nobody reads."""
    created_replies: ClassVar[tuple[Reply, ...]] = ()
    changed_replies: ClassVar[tuple[Reply, ...]] = ()
    """How creating and changing are answered, where that is not with the whole object."""

    # --- the verbs -------------------------------------------------------------------------------------------------

    def list(self, call: Call) -> Answer:
        """A page of objects in short."""
        call.allow(f"{self.noun}:get_all")
        return self._page(call, self.short, self.plural)

    def detail(self, call: Call) -> Answer:
        """A page of objects in full."""
        call.allow(f"{self.noun}:detail")
        return self._page(call, self.full(), f"{self.plural}/detail")

    def show(self, call: Call) -> Answer:
        """One object."""
        row = self._allowed(call, "get")
        return Answer(self.view(call, self.refreshed(call, row)))

    def create(self, call: Call) -> Answer:
        """Store a new object."""
        call.allow(f"{self.noun}:create")
        problems: list[str] = []
        given = call.read(self.fields, self.noun, problems)
        row = self.store(call, self.checked(call, {**self.defaults(), **given}, problems))
        answer = self.created(call, row)
        return replace(answer, headers={"Location": f"{call.host_url}/v1/{self.plural}/{row.uuid}"})

    def update(self, call: Call) -> Answer:
        """Change an object by a JSON Patch."""
        row = self._allowed(call, "update")
        return self.changed(call, self.patched(call, row, call.json()))

    def delete(self, call: Call) -> Answer:
        """Delete an object."""
        row = self._allowed(call, "delete")
        self.remove(call, row)
        return Answer(status=204)

    def _allowed(self, call: Call, verb: str) -> Row:
        """The object that the path names. Whoever may do this to no object is not told which exist."""
        rule = f"{self.noun}:{verb}"
        call.allow(rule)
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

    def rows(self, call: Call, names: Sequence[str], page: Page) -> Sequence[Fields]:
        """These fields of the objects of a page."""
        with call.services.database.reader() as session:
            return resources.page(session, call.context, self.model, names, page)

    def checked(
        self,
        call: Call,  # noqa: ARG002
        values: dict[str, Any],
        problems: Sequence[str],
        row: Row | None = None,  # noqa: ARG002
    ) -> dict[str, Any]:
        """The columns of an object with these values; fields that are wrong by type are absent from them.

        :param problems: what is already known to be wrong with them
        :param row: the object as it is, where it is not a new one
        :raises Invalid: with all that is wrong
        """
        if problems:
            raise Invalid(problems)
        return values

    def store(self, call: Call, values: dict[str, Any]) -> Row:
        """Store a new object. One that asks for the uuid of another tenant's gets a new uuid."""
        return resources.create(call.services.database, call.context, self.model, values)

    def patched(self, call: Call, row: Row, document: Any) -> Row:
        """Change an object; nothing is written where nothing differs."""
        names = self.patchable()
        before = {name: getattr(row, name) for name in names}
        after = patch.apply(document, before, internal=self.internal(), mandatory=self.mandatory())
        problems: list[str] = []
        given = read(self.fields, after, problems)
        empty = dict.fromkeys(names)
        values = self.checked(call, {**empty, **self.defaults(), **given}, problems, row)
        changed = {name: value for name, value in values.items() if value != getattr(row, name)}
        return self.change(call, row, changed) if changed else row

    def change(self, call: Call, row: Row, changed: Fields) -> Row:
        """Write the fields that differ."""
        with call.services.database.writer() as session:
            return self.write(session, call, row, changed)

    def write(self, session: Session, call: Call, row: Row, changed: Fields) -> Row:
        """The object with the fields that differ.

        :raises Conflict: another request has changed it since it was read, so that this change may not fit it
        """
        before = {name: getattr(row, name) for name in self.patchable()}
        resources.hold(session, call.context, self.model, row.uuid, before)
        resources.change(session, call.context, self.model, row.uuid, changed)
        return resources.find(session, call.context, self.model, row.uuid)

    def remove(self, call: Call, row: Row) -> None:
        """Delete the object."""
        with call.services.database.writer() as session:
            resources.remove(session, call.context, self.model, row.uuid)

    def created(self, call: Call, row: Row) -> Answer:
        """What answers a request for a new object."""
        return Answer(self.view(call, row), 201)

    def changed(self, call: Call, row: Row) -> Answer:
        """What answers a patch."""
        return Answer(self.view(call, row))

    # --- what follows from the declarations --------------------------------------------------------------------------

    def full(self) -> tuple[str, ...]:
        """Fields of an object that is shown by itself."""
        return tuple(name for name in shown_fields(self.fields) if name != "links")

    def defaults(self) -> Fields:
        """Values of fields that are not given."""
        return defaults(self.fields)

    def patchable(self) -> Sequence[str]:
        """Fields that a patch can name."""
        return [name for name in given_fields(self.fields) if name not in patch.COMMON_INTERNAL]

    def internal(self) -> frozenset[str]:
        """Fields that a patch must not name."""
        return patch.COMMON_INTERNAL | (fields_of(self.fields).keys() - set(self.patchable()))

    def mandatory(self) -> Sequence[str]:
        """Fields that every object has."""
        return [name for name, field in given_fields(self.fields).items() if field.mandatory]

    def list_parameters(self) -> tuple[Parameter, ...]:
        """What the query of a list may hold."""
        sortable = sorted(set(self.full()) & set(resources.sort_keys(self.model)))
        ignored = [Parameter(name, Text(255, shortest=0), "Not looked at.") for name in self.ignored_parameters]
        return (*paging.parameters(sortable), *self.filters, *ignored)

    def replies_to_create(self) -> tuple[Reply, ...]:
        """How a request for a new object is answered."""
        return self.created_replies or (Reply(201, Object(self.fields), located=True),)

    def replies_to_update(self) -> tuple[Reply, ...]:
        """How a patch is answered."""
        return self.changed_replies or (Reply(200, Object(self.fields)),)

    def view(self, call: Call, row: Row) -> dict[str, Any]:
        """An object as clients see it."""
        fields = {name: getattr(row, name) for name in self.full()}
        return views.represent(fields, call.host_url, self.plural)

    def _page(self, call: Call, names: Sequence[str], path: str) -> Answer:
        page = paging.read_page(call.query, call.services.conf.api.max_limit)
        rows = self.rows(call, names, page)
        host_url = call.host_url
        body: dict[str, Any] = {self.plural: [views.represent(row, host_url, self.plural) for row in rows]}
        if len(rows) == page.limit:
            chosen = {item.name: call.query[item.name] for item in self.filters if item.name in call.query}
            body["next"] = paging.next_link(call.host_url, path, page, rows[-1]["uuid"], chosen)
        return Answer(body)
