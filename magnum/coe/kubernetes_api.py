"""One bay's Kubernetes API over the wire: TLS with the bay's own certificates, bounds, and failures in plain words.

It stands on the generic layer of the official client and passes objects as plain mappings. The client's typed models
would be in the way: they know the fields of one Kubernetes version only and drop or refuse the others, and what they
refuse is told in their words instead of the bay's.

The API server is the tenant's: it may be slow, huge or hostile. A call ends at its deadline whatever arrives, and a
visit, however many calls it makes, at its own, so that thousands of objects hold nobody for hours; an answer has a
size; redirects are not followed, as they could point into the operator's network; nothing of an answer is trusted to
have its proper type (see `magnum.coe.workloads`).

The client's private key is never written to a disk: the TLS library wants a file, and gets one that exists in memory.
"""

import errno
import json
import math
import os
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import urllib3
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from magnum.coe.sockets import BoundedContext, Deadline
from magnum.common.exception import BayUnreachable, RemoteRefusal
from magnum.common.text import printable

MAX_ANSWER = 16 * 1024 * 1024
PAGE = 250
MAX_PAGES = 40
_LONGEST_VISIT = 6
"""All calls of one visit together may take so many times as long as a single one."""
_MAX_MESSAGE = 1000
_READ_PAUSES = (0.2, 0.5)
_NO_WAY = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL)

Object = dict[str, Any]


@dataclass(frozen=True)
class Access:
    """What it takes to speak to a bay: its URL, its CA and a client's certificate and key (PEM)."""

    api_address: str
    ca: str
    certificate: str
    key: str = field(repr=False)


class _Final(BayUnreachable):
    """It would be the same the next time."""


class KubernetesApi:
    """Calls to one bay, one after the other. Not for use by two threads at once."""

    def __init__(self, access: Access, timeout: float) -> None:
        if not access.api_address.startswith("https://"):
            raise BayUnreachable("The bay has no address of its API yet.")
        self._address = access.api_address
        self._timeout = timeout
        self._visit = Deadline(_LONGEST_VISIT * timeout)
        self._context = _tls(access)
        configuration = client.Configuration(host=access.api_address.rstrip("/"))
        configuration.proxy = None
        configuration.retries = False
        self._client = client.ApiClient(configuration)
        self._client.user_agent = "magnum"
        self._client.rest_client.pool_manager.connection_pool_kw["ssl_context"] = self._context

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def deadline(self) -> Deadline:
        """When an operation that starts now, of one call or several, has to be over; with the visit at the latest."""
        return Deadline(self._timeout, self._visit)

    def get(
        self,
        path: str,
        names: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        deadline: Deadline | None = None,
    ) -> Object:
        """Read an object; tried again for a moment, as an API server may be starting anew."""
        deadline = deadline or self.deadline()
        pauses = iter(_READ_PAUSES)
        told: BayUnreachable | None = None
        while True:
            try:
                return self.call("GET", path, names, query=query, deadline=deadline)
            except _Final:
                raise
            except BayUnreachable as error:
                if told and not deadline.outlasts(0):
                    raise told from error  # that its time was up says less
                pause = next(pauses, math.inf)
                if not deadline.outlasts(pause):
                    raise
                told = error
            time.sleep(pause)

    def members(self, path: str, query: Mapping[str, str] | None = None) -> Iterator[Object]:
        """The members of a collection, fetched page by page."""
        deadline = self.deadline()
        pages = {**(query or {}), "limit": str(PAGE)}
        for _ in range(MAX_PAGES):
            page = self.get(path, query=pages, deadline=deadline)
            yield from (item for item in as_list(page.get("items")) if isinstance(item, dict))
            more = as_dict(page.get("metadata")).get("continue")
            if not more:
                return
            pages["continue"] = str(more)
        raise self._unreachable(f"lists more than {MAX_PAGES * PAGE} objects, which is more than Magnum reads")

    def is_ready(self) -> bool:
        """Whether the API server says that it, and what it stands on, is ready."""
        status, _ = self._exchange(self._request("GET", "/readyz"), self.deadline())
        return status == 200

    def call(
        self,
        method: str,
        path: str,
        names: Mapping[str, str] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        content_type: str = "application/json",
        deadline: Deadline | None = None,
    ) -> Object:
        """One request; the names fill the fields of the path.

        Raises `RemoteRefusal` with Kubernetes' own code and message, or `BayUnreachable` where no answer came that
        speaks for the request.
        """
        request = self._request(method, path, names, query, body, content_type)
        status, answer = self._exchange(request, deadline or self.deadline())
        if 200 <= status < 300:
            return self._object(answer)
        message = _message(answer)
        if status == 401:
            raise self._unreachable("does not accept Magnum's certificate")
        if status == 429 and not path.endswith("/eviction"):  # there it is a disruption budget that says no
            raise self._unreachable("is too busy to answer")
        if 400 <= status < 500:
            raise RemoteRefusal(status, message or f"Kubernetes refused the request with code {status}.")
        said = self._said(f"answered with code {status}{': ' + message if message else ''}")
        raise _Final(said) if 300 <= status < 400 else BayUnreachable(said)

    def _request(
        self,
        method: str,
        path: str,
        names: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        content_type: str = "application/json",
    ) -> Any:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = content_type
        parameters = list((query or {}).items())
        return self._client.param_serialize(method, path, dict(names or {}), parameters, headers, body)

    def _exchange(self, request: Any, deadline: Deadline) -> tuple[int, bytes]:
        self._context.deadline = deadline
        try:
            timeout = deadline.left()
            response = self._client.call_api(*request, _request_timeout=(timeout, timeout)).response
            return response.status, self._read(response)
        except (ApiException, urllib3.exceptions.HTTPError, OSError) as error:
            raise self._unreachable(_plainly(error, deadline)) from error

    def _read(self, response: urllib3.HTTPResponse) -> bytes:
        answer = bytearray()
        for chunk in response.stream(65536, decode_content=False):
            answer += chunk
            if len(answer) > MAX_ANSWER:
                response.close()
                raise _Final(self._said(f"sent an answer of more than {MAX_ANSWER // 2**20} MiB"))
        response.release_conn()
        return bytes(answer)

    def _object(self, answer: bytes) -> Object:
        try:
            value = json.loads(answer)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise self._unreachable("sent an answer that is not of a Kubernetes API")
        return value

    def _unreachable(self, what: str) -> BayUnreachable:
        return BayUnreachable(self._said(what))

    def _said(self, what: str) -> str:
        return f"The bay's API at {self._address} {what}."


def as_dict(value: Any) -> Object:
    """The value if it is a mapping, else an empty one: answers may hold anything."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def _tls(access: Access) -> BoundedContext:
    context = BoundedContext()
    context.load_verify_locations(cadata=access.ca)
    descriptor = os.memfd_create("client", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{access.certificate}\n{access.key}\n")
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    return context


def _message(answer: bytes) -> str:
    """The sentence of a Kubernetes Status object."""
    try:
        message = as_dict(json.loads(answer)).get("message")
    except (ValueError, RecursionError):
        return ""
    # Some messages go on with a dump of the object, after a line of their own.
    return printable(message.partition("\n")[0][:_MAX_MESSAGE]) if isinstance(message, str) else ""


def _plainly(error: BaseException, deadline: Deadline) -> str:
    """What a failure on the wire means, ending a sentence that starts with the bay's API."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"has a certificate that is not the bay's ({cause.verify_message.rstrip('.')})"
        if isinstance(cause, ConnectionRefusedError):
            return "refuses connections"
        if isinstance(cause, OSError) and cause.errno in _NO_WAY:
            return f"cannot be reached ({os.strerror(cause.errno).lower()})"
        if isinstance(cause, socket.gaierror):
            return "has a name that cannot be resolved"
    for cause in causes:
        if isinstance(cause, TimeoutError | urllib3.exceptions.TimeoutError):
            return f"did not answer within {deadline.seconds:g} seconds"
        if isinstance(cause, ssl.SSLError):
            return "does not speak TLS with Magnum"
    return "broke off the connection"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
