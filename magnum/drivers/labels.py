"""Labels: the named settings of a bay that only its driver knows, each with a type, a default and what it does.

Label values are written by tenants and end in configuration files of nodes, so every type admits only what such a value
can look like; a driver never has to escape one.
"""

import difflib
import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from magnum.drivers.addresses import is_http_url, is_ordinary

_BOOLEANS = {"true": True, "yes": True, "1": True, "on": True, "false": False, "no": False, "0": False, "off": False}
_URL = re.compile(r"https?://[A-Za-z0-9._~:\[\]-]+(/[A-Za-z0-9._~%/-]*)?")
_REGISTRY = re.compile(
    r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*(:(?P<port>[0-9]{1,5}))?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
)
_PORTS = range(1, 65536)
_MAX_LENGTH = 255


@dataclass(frozen=True)
class Label:
    """One setting: ``type`` is string, integer, boolean, cidr, choice, url or registry.

    A string matches ``pattern`` as a whole (``expects`` says in words what that means) and is the tag of an image if
    nothing else is said; an integer, or the prefix length of a cidr, lies between ``minimum`` and ``maximum``; a choice
    is one of ``choices``.
    """

    name: str
    type: str
    default: str
    help: str
    choices: tuple[str, ...] = ()
    pattern: str = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
    expects: str = "the tag of an image, such as v1.2.3"
    minimum: int = 0
    maximum: int = 2**31 - 1

    def parse(self, text: str) -> Any:
        """Return the typed value of ``text``; ValueError says what the label expects instead."""
        if len(text) > _MAX_LENGTH:
            raise ValueError(f"at most {_MAX_LENGTH} characters")
        return _PARSERS[self.type](self, text)


def _string(label: Label, text: str) -> str:
    if not re.fullmatch(label.pattern, text):
        raise ValueError(label.expects)
    return text


def _integer(label: Label, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", text) or not label.minimum <= int(text) <= label.maximum:
        raise ValueError(f"a whole number from {label.minimum} to {label.maximum}")
    return int(text)


def _boolean(_label: Label, text: str) -> bool:
    try:
        return _BOOLEANS[text.lower()]
    except KeyError:
        raise ValueError("true or false") from None


def _cidr(label: Label, text: str) -> str:
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError:
        raise ValueError("an IPv4 network such as 10.100.0.0/16, without host bits") from None
    if not re.fullmatch(r"[0-9.]+/[0-9]+", text):
        raise ValueError("an IPv4 network with its prefix length, such as 10.100.0.0/16")
    if not label.minimum <= network.prefixlen <= label.maximum:
        raise ValueError(f"an IPv4 network with a prefix length from {label.minimum} to {label.maximum}")
    if not is_ordinary(network):
        raise ValueError("a network of ordinary addresses, such as 10.100.0.0/16: no loopback, link-local or multicast")
    return str(network)


def _choice(label: Label, text: str) -> str:
    if text not in label.choices:
        raise ValueError("one of " + ", ".join(label.choices))
    return text


def _url(_label: Label, text: str) -> str:
    if not (_URL.fullmatch(text) and is_http_url(text)):
        raise ValueError("an http or https URL with a host, such as https://mirror.example.org/kubernetes")
    return text.rstrip("/")


def _registry(_label: Label, text: str) -> str:
    found = _REGISTRY.fullmatch(text)
    if not found or int(found["port"] or 443) not in _PORTS:
        raise ValueError("a registry, and a path in it, such as registry.example.org:5000/kubernetes")
    return text


_PARSERS: Mapping[str, Callable[[Label, str], Any]] = {
    "string": _string,
    "integer": _integer,
    "boolean": _boolean,
    "cidr": _cidr,
    "choice": _choice,
    "url": _url,
    "registry": _registry,
}


class LabelSchema:
    """The labels of one driver."""

    def __init__(self, labels: Iterable[Label]) -> None:
        self._labels = {label.name: label for label in labels}

    def __iter__(self) -> Iterator[Label]:
        return iter(self._labels.values())

    def with_defaults(self, defaults: Mapping[str, str]) -> "LabelSchema":
        """Return this schema with other defaults; ValueError names every one that is wrong."""
        problems = self.validate(defaults)
        if problems:
            raise ValueError(" ".join(problems))
        return LabelSchema(replace(label, default=defaults.get(label.name, label.default)) for label in self)

    def validate(self, labels: Mapping[str, str]) -> list[str]:
        """Return what is wrong with ``labels``, one sentence for each wrong label; empty when all is well."""
        return [problem for name, text in labels.items() if (problem := self._problem(name, text))]

    def values(self, labels: Mapping[str, str]) -> dict[str, Any]:
        """Return the typed value of every label of the schema; ``labels`` must have been validated."""
        return {label.name: label.parse(str(labels.get(label.name, label.default))) for label in self}

    def _problem(self, name: str, text: Any) -> str:
        if name not in self._labels:
            return self._unknown(name)
        try:
            self._labels[name].parse(str(text))
        except ValueError as error:
            return f"Label {name} cannot be {str(text)[:80]!r}: it takes {error}."
        return ""

    def _unknown(self, name: str) -> str:
        nearest = difflib.get_close_matches(name, self._labels, n=1, cutoff=0.5)
        hint = f"did you mean {nearest[0]}?" if nearest else f"known labels are {', '.join(sorted(self._labels))}."
        return f"There is no label {name[:80]!r}; {hint}"
