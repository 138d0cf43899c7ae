"""Heat's API, as far as Magnum speaks it: a request in, an answer out."""

import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from magnum.localcloud.heat_stand_in import shapes, views
from magnum.localcloud.heat_stand_in.stacks import ActionRefused, Stack
from magnum.localcloud.heat_stand_in.store import Store
from magnum.localcloud.heat_stand_in.tokens import Caller, KeystoneAway, NotAccepted, Tokens
from magnum.localcloud.heat_stand_in.trouble import Trouble
from magnum.localcloud.heat_stand_in.views import Bay, Viewer

_PATH = re.compile(r"/v1/(?P<project>[^/]+)/stacks(?:/(?P<name>[^/]+)(?:/(?P<id>[^/]+)(?:/(?P<below>\w+))?)?)?/?")
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_.-]{0,254}")
_DEFAULT_TIMEOUT_MINUTES = 60
_EXPLANATIONS = {
    400: ("Bad Request", "The server could not comply with the request since it is malformed or otherwise incorrect."),
    403: ("Forbidden", "Access was denied to this resource."),
    404: ("Not Found", "The resource could not be found."),
    409: ("Conflict", "There was a conflict when trying to complete your request."),
    500: ("Internal Server Error", "The server has either erred or is incapable of performing the operation."),
    503: ("Service Unavailable", "The server is currently unavailable. Please try again at a later time."),
}
_TYPES = {404: "EntityNotFound", 409: "ActionInProgress"}


@dataclass(frozen=True)
class Request:
    """A request, taken apart."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    token: str
    body: bytes
    base: str
    """The URL that links begin with."""

    def one(self, name: str) -> str:
        return (self.query.get(name) or [""])[-1]

    def is_set(self, name: str) -> bool:
        return self.one(name).lower() in ("true", "1", "yes")


@dataclass(frozen=True)
class Answer:
    """What is answered."""

    status: int
    data: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        return b"" if self.data is None else json.dumps(self.data).encode()


class _Refused(Exception):
    def __init__(self, status: int, message: str, kind: str = "") -> None:
        self.answer = refusal(status, message, kind)


def refusal(status: int, message: str, kind: str = "") -> Answer:
    """An error as Heat writes it; what its middleware for tokens says looks different."""
    if status == 401:
        said = "The request you have made requires authentication."
        return Answer(401, {"error": {"code": 401, "title": "Unauthorized", "message": said}})
    title, explanation = _EXPLANATIONS.get(status, ("Error", "It did not go well."))
    error = {"type": kind or _TYPES.get(status, "HTTPException"), "traceback": None, "message": message}
    return Answer(status, {"code": status, "title": title, "explanation": explanation, "error": error})


def call_of(method: str, path: str) -> str:
    """Which kind of call it is; one of `trouble.CALLS`."""
    found = _PATH.fullmatch(path)
    if found is None:
        return "other"
    if found["below"]:
        return found["below"] if found["below"] in ("resources", "events") else "other"
    if found["name"] is None:
        return {"GET": "list", "POST": "create"}.get(method, "other")
    looked_up = "show" if found["id"] else "lookup"
    return {"GET": looked_up, "PUT": "update", "PATCH": "update", "DELETE": "delete"}.get(method, "other")


class Api:
    """Answers requests; safe to share between threads."""

    def __init__(self, store: Store, trouble: Trouble, tokens: Tokens) -> None:
        self._store = store
        self._trouble = trouble
        self._tokens = tokens

    def answer(self, request: Request) -> Answer:
        if request.path == "/healthcheck":
            return Answer(200, {})
        try:
            return self._answer(request)
        except _Refused as refused:
            return refused.answer
        except NotAccepted:
            return refusal(401, "")
        except KeystoneAway:
            return refusal(503, "Keystone is not available.")

    def _answer(self, request: Request) -> Answer:
        found = _PATH.fullmatch(request.path)
        if found is None:
            raise _Refused(404, "The resource could not be found.", "HTTPNotFound")
        if not request.token:
            raise NotAccepted
        caller = self._tokens.caller(request.token)
        if found["project"] != caller.project_id:
            raise _Refused(403, "Access was denied to this resource.", "HTTPForbidden")
        handler = self._handlers().get((request.method, call_of(request.method, request.path)))
        if handler is None:
            raise _Refused(405, "The method is not allowed for this resource.")
        with self._store.lock:
            return handler(request, caller, unquote(found["name"] or ""), found["id"] or "")

    def _handlers(self) -> dict[tuple[str, str], Callable[[Request, Caller, str, str], Answer]]:
        return {
            ("GET", "list"): self._list,
            ("POST", "create"): self._create,
            ("GET", "lookup"): self._lookup,
            ("GET", "show"): self._show,
            ("PUT", "update"): self._update,
            ("PATCH", "update"): self._update,
            ("DELETE", "delete"): self._delete,
            ("GET", "resources"): self._resources,
            ("GET", "events"): self._events,
        }

    def _list(self, request: Request, caller: Caller, _name: str, _id: str) -> Answer:
        everywhere = self._sees_all(caller)
        if request.is_set("global_tenant") and not everywhere:
            raise _Refused(403, "Access was denied to this resource.", "HTTPForbidden")
        viewer = _viewer(request)
        wanted = request.query.get("id")
        stacks = [self._store.of_id(each) for each in dict.fromkeys(wanted)] if wanted else self._store.all()
        seen = [
            stack
            for stack in stacks
            if stack is not None
            and (everywhere or stack.project_id == caller.project_id)
            and (request.is_set("show_deleted") or not stack.now(viewer.now).is_gone)
            and _is_wanted(stack, request, viewer.now)
        ]
        seen.sort(key=lambda stack: (stack.created_at, stack.id), reverse=True)
        page = _page(seen, request)
        return Answer(200, {"stacks": [views.summary(viewer, stack, with_project=everywhere) for stack in page]})

    def _create(self, request: Request, caller: Caller, _name: str, _id: str) -> Answer:
        body = _body(request)
        name = body.get("stack_name")
        if not name:
            raise _Refused(400, "No stack name specified", "HTTPBadRequest")
        if not _NAME.fullmatch(str(name)):
            raise _Refused(
                400,
                f"Invalid stack name {name} must contain only alphanumeric or '_-.' characters, must start with alpha "
                "and must be 255 characters or less.",
                "StackValidationFailed",
            )
        if self._store.of_name(caller.project_id, name) is not None:
            raise _Refused(409, f"The Stack ({name}) already exists.", "StackExists")
        now = time.time()
        stack = Stack(
            id=str(uuid.uuid4()),
            name=name,
            project_id=caller.project_id,
            owner=caller.user,
            tags=_tags(body),
            shape=_shape(body),
            parameters=body.get("parameters") or {},
            timeout_minutes=int(body.get("timeout_mins") or _DEFAULT_TIMEOUT_MINUTES),
            disable_rollback=bool(body.get("disable_rollback", True)),
            created_at=now,
        )
        stack.create(now, self._trouble.course("create"))
        self._store.save(stack)
        link = _viewer(request).link(stack.project_id, stack.name, stack.id)
        return Answer(201, {"stack": {"id": stack.id, "links": [{"href": link, "rel": "self"}]}}, {"Location": link})

    def _lookup(self, request: Request, caller: Caller, name: str, _id: str) -> Answer:
        stack = self._store.of_name(caller.project_id, name) or self._store.of_id(name)
        if stack is None or not self._may_see(caller, stack):
            raise _not_found(name)
        return Answer(302, None, {"Location": _viewer(request).link(caller.project_id, stack.name, stack.id)})

    def _show(self, request: Request, caller: Caller, name: str, stack_id: str) -> Answer:
        stack = self._found(caller, name, stack_id)
        settings = self._trouble.settings
        bay = Bay(settings.api_address, settings.api_port)
        with_outputs = request.one("resolve_outputs").lower() != "false"
        return Answer(200, {"stack": views.whole(_viewer(request), stack, bay, with_outputs=with_outputs)})

    def _update(self, request: Request, caller: Caller, name: str, stack_id: str) -> Answer:
        if not stack_id:
            return self._lookup(request, caller, name, "")
        body = _body(request)
        stack = self._alive(caller, name, stack_id)
        partly = request.method == "PATCH"
        given = body.get("parameters") or {}
        parameters = {**stack.parameters, **given} if partly else given
        if "template" in body or not partly:
            stack.shape = _shape({**body, "parameters": parameters})
        try:
            stack.update(
                time.time(),
                self._trouble.course("update"),
                parameters,
                _tags(body),
                int(body.get("timeout_mins") or _DEFAULT_TIMEOUT_MINUTES),
                disable_rollback=bool(body.get("disable_rollback", stack.disable_rollback)),
            )
        except ActionRefused as error:
            raise _Refused(400, str(error), "NotSupported") from error
        self._store.save(stack)
        return Answer(202, {})

    def _delete(self, request: Request, caller: Caller, name: str, stack_id: str) -> Answer:
        if not stack_id:
            return self._lookup(request, caller, name, "")
        stack = self._alive(caller, name, stack_id)
        stack.delete(time.time(), self._trouble.course("delete"))
        self._store.save(stack)
        return Answer(204)

    def _resources(self, request: Request, caller: Caller, name: str, stack_id: str) -> Answer:
        stack = self._found(caller, name, stack_id)
        return Answer(200, {"resources": views.resources(_viewer(request), stack, _depth(request))})

    def _events(self, request: Request, caller: Caller, name: str, stack_id: str) -> Answer:
        stack = self._found(caller, name, stack_id)
        return Answer(200, {"events": views.events(_viewer(request), stack, _depth(request))})

    def _found(self, caller: Caller, name: str, stack_id: str) -> Stack:
        stack = self._store.of_id(stack_id)
        if stack is None or stack.name != name or not self._may_see(caller, stack):
            raise _not_found(name)
        return stack

    def _alive(self, caller: Caller, name: str, stack_id: str) -> Stack:
        stack = self._found(caller, name, stack_id)
        if stack.now(time.time()).is_gone:
            raise _not_found(name)
        return stack

    def _may_see(self, caller: Caller, stack: Stack) -> bool:
        return stack.project_id == caller.project_id or self._sees_all(caller)

    def _sees_all(self, caller: Caller) -> bool:
        return caller.is_admin and self._trouble.settings.admin_sees_all


def _not_found(name: str) -> _Refused:
    return _Refused(404, f"The Stack ({name}) could not be found.")


def _viewer(request: Request) -> Viewer:
    return Viewer(request.base, time.time())


def _body(request: Request) -> dict[str, Any]:
    try:
        data = json.loads(request.body or b"{}")
    except ValueError as error:
        raise _Refused(400, "JSON parse error: the body is no JSON", "HTTPBadRequest") from error
    if not isinstance(data, dict):
        raise _Refused(400, "The body has to be an object", "HTTPBadRequest")
    return data


def _shape(body: Mapping[str, Any]) -> shapes.Shape:
    try:
        return shapes.read(body.get("template"), body.get("files") or {}, body.get("parameters") or {})
    except shapes.BadTemplate as error:
        raise _Refused(400, str(error), "StackValidationFailed") from error


def _tags(body: Mapping[str, Any]) -> list[str]:
    return [tag.strip() for tag in str(body.get("tags") or "").split(",") if tag.strip()]


def _depth(request: Request) -> int:
    text = request.one("nested_depth")
    if text and not text.isdecimal():
        raise _Refused(400, "nested_depth has to be a number", "HTTPBadRequest")
    return int(text or 0)


def _is_wanted(stack: Stack, request: Request, now: float) -> bool:
    phase = stack.now(now)
    shown = {
        "name": stack.name,
        "stack_name": stack.name,
        "action": phase.action,
        "status": phase.status,
        "tenant": stack.project_id,
    }
    if any(name in request.query and value not in request.query[name] for name, value in shown.items()):
        return False
    every, some = (set(filter(None, request.one(name).split(","))) for name in ("tags", "tags_any"))
    none_of = set(filter(None, request.one("not_tags").split(",")))
    own = set(stack.tags)
    return every <= own and (not some or bool(some & own)) and (not none_of or not none_of <= own)


def _page(stacks: list[Stack], request: Request) -> list[Stack]:
    marker, limit = request.one("marker"), request.one("limit")
    places = [number for number, stack in enumerate(stacks) if stack.id == marker]
    start = places[0] + 1 if places else 0
    return stacks[start : start + int(limit)] if limit.isdecimal() and int(limit) else stacks[start:]
