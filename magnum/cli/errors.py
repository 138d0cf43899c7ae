"""What can go wrong on the way to an answer, each with the exit code of the process."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of `magnum`."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    NOT_REACHED = 3
    ENDED_IN_FAILURE = 4
    INTERRUPTED = 130
    PIPE_CLOSED = 141


class CliError(Exception):
    """An error a user is told in one or few lines; its text is the whole message."""

    exit_code = Exit.REFUSED


class UsageError(CliError):
    """What was typed cannot be meant."""

    exit_code = Exit.USAGE


class RefusedError(CliError):
    """The server answered, and the answer was no."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class NotReachedError(CliError):
    """No connection, no login, or no such service in the catalog."""

    exit_code = Exit.NOT_REACHED


class EndedInFailureError(CliError):
    """The request was accepted, and what it started failed."""

    exit_code = Exit.ENDED_IN_FAILURE
