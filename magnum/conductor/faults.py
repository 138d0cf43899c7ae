"""Why a stack failed: the leaves that failed, and one line about the first for people.

Heat repeats the message of a resource that failed in each stack around it, each time with more words before it, and
cancels the resources beside it. Here only the leaves count, and the cancelled ones only where nothing else is known.

A node says in its own words that it failed, so what is read here may be written by a tenant to be long, and to keep who
reads it busy: it is cut before anything looks at it.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from magnum.clients.heat import StackResource
from magnum.common.text import printable

Fault = dict[str, Any]

_MEMBERS = {"masters": "master", "nodes": "node"}
_PLACES = re.compile(r"^\s*(?:[A-Za-z]\w*:\s*)?(?:resources?(?:\.[\w-]+|\[[\w-]+\])+\s*:\s*)+")
_PLACE = re.compile(r"resources?(?:\.([\w-]+)|\[([\w-]+)\])")
_EXCEPTION = re.compile(
    r"^(?:Resource(?:InError|Failure|UnknownStatus)|StackValidationFailed|WaitCondition(?:Failure|Timeout)|Error"
    r"|[A-Z]\w*(?:Error|Exception|NotFound|Failed|Failure|Conflict|BadRequest|Forbidden))\s*:\s*"
)
_WENT_TO = re.compile(r"^Went to status \w+ due to \"(?:Message:\s*)?")
_CODE = re.compile(r"\s*\w+")
_HTTP = re.compile(r"\(HTTP (?P<code>\d{3})\)")
_CANCELLED = re.compile(r"^[A-Z]+ aborted\b|\buser triggered cancel|\bcancell?ed\W*$", re.I)
"""What Heat says of what it broke off, which is not all that has such words: Nova aborts builds, and says why."""
_SIGNALS = re.compile(r"^(?P<got>\d+) of (?P<wanted>\d+) received")
_LONGEST_READ = 2000
_LONGEST_PATH = 8
_LONGEST = 500
_MOST_NAMES = 3
_WAITING_TYPES = ("OS::Heat::WaitCondition", "AWS::CloudFormation::WaitCondition")


def collect(resources: Iterable[StackResource]) -> list[Fault]:
    """The faults of a failed stack, the telling ones only."""
    failed = [_cut(item) for item in resources if item.status.endswith("_FAILED")]
    telling = [item for item in failed if not _CANCELLED.search(plain(item.reason))] or failed
    leaves = [item for item in telling if not (item.nested and _has_inner(item, telling))]
    # Who waits in vain often does so for what has failed itself.
    return [_fault(item) for item in sorted(leaves, key=lambda item: item.type in _WAITING_TYPES)]


def one_line(faults: Sequence[Fault], otherwise: str) -> str:
    """A sentence for ``status_reason``.

    :param otherwise: what the stack itself says; used where no resource says more
    """
    if not faults or (otherwise and all(_CANCELLED.search(fault["message"]) for fault in faults)):
        return _shortened(plain(otherwise))
    message = faults[0]["message"]
    names = [fault["name"] for fault in faults if fault["message"] == message]
    others = len(faults) - len(names)
    more = f" (and {others} more)" if others else ""
    return _shortened(f"{_listed(names)}: {message}") + more


def _listed(names: Sequence[str]) -> str:
    shown = sorted(set(names))
    if len(shown) > _MOST_NAMES:
        return f"{', '.join(shown[:_MOST_NAMES])} and {len(shown) - _MOST_NAMES} more"
    return ", ".join(shown)


def plain(reason: str) -> str:
    """A message of Heat without the places and exceptions before it."""
    text, _ = _detail(reason)
    return " ".join(text.split()) or "no reason is given"


def _cut(item: StackResource) -> StackResource:
    return replace(item, reason=item.reason[:_LONGEST_READ])


def _detail(reason: str) -> tuple[str, str | None]:
    """What a service said, and its code, where Heat puts these into a sentence of its own."""
    text = _without_prefixes(reason[:_LONGEST_READ])
    sentence = _WENT_TO.match(text)
    if sentence is None:
        return text, None
    said, found, code = text[sentence.end() :].removesuffix('"').rpartition("Code:")
    if not found or not _CODE.fullmatch(code):
        said, code = text[sentence.end() :].removesuffix('"'), ""
    return said.rstrip().removesuffix(","), code.strip() or None


def _without_prefixes(text: str) -> str:
    text = text.strip()
    while True:
        shorter = _EXCEPTION.sub("", _PLACES.sub("", text, count=1), count=1).strip()
        shorter = re.sub(r"^Resource [A-Z]+ failed:\s*", "", shorter)
        if shorter == text:
            return text
        text = shorter


def _fault(item: StackResource) -> Fault:
    path = _deepest(item)
    return {
        "service": _service(item.type),
        "resource": ".".join(path),
        "name": _name(path),
        "type": item.type,
        "message": _shortened(_message(item)),
        "code": _code(item.reason),
    }


def _deepest(item: StackResource) -> tuple[str, ...]:
    """The place that the message names, where that is within this resource: what is nested may be gone already."""
    places = _PLACES.match(item.reason)
    named = tuple(name for pair in _PLACE.findall(places[0]) for name in pair if name) if places else ()
    return (*item.path[:-1], *named)[:_LONGEST_PATH] if named[:1] == item.path[-1:] else item.path


def _message(item: StackResource) -> str:
    text = plain(item.reason)
    signals = _SIGNALS.match(text)
    if item.type in _WAITING_TYPES and signals:
        return "did not report in time that it is up. Its console log (cloud-init) says how far it came."
    return text


def _name(path: Sequence[str]) -> str:
    """What a tenant calls the place: a member of the bay, else the resource."""
    if len(path) > 1 and path[0] in _MEMBERS and path[1].isdigit():
        return f"{_MEMBERS[path[0]]} {path[1]}"
    return path[-1].replace("_", " ")


def _service(resource_type: str) -> str:
    parts = resource_type.split("::")
    return parts[1].lower() if len(parts) == 3 and parts[0] == "OS" else "heat"


def _code(reason: str) -> str | None:
    _, code = _detail(reason)
    if code:
        return code
    http = _HTTP.search(reason)
    return http["code"] if http else None


def _has_inner(item: StackResource, failed: Iterable[StackResource]) -> bool:
    return any(other.path != item.path and other.path[: len(item.path)] == item.path for other in failed)


def _shortened(text: str) -> str:
    text = printable(text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
