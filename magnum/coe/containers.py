"""What a bay's container engine is to Magnum: the interface that is implemented for each kind of bay that has one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class ContainerStatus(StrEnum):
    """Status of a container, in the words the clients know."""

    RUNNING = "Running"
    STOPPED = "Stopped"
    PAUSED = "Paused"
    ERROR = "Error"
    UNKNOWN = "Unknown"


class ContainerAction(StrEnum):
    """What can be done to a container that gives nothing back."""

    START = "start"
    STOP = "stop"
    REBOOT = "reboot"
    PAUSE = "pause"
    UNPAUSE = "unpause"


@dataclass(frozen=True)
class ContainerSpec:
    """A container as it is to be. Its bay knows it by its uuid; ``memory`` is written as Docker does: ``512m``."""

    uuid: str
    name: str | None
    image: str
    command: str | None = None
    memory: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


class ContainerEngine(Protocol):
    """The engine of one bay. It knows the containers that Magnum made in the bay, and leaves all others alone.

    Each method raises `BayUnreachable` where the engine does not answer, and `RemoteRefusal` where it says no.
    """

    def create(self, wanted: ContainerSpec) -> None:
        """Fetch the image and make the container, not started. On an error nothing of it is left."""

    def delete(self, uuid: str) -> None:
        """Remove the container, running or not; one that is gone already is no error."""

    def statuses(self) -> Mapping[str, ContainerStatus]:
        """How the containers are, by their uuids."""

    def act(self, uuid: str, action: ContainerAction) -> None:
        """Do this to the container."""

    def logs(self, uuid: str) -> str:
        """What the container has written to its output so far."""

    def execute(self, uuid: str, command: str) -> str:
        """Run a command in the container; answers what it wrote."""
