"""Lists of stacks: the states of many bays' stacks in as few calls to Heat as can be.

They are asked for in a single list where Heat shows Magnum's own user every project's stacks, else in one list per
project with the user of one of its bays, several projects side by side. Where Heat shows Magnum nothing, it is not
asked that way again for some minutes; a bay's user whom Heat refuses is passed over for as long.
"""

import concurrent.futures
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from oslo_log import log

from magnum.certificates.storage import KeyProblem
from magnum.clients.errors import NotAccepted, Permanent, ServiceError, Transient
from magnum.clients.heat import StackState
from magnum.clients.keystone import BayUser
from magnum.conductor.tools import Tools

LOG = log.getLogger(__name__)

_LISTS_AT_ONCE = 16
_FIRST_LOOK = 100
_BLIND_SECONDS = 600.0
_USERS_TRIED = 3


class Watched(Protocol):
    """A bay, as far as its stack goes."""

    @property
    def project_id(self) -> Any: ...
    @property
    def stack_id(self) -> Any: ...
    @property
    def trustee_user_id(self) -> Any: ...
    @property
    def trustee_secret(self) -> Any: ...


W = TypeVar("W", bound=Watched)
Note = Callable[[Sequence[W], Mapping[str, StackState]], None]
"""Takes bays, and those of their stacks that are there, by id."""
Refused = Callable[[Sequence[W]], None]
"""Takes bays of which Heat shows nothing to anybody whom Magnum can be."""


class StackLists:
    """Asks Heat; what it learned of who may see what is kept. For one thread at a time."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._pool = concurrent.futures.ThreadPoolExecutor(_LISTS_AT_ONCE, thread_name_prefix="stack list")
        self._asked: dict[str, concurrent.futures.Future[None]] = {}
        self._sees_all = False
        self._blind_until = 0.0
        self._refused_until: dict[str, float] = {}

    def look(self, bays: Sequence[W], note: Note[W], patience: float, refused: Refused[W] | None = None) -> None:
        """Have the states of these bays' stacks noted, group by group, each as soon as it is known.

        Nothing is noted of bays whose stacks could not be listed; the next look comes to them again.

        :param note: called in several threads at once
        :param refused: called like it; where there is none, it is an error
        :param patience: seconds after which this ends, though lists that have not come yet are noted when they come
        :raises ServiceError: of the first list that could not be had, once all others were
        """
        if not bays:
            return
        self._refused_until = {user: until for user, until in self._refused_until.items() if until > time.monotonic()}
        by_project = defaultdict(list)
        for bay in self._unseen_by_magnum(bays, note):
            by_project[str(bay.project_id)].append(bay)
        self._asked = {project: future for project, future in self._asked.items() if not future.done()}
        for project_id, of_project in by_project.items():
            if project_id not in self._asked:
                self._asked[project_id] = self._pool.submit(self._look_at_project, of_project, note, refused)
        done, _ = concurrent.futures.wait(self._asked.values(), patience)
        for future in done:
            future.result()

    def stop(self) -> None:
        """Begin with no further list."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _unseen_by_magnum(self, bays: Sequence[W], note: Note[W]) -> Sequence[W]:
        """Look as Magnum itself; answers what cannot be seen so."""
        if time.monotonic() < self._blind_until:
            return bays
        stack_ids = [bay.stack_id for bay in bays]
        first = stack_ids if self._sees_all else stack_ids[:_FIRST_LOOK]
        try:
            seen = self._seen_by_magnum(first)
        except Transient as error:
            LOG.info("Magnum cannot list all stacks now; each project is asked for its own: %s", error.message)
            return bays
        self._sees_all = bool(seen)
        if not seen:
            self._blind_until = time.monotonic() + _BLIND_SECONDS
            return bays
        seen |= self._seen_by_magnum(stack_ids[len(first) :])
        note([bay for bay in bays if bay.stack_id in seen], seen)
        return [bay for bay in bays if bay.stack_id not in seen]

    def _seen_by_magnum(self, stack_ids: Sequence[str]) -> dict[str, StackState]:
        try:
            return self._tools.cloud.all_stacks().states(stack_ids) if stack_ids else {}
        except Permanent:
            return {}

    def _look_at_project(self, bays: Sequence[W], note: Note[W], refused: Refused[W] | None) -> None:
        refusal: ServiceError | None = None
        for user in self._users(bays):
            try:
                seen = self._tools.cloud.stacks(user).states([bay.stack_id for bay in bays])
            except (Permanent, NotAccepted) as error:  # it is gone or has no role; those of other bays may see
                LOG.debug("Stacks of project %s as user %s: %s", user.project_id, user.id, error.message)
                self._refused_until[user.id] = time.monotonic() + _BLIND_SECONDS
                refusal = error
            else:
                note(bays, seen)
                return
        if refused is not None:
            refused(bays)
        elif refusal is not None:
            raise refusal

    def _users(self, bays: Sequence[W]) -> Iterator[BayUser]:
        """Some of a project's users that may see its stacks."""
        tried = 0
        for bay in bays:
            if bay.trustee_user_id and bay.trustee_secret and bay.trustee_user_id not in self._refused_until:
                try:
                    secret = self._tools.secrets.decrypt(bay.trustee_secret)
                except KeyProblem as error:
                    LOG.error("The password of user %s cannot be read: %s", bay.trustee_user_id, error)
                    self._refused_until[bay.trustee_user_id] = time.monotonic() + _BLIND_SECONDS
                    continue
                yield BayUser(bay.trustee_user_id, bay.project_id, secret)
                tried += 1
            if tried == _USERS_TRIED:
                return
