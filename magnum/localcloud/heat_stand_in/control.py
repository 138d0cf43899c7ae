"""How the stand-in is driven: JSON over HTTP, on loopback alone."""

import json
import time
from collections.abc import Callable
from typing import Any

from magnum.localcloud.heat_stand_in.api import Answer, Request
from magnum.localcloud.heat_stand_in.store import Store
from magnum.localcloud.heat_stand_in.trouble import BadOrder, Trouble


class Control:
    """Answers requests for orders."""

    def __init__(self, store: Store, trouble: Trouble) -> None:
        self._store = store
        self._trouble = trouble

    def answer(self, request: Request) -> Answer:
        handler = self._handlers().get((request.method, request.path.rstrip("/") or "/"))
        if handler is None:
            known = sorted({f"{method} {path}" for method, path in self._handlers()})
            return Answer(404, {"error": f"There is only: {', '.join(known)}"})
        try:
            data = json.loads(request.body or b"{}")
            if not isinstance(data, dict):
                raise BadOrder("an order is a JSON object")
            return Answer(200, handler(data))
        except (TypeError, ValueError) as error:
            return Answer(400, {"error": str(error)})

    def _handlers(self) -> dict[tuple[str, str], Callable[[dict[str, Any]], Any]]:
        trouble = self._trouble
        return {
            ("GET", "/"): lambda _: trouble.as_data(),
            ("PUT", "/settings"): trouble.change,
            ("POST", "/call-faults"): trouble.order_call_fault,
            ("DELETE", "/call-faults"): lambda _: trouble.lift(calls=True),
            ("POST", "/stack-faults"): trouble.order_stack_fault,
            ("DELETE", "/stack-faults"): lambda _: trouble.lift(stacks=True),
            ("GET", "/calls"): lambda _: trouble.counts(),
            ("DELETE", "/calls"): lambda _: trouble.forget_counts(),
            ("GET", "/stacks"): lambda _: self._stacks(),
        }

    def _stacks(self) -> list[dict[str, Any]]:
        """Every stack that is there, of all projects."""
        now = time.time()
        with self._store.lock:
            phases = [(stack, stack.now(now)) for stack in self._store.all()]
        return [
            {
                "id": stack.id,
                "name": stack.name,
                "project_id": stack.project_id,
                "owner": stack.owner,
                "status": f"{phase.action}_{phase.status}",
                "tags": stack.tags,
                "members": phase.members,
            }
            for stack, phase in phases
            if not phase.is_gone
        ]
