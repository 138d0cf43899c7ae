"""JSON over HTTP(S), for the scripts of a node: to Magnum and to the cluster's API. Standard library only."""

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any


class Refused(Exception):
    """The server answered, and it was no."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code} {message}".strip())
        self.code = code


class Unreachable(Exception):
    """No answer, or none that can be trusted."""


class Client:
    """Talks to one server. Certificates are files; an empty ``ca_file`` means those that the system trusts."""

    def __init__(
        self,
        url: str,
        ca_file: str = "",
        certificate: str = "",
        key: str = "",
        headers: Mapping[str, str] | None = None,
        proxies: bool = False,
    ) -> None:
        self._url = url.rstrip("/")
        self._headers = dict(headers or {})
        handlers: list[urllib.request.BaseHandler] = [] if proxies else [urllib.request.ProxyHandler({})]
        if self._url.startswith("https:"):
            context = ssl.create_default_context(cafile=ca_file or None)
            if certificate:
                context.load_cert_chain(certificate, key or None)
            handlers.append(urllib.request.HTTPSHandler(context=context))
        self._opener = urllib.request.build_opener(*handlers)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        content_type: str = "application/json",
        timeout: float = 10,
    ) -> Any:
        """Return the decoded answer. Raises Refused or Unreachable."""
        with self._open(method, path, body, content_type, timeout) as response:
            try:
                text = response.read()
                return json.loads(text) if text else None
            except (OSError, ValueError) as error:
                raise Unreachable(f"{self._url}: broken answer: {error}") from error

    def lines(self, path: str, timeout: float) -> Iterator[Any]:
        """Yield each line of a streamed answer, decoded; ends when the server or ``timeout`` (of silence) ends it."""
        with self._open("GET", path, None, "application/json", timeout) as response:
            try:
                for line in response:
                    yield json.loads(line)
            except (OSError, ValueError) as error:
                raise Unreachable(f"{self._url}: stream broken: {error}") from error

    def _open(self, method: str, path: str, body: Any, content_type: str, timeout: float) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json", "Content-Type": content_type, **self._headers}
        request = urllib.request.Request(self._url + path, data=data, headers=headers, method=method)  # noqa: S310
        try:
            return self._opener.open(request, timeout=timeout)
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(error.code, _message(error)) from error
        except OSError as error:
            raise Unreachable(f"{self._url}: {getattr(error, 'reason', error)}") from error


def _message(error: urllib.error.HTTPError) -> str:
    """The sentence in an error's body: Kubernetes has a message, OpenStack's services a list of errors."""
    try:
        body = json.loads(error.read(65536))
        if isinstance(body.get("errors"), list):
            body = body["errors"][0]
        return str(body.get("detail") or body.get("message") or error.reason)
    except (OSError, ValueError, AttributeError, IndexError):
        return str(error.reason)
