"""A request as a handler gets it, what a handler answers, and what all handlers share."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

import orjson
from oslo_config import cfg
from oslo_policy import policy
from webob import Request
from wsme import types as wtypes

from magnum.api import body, fields
from magnum.api.errors import Unauthorized
from magnum.api.shapes import Parameter, read_query
from magnum.api.versions import OLDEST, VERSION, Feature, Version
from magnum.certificates.authority import Authority
from magnum.certificates.bootstrap import BootstrapIdentity
from magnum.clients.keystone import Keystone
from magnum.common.context import RequestContext
from magnum.common.exception import Forbidden, Invalid
from magnum.common.rpc import ConductorClient
from magnum.db.session import Database
from magnum.drivers.base import BayDriver

CONTEXT = "magnum.context"
BOOTSTRAP = "magnum.bootstrap_identity"
EMPTY: Any = object()
"""In place of an answer's body: there is none."""
_MOST_PARAMETERS = 100


@dataclass(frozen=True)
class Services:
    """What handlers work with; one for the process, safe to share between threads."""

    conf: cfg.ConfigOpts
    database: Database
    conductor: ConductorClient
    enforcer: policy.Enforcer
    authority: Authority
    keystone: Keystone
    drivers: Sequence[BayDriver]


@dataclass(frozen=True)
class Answer:
    """What goes back."""

    body: Any = EMPTY
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Call:
    """One request.

    :param arguments: what its path names
    :param parameters: what its query may hold
    """

    def __init__(
        self, services: Services, request: Request, arguments: Mapping[str, str], parameters: Sequence[Parameter] = ()
    ) -> None:
        self.services = services
        self.request = request
        self.arguments = arguments
        self._parameters = parameters
        self._allowed: list[tuple[str, Mapping[str, Any]]] = []

    @property
    def context(self) -> RequestContext:
        """Who asks, with a Keystone token for a project.

        :raises Unauthorized: nobody who has one
        """
        context: RequestContext | None = self.request.environ.get(CONTEXT)
        if context is None:
            raise Unauthorized("The request you have made requires authentication.")
        if not context.project_id:
            raise Forbidden("The token is not for a project. Get one with the scope of the project you mean.")
        return context

    @property
    def node(self) -> BootstrapIdentity | None:
        """The node that asks with its bootstrap token, if it is one."""
        identity: BootstrapIdentity | None = self.request.environ.get(BOOTSTRAP)
        return identity

    @property
    def version(self) -> Version:
        """The version of the API that was asked for."""
        version: Version = self.request.environ.get(VERSION, OLDEST)
        return version

    def has(self, feature: Feature) -> bool:
        """Whether the version that was asked for has this."""
        return self.version.has(feature)

    @cached_property
    def query(self) -> dict[str, Any]:
        """What stands behind the question mark, each value as the table of routes says; the last of each name.

        :raises Invalid: with everything that is wrong there, unknown names included
        """
        text = self.request.environ.get("QUERY_STRING", "")
        if not text and not any(parameter.mandatory for parameter in self._parameters):
            return {}
        try:
            given = dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS))
        except ValueError as error:
            raise Invalid("The query of the request is not valid UTF-8, or has too many parts.") from error
        for name, value in given.items():
            body.check_text(name + value)
        known = [item for item in self._parameters if item.feature is None or self.has(item.feature)]
        return read_query(given, known)

    def json(self) -> Any:
        """The document that was sent, None where there is none."""
        return body.read_json(self.request, self.services.conf.api.max_body_size)

    def document(self, argument: str) -> dict[str, Any]:
        """The object that was sent.

        :param argument: what it is, for the one who forgot it
        """
        document = self.json()
        if document is None:
            raise Invalid(f'Missing argument: "{argument}": the body of the request is empty.')
        if not isinstance(document, dict):
            raise Invalid(f"The body of the request should be a JSON object with the fields of the {argument}.")
        return document

    def read(self, datatype: type[wtypes.Base], argument: str, problems: list[str]) -> dict[str, Any]:
        """The fields of the object that was sent, each as the type has it.

        :param argument: what the object is, for the one who forgot it
        :param problems: gets a sentence for each field that is wrong
        """
        known_only = self.has(Feature.KNOWN_KEYS_ONLY)
        return fields.read(datatype, self.document(argument), problems, known_only=known_only)

    def allow(self, rule: str, target: Mapping[str, Any] | None = None) -> None:
        """Let policy decide.

        :param target: the object it is about; left out for what will be the requester's own
        :raises Forbidden: policy says no
        """
        about = target or {"project_id": self.context.project_id, "user_id": self.context.user_id}
        if (rule, about) in self._allowed:
            return  # asked before the object was looked for, and the object is the requester's own
        if not self.services.enforcer.enforce(rule, dict(about), self.context):
            raise Forbidden(f"Policy doesn't allow {rule} to be performed.")
        self._allowed.append((rule, about))

    @property
    def host_url(self) -> str:
        """Where this API is, as the requester reached it."""
        return str(self.request.host_url)


def dump(answer: Any) -> bytes:
    """The bytes of a body."""
    try:
        return orjson.dumps(answer)
    except orjson.JSONEncodeError:  # what a bay says may hold half a surrogate pair, or an integer of 65 bits
        return json.dumps(answer).encode()
