"""The table of verbs: each with the place of its code, none imported before it is asked for."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from cliff.commandmanager import CommandManager

from magnum.cli.resources import RESOURCES, Resource

SPECIAL = {
    "bay-config": "magnum.cli.bay_config:BayConfig",
    "bay-event-list": "magnum.cli.events:BayEventList",
    "ca-show": "magnum.cli.certificates:CaShow",
    "ca-sign": "magnum.cli.certificates:CaSign",
}
"""Verbs with code of their own."""

_WHAT = {
    "list": "List the {0}s.",
    "show": "Show a {0}.",
    "create": "Create a {0}.",
    "update": "Change a {0}.",
    "delete": "Delete one or several {0}s.",
}


@dataclass(frozen=True)
class SpecialVerb:
    """A verb with code of its own."""

    name: str
    value: str

    def load(self) -> type:
        """Its class."""
        module, _, name = self.value.partition(":")
        found: type = getattr(import_module(module), name)
        return found


@dataclass(frozen=True)
class ResourceVerb:
    """A generic verb of one resource."""

    resource: Resource
    verb: str

    @property
    def name(self) -> str:
        """What is typed."""
        return f"{self.resource.name}-{self.verb}"

    @property
    def value(self) -> str:
        """Where its code is."""
        return f"magnum.cli.verbs:{self.verb.capitalize()}"

    def load(self) -> type:
        """Its class, made for the resource."""
        generic = SpecialVerb(self.name, self.value).load()
        what = _WHAT[self.verb].format(self.resource.title)
        rest = (generic.__doc__ or "").partition("\n")[2]
        own: dict[str, Any] = {
            "__module__": generic.__module__,
            "__doc__": what + ("\n" + rest if rest else ""),
            "resource": self.resource,
            "example": f"magnum {self.name} {self.resource.examples[self.verb]}",
        }
        return type(generic.__name__, (generic,), own)


def _all() -> Iterator[SpecialVerb | ResourceVerb]:
    for resource in RESOURCES.values():
        for verb in resource.examples:
            yield ResourceVerb(resource, verb)
    for name, value in SPECIAL.items():
        yield SpecialVerb(name, value)


class Verbs(CommandManager):
    """The table, as cliff asks it."""

    def __init__(self) -> None:
        super().__init__(namespace=None, convert_underscores=False)
        self.commands.update({verb.name: verb for verb in _all()})
