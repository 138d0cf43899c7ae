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

_BOOLEANS = {"true": True, "yes": True, "1": True, "on": True, "false": False, "no": False, "0": False, "off": False}
_URL = re.compile(r"https?://[A-Za-z0-9._~:\[\]-]+(/[A-Za-z0-9._~%/-]*)?")
_MAX_LENGTH = 255


@dataclass(frozen=True)
class Label:
    """One setting: ``type`` is string, integer, boolean, cidr, choice or url.

    A string matches ``pattern`` as a whole (``expects`` says in words what that means); an integer lies between
    ``minimum`` and ``maximum``; a choice is one of ``choices``.
    """

    name: str
    type: str
    default: str
    help: str
    choices: tuple[str, ...] = ()
    pattern: str = r"[A-Za-z0-9._-]*"
    expects: str = "letters, digits, '.', '_' and '-'"
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


def _cidr(_label: Label, text: str) -> str:
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError:
        raise ValueError("an IPv4 network such as 10.100.0.0/16, without host bits") from None
    if "/" not in text:
        raise ValueError("an IPv4 network with its prefix length, such as 10.100.0.0/16")
    return str(network)


def _choice(label: Label, text: str) -> str:
    if text not in label.choices:
        raise ValueError("one of " + ", ".join(label.choices))
    return text


def _url(_label: Label, text: str) -> str:
    if not _URL.fullmatch(text):
        raise ValueError("an http or https URL")
    return text.rstrip("/")


_PARSERS: Mapping[str, Callable[[Label, str], Any]] = {
    "string": _string,
    "integer": _integer,
    "boolean": _boolean,
    "cidr": _cidr,
    "choice": _choice,
    "url": _url,
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
