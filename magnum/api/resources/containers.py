"""Containers: what is made from an image in a bay of the COE swarm, and what can be done to it there.

A row holds what the tenant asked for; the status is the bay's to say, and Unknown where it does not.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from magnum.api.call import Answer, Call
from magnum.api.controller import Fields
from magnum.api.fields import Dated, Field, Use, problem
from magnum.api.resources.bays import find_parent
from magnum.api.resources.workloads import InBay
from magnum.api.shapes import Parameter, Plain, Reply
from magnum.api.types import Choice, Environment, Name, Schema, Text, Uuid
from magnum.coe.containers import ContainerAction, ContainerStatus
from magnum.common.exception import Conflict, Invalid, Problem
from magnum.db import models, resources

_LONGEST_COMMAND = 4096

_OUTPUT: Schema = {
    "type": "object",
    "properties": {"output": {"type": "string"}},
    "required": ["output"],
    "additionalProperties": False,
}
DONE = (Reply(200, Plain({"type": "null"})),)
OUTPUT = (Reply(200, Plain(_OUTPUT)),)
COMMAND = Parameter("command", Text(_LONGEST_COMMAND), "What to run in the container.", mandatory=True)


class ContainerFields(Dated):
    """A container."""

    uuid = Field(Uuid())
    name = Field(Name())
    bay_uuid = Field(Text(255), mandatory=True, text="Uuid or name of the bay to put it in.", example="fleet")
    image = Field(Text(255), text="The image it is made from.", example="redis")
    image_id = Field(Text(255), text="The same, as it was called before.", example="redis")
    command = Field(Text(_LONGEST_COMMAND, shortest=0), text="What it runs, if not what its image says.")
    status = Field(Choice(*ContainerStatus), use=Use.SHOWN)
    memory = Field(
        Text(20, pattern="[1-9][0-9]*[bkmgBKMG]?", expects="a size as Docker takes it, such as 512m (b, k, m or g)"),
        text="Most memory it may use, as Docker writes it.",
        example="512m",
    )
    environment = Field(Environment(), default={})


class Containers(InBay[models.Container]):
    """Containers."""

    noun = "container"
    plural = "containers"
    coe: ClassVar[str] = "swarm"
    model = models.Container
    fields = ContainerFields
    any_of = ("image", "image_id")
    short = ("uuid", "name", "bay_uuid", "image", "image_id", "command", "status", "memory", "environment")
    ignored_parameters = ("container_uuid",)

    # --- actions -----------------------------------------------------------------------------------------------------

    def start(self, call: Call) -> Answer:
        """Start a container."""
        return self._act(call, ContainerAction.START)

    def stop(self, call: Call) -> Answer:
        """Stop a container."""
        return self._act(call, ContainerAction.STOP)

    def reboot(self, call: Call) -> Answer:
        """Stop a container and start it again."""
        return self._act(call, ContainerAction.REBOOT)

    def pause(self, call: Call) -> Answer:
        """Freeze what runs in a container."""
        return self._act(call, ContainerAction.PAUSE)

    def unpause(self, call: Call) -> Answer:
        """Let a paused container go on."""
        return self._act(call, ContainerAction.UNPAUSE)

    def logs(self, call: Call) -> Answer:
        """What a container has written so far."""
        row = self._reached(call, "logs")
        return Answer({"output": call.services.conductor.container_logs(call.context, row.uuid)})

    def execute(self, call: Call) -> Answer:
        """Run a command in a container."""
        row = self._reached(call, "execute")
        output = call.services.conductor.container_execute(call.context, row.uuid, call.query["command"])
        return Answer({"output": output})

    def _act(self, call: Call, action: ContainerAction) -> Answer:
        row = self._reached(call, action)
        call.services.conductor.container_act(call.context, row.uuid, action.value)
        return Answer(None)

    def _reached(self, call: Call, verb: str) -> models.Container:
        """The container that the path names, if this may be done to it and its bay can be asked to."""
        row = self._allowed(call, verb)
        with call.services.database.reader() as session:
            bay = resources.find(session, call.context, models.Bay, row.bay_uuid)
        self.check_bay(bay)
        return row

    # --- the steps of the other verbs --------------------------------------------------------------------------------

    def ask(self, call: Call, bay_uuids: list[str]) -> None:
        call.services.conductor.container_refresh(call.context, bay_uuids)

    def checked(
        self, call: Call, values: dict[str, Any], problems: Sequence[str], row: models.Container | None = None
    ) -> dict[str, Any]:
        found = list(problems)
        columns = {name: value for name, value in values.items() if name != "image_id"}
        columns["image"] = _image(values, found)
        if row is None or values["bay_uuid"] != row.bay_uuid:
            columns["bay_uuid"] = _bay_uuid(call, values, found)
        if row is not None and columns["bay_uuid"] not in (row.bay_uuid, None):
            found.append("A container cannot move to another bay: /bay_uuid can not be changed.")
        return super().checked(call, columns, found, row)

    def store(self, call: Call, values: dict[str, Any]) -> models.Container:
        with call.services.database.reader() as session:
            bay = resources.find(session, call.context, models.Bay, values["bay_uuid"])
        self.check_bay(bay)
        uuid = call.services.conductor.container_create(call.context, values)
        with call.services.database.reader() as session:
            return resources.find(session, call.context, models.Container, uuid)

    def patched(self, call: Call, row: models.Container, document: Any) -> models.Container:
        return super().patched(call, row, _with_one_name(document))

    def remove(self, call: Call, row: models.Container) -> None:
        call.services.conductor.container_delete(call.context, row.uuid)

    def patchable(self) -> Sequence[str]:
        return [name for name in super().patchable() if name != "image_id"]

    def mandatory(self) -> Sequence[str]:
        return [*super().mandatory(), "image"]


def _image(values: Fields, problems: list[str]) -> str | None:
    """The image, by whichever of its names it is given."""
    image, image_id = values.get("image"), values.get("image_id")
    if image and image_id and image != image_id:
        problems.append(f"image and image_id are two names of one thing, but {image!r} is not {image_id!r}.")
    if not image and not image_id and not any("attribute image" in text for text in problems):
        problems.append(problem("image", None, "Mandatory field missing."))
    return image or image_id


def _bay_uuid(call: Call, values: Fields, problems: list[str]) -> str | None:
    """The uuid of the bay that is named, if one is and it is there."""
    if values.get("bay_uuid") is None:
        return None
    try:
        return find_parent(call, values["bay_uuid"]).uuid
    except Invalid as error:
        problems.extend(error.problems)
    except Conflict as error:
        problems.append(Problem(f"bay_uuid: {error.message}", error.code))
    return None


def _with_one_name(document: Any) -> Any:
    """A patch that calls the image by one name."""
    if not isinstance(document, list):
        return document
    return [
        {**item, "path": "/image"} if isinstance(item, dict) and item.get("path") == "/image_id" else item
        for item in document
    ]
