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
    "bay-retry": "magnum.cli.bay_actions:Retry",
    "bay-rollback": "magnum.cli.bay_actions:Rollback",
    "ca-show": "magnum.cli.certificates:CaShow",
    "ca-sign": "magnum.cli.certificates:CaSign",
    "bash-completion": "magnum.cli.completion:BashCompletion",
    "complete": "magnum.cli.completion:Complete",
    "help": "magnum.cli.help:Help",
}
"""Verbs with code of their own."""

_WHAT = {
    "list": "List the {0}s.",
    "show": "Show a {0}.",
    "create": "Create a {0}.",
    "update": "Change a {0}.",
    "delete": "Delete one or several {0}s.",
    "start": "Start one or several {0}s.",
    "stop": "Stop one or several {0}s.",
    "reboot": "Stop one or several {0}s and start them again.",
    "pause": "Freeze what runs in one or several {0}s.",
    "unpause": "Let what was frozen in one or several {0}s go on.",
    "logs": "Print what a {0} has written.",
    "exec": "Run a command in a {0} and print what it writes.",
    "execute": "Run a command in a {0} and print what it writes (exec, by its older name).",
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
        return f"{self.resource.module}:{self.verb.capitalize()}"

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

    def add_command(self, name: str, command_class: type) -> None:
        """Add one, unless the table has it: cliff comes with a `help` and a `complete` of its own."""
        if name not in self.commands:
            super().add_command(name, command_class)
