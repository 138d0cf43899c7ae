"""Glance, Nova and Neutron as far as they are asked which images, flavors, key pairs and networks there are.

They are one transport adapter of requests, to be mounted in a session: no socket is opened, and all that stands in
front of the wire is the real thing. They answer as the real ones do, oddities included, to whoever has a token.
"""

import json
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import requests
from requests.adapters import BaseAdapter

IMAGE, COMPUTE, NETWORK = "http://image.invalid", "http://compute.invalid/v2.1", "http://network.invalid"
ENDPOINTS = {"image": IMAGE, "compute": COMPUTE, "network": NETWORK}
_OPERATORS = {"eq", "in", "neq", "gt", "gte", "lt", "lte"}


@dataclass
class Answer:
    """What a service says."""

    code: int = 200
    body: Any = None
    raw: bytes | None = None


@dataclass
class FakeServices(BaseAdapter):
    """The services; what they have is set by a test, and what was asked can be read."""

    images: list[dict[str, Any]] = field(default_factory=list)
    flavors: list[dict[str, str]] = field(default_factory=list)
    key_pairs: dict[str, str] = field(default_factory=dict)
    networks: list[dict[str, Any]] = field(default_factory=list)
    flavors_per_page: int = 1000
    planned: dict[str, Answer | Exception] = field(default_factory=dict)
    """What a service says whatever it is asked, by its host."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Host and path, in the order of the requests."""
    headers: list[dict[str, str]] = field(default_factory=list)
    timeouts: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def count(self, service: str) -> int:
        """How often a service was asked."""
        return [host for host, _ in self.asked].count(f"{service}.invalid")

    def session(self) -> requests.Session:
        """A session that reaches nothing else."""
        http = requests.Session()
        http.mount("http://", self)
        return http

    def send(self, request: requests.PreparedRequest, *_args: Any, **options: Any) -> requests.Response:
        """Answer a request."""
        url = urlsplit(str(request.url))
        host = str(url.hostname)
        self.asked.append((host, url.path))
        self.headers.append(dict(request.headers))
        self.timeouts.append(options.get("timeout"))
        planned = self.planned.get(host.partition(".")[0])
        if isinstance(planned, Exception):
            raise planned
        return _response(request, planned or self.answer(host, url.path, parse_qs(url.query)))

    def close(self) -> None:
        """Nothing is held."""

    def answer(self, host: str, path: str, query: dict[str, list[str]]) -> Answer:
        """What the service of a host says."""
        routes = {"image": self._image, "compute": self._compute, "network": self._network}
        return routes[host.partition(".")[0]](path, query)

    def _image(self, path: str, query: dict[str, list[str]]) -> Answer:
        if path == "/v2/images":
            operator, colon, rest = query["name"][0].partition(":")
            if colon and operator not in _OPERATORS:
                return Answer(400, {"message": f"Unable to filter by unknown operator '{operator}'."})
            name = rest if colon else operator
            found = [image for image in self.images if image["name"] == name]
            return Answer(body={"images": found[: int(query.get("limit", ["25"])[0])]})
        return _one(self.images, path.removeprefix("/v2/images/"))

    def _compute(self, path: str, query: dict[str, list[str]]) -> Answer:
        if path == "/v2.1/flavors":
            ids = [flavor["id"] for flavor in self.flavors]
            start = ids.index(query["marker"][0]) + 1 if "marker" in query else 0
            page = self.flavors[start : start + self.flavors_per_page]
            body: dict[str, Any] = {"flavors": page}
            if len(page) == self.flavors_per_page:
                body["flavors_links"] = [{"rel": "next", "href": f"{COMPUTE}/flavors?marker={page[-1]['id']}"}]
            return Answer(body=body)
        name = unquote(path.removeprefix("/v2.1/os-keypairs/"))
        if name not in self.key_pairs:
            return Answer(404, {"itemNotFound": {"code": 404, "message": f"Keypair {name} not found."}})
        return Answer(body={"keypair": {"name": name, "public_key": self.key_pairs[name]}})

    def _network(self, path: str, query: dict[str, list[str]]) -> Answer:
        if path != "/v2.0/networks":
            return Answer(404, {"message": "The resource could not be found."})
        ((key, wanted),) = [(key, query[key][0]) for key in ("id", "name") if key in query]
        found = [network for network in self.networks if network[key] == wanted]
        return Answer(body={"networks": [{name: each[name] for name in query["fields"]} for each in found]})


def _one(images: list[dict[str, Any]], ident: str) -> Answer:
    for image in images:
        if image["id"] == ident:
            return Answer(body=image)
    return Answer(404, raw=b"<html><body>No image found.</body></html>")


def _response(request: requests.PreparedRequest, answer: Answer) -> requests.Response:
    response = requests.Response()
    response.status_code = answer.code
    response.raw = BytesIO(json.dumps(answer.body).encode() if answer.raw is None else answer.raw)
    response.headers["Content-Type"] = "application/json" if answer.raw is None else "text/html"
    response.request, response.url = request, str(request.url)
    return response
