"""What an operation is made of.

A step is small and can be done again: whoever does it first looks for what an earlier try, perhaps of a conductor that
was killed in the middle of it, has left. It returns `Done`, or `Again` to be called once more later (no thread waits
meanwhile), or raises:

- `clients.errors.Transient`, or an `exception.Unavailable`: it is tried again, each time after a longer pause;
- `clients.errors.Permanent`, another `exception.MagnumError`, or `StepFailed` with its faults: the operation has
  failed;
- `LeaseLost` from any write: somebody else owns the operation now, and nothing more is done here;
- anything else is a mistake of ours: the operation fails with "internal error".
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from magnum.common.states import Verb

if TYPE_CHECKING:
    from magnum.conductor.job import Job


@dataclass(frozen=True)
class Done:
    """The step is finished; ``bay`` is what it changes of the bay's row.

    ``text`` is a line for the bay's story, and empty where there was nothing to do that anybody had asked for.
    """

    text: str
    bay: Mapping[str, Any] = field(default_factory=dict)
    warning: bool = False


@dataclass(frozen=True)
class Again:
    """The step has to be called again after so many seconds."""

    seconds: float


class StepFailed(Exception):
    """What the step was to achieve has failed for good; the message is for a tenant.

    ``tells`` names what a tenant has read then, where the same verb may go on without it when it is asked for again.
    """

    def __init__(self, reason: str, faults: Sequence[Mapping[str, Any]] = (), tells: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.faults = [dict(fault) for fault in faults]
        self.tells = tells


@dataclass(frozen=True)
class Step:
    """One step; its name is stored when it is finished."""

    name: str
    run: Callable[["Job"], Done | Again]


@dataclass(frozen=True)
class Plan:
    """The steps of a verb, in their order."""

    verb: Verb
    steps: tuple[Step, ...]
    end: Callable[["Job"], None]
    """Write that all is done, once the last step is."""
    on_failure: Callable[["Job", StepFailed], Mapping[str, Any]]
    """What else is true of the bay after a failure; asked for once, and left out where it cannot be had.

    What it says goes before the words of the failure itself.
    """
    completed: Callable[["Job", StepFailed], StepFailed] = lambda _job, failed: failed
    """A failure with what else is known of it; asks nobody, so that it is told whatever is broken."""

    def knows(self, finished: str | None) -> bool:
        """Whether this can be the last finished step; a newer version may have stored one that is not known here."""
        return finished is None or any(step.name == finished for step in self.steps)

    def after(self, finished: str | None) -> tuple[Step, ...]:
        """What is left to do when this step is the last finished one."""
        if finished is None:
            return self.steps
        names = [step.name for step in self.steps]
        return self.steps[names.index(finished) + 1 :]
