"""What can go wrong, as a caller of the API sees it.

Each class carries its HTTP code; the sentence is for the person who made the request, so it says what was wrong, with
which object, and what to do, and holds nothing internal.
"""

from collections.abc import Iterable
from typing import Self


class MagnumError(Exception):
    """Base of every error that may be told to a user."""

    code = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Problem(str):
    """A sentence about one thing that is wrong, and the HTTP code of the answer where nothing else is."""

    __slots__ = ("code",)
    code: int

    def __new__(cls, sentence: str, code: int) -> Self:
        made = super().__new__(cls, sentence)
        made.code = code
        return made


class Invalid(MagnumError):
    """The request is wrong; every problem found is named at once.

    An answer has one code: that of all its problems if they share one, else 400. A plain sentence has 400.
    """

    code = 400

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        codes = {problem.code if isinstance(problem, Problem) else 400 for problem in self.problems}
        self.code = codes.pop() if len(codes) == 1 else 400
        super().__init__(" ".join(self.problems))
        self.args = (self.problems,)  # what the message bus makes the error again from


class Forbidden(MagnumError):
    """Policy or quota says no."""

    code = 403


class NotFound(MagnumError):
    """No such object, or none of this tenant's."""

    code = 404


class Conflict(MagnumError):
    """The object's state, or another request, is in the way."""

    code = 409


class Unavailable(MagnumError):
    """A service that is needed does not answer; the same request may work later."""

    code = 503


class BayUnreachable(Unavailable):
    """A bay's own API does not answer, or answers nothing that can be used."""


class BayBusy(BayUnreachable):
    """So many calls are waiting for its answers that this one was not made: nothing is known of how it is."""


class RemoteRefusal(MagnumError):
    """A bay's own API refused, with its own code and sentence."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.args = (code, message)  # what the message bus makes the error again from
        self.code = code
