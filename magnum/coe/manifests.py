"""Manifests of Kubernetes objects as tenants send them: reading, checking, and what our rows keep of them.

The text comes from a stranger. It is read in steps that each make the next one safe: its size, then the stream of
YAML events (no aliases, which can grow without bound; no deep nesting; one document), then the values, then their way
through JSON, which is all that Kubernetes takes. What is checked beyond that is what our own rows need and what people
get wrong most; everything else is for the bay's own API to judge.
"""

import json
import re
from collections.abc import Callable
from typing import Any, Literal

import yaml

from magnum.common.exception import Invalid

Kind = Literal["Pod", "Service", "ReplicationController"]
Manifest = dict[str, Any]

MAX_DEPTH = 64
_VERB = {"Pod": "pod-create", "Service": "coe-service-create", "ReplicationController": "rc-create"}
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN_RULE = "lower-case letters, digits, '-' and '.', with a letter or digit at both ends"
_NAMES: dict[Kind, tuple[re.Pattern[str], int, str]] = {
    "Pod": (_SUBDOMAIN, 253, _SUBDOMAIN_RULE),
    "Service": (_LABEL, 63, "lower-case letters, digits and '-', starting with a letter and ending with no '-'"),
    "ReplicationController": (_SUBDOMAIN, 253, _SUBDOMAIN_RULE),
}


class ManifestError(Invalid):
    """The manifest cannot be used; `problems` names everything found."""


def parse_manifest(text: str, kind: Kind, max_size: int) -> Manifest:
    """Read a manifest of the given kind; raises `ManifestError` with every problem."""
    document = _read(text, max_size)
    problems = _Problems()
    _check_head(document, kind, problems)
    _CHECKS[kind](document, problems)
    if problems.found:
        raise ManifestError(problems.found)
    return document


def summary(manifest: Manifest, kind: Kind) -> dict[str, Any]:
    """What a row keeps of a checked manifest: name, labels, images, replicas, selector, ports (by kind, else empty)."""
    spec = manifest["spec"]
    containers: list[Manifest] = []
    if kind == "Pod":
        containers = spec["containers"]
    elif kind == "ReplicationController":
        containers = spec["template"]["spec"]["containers"]
    return {
        "name": manifest["metadata"]["name"],
        "labels": manifest["metadata"].get("labels") or {},
        "images": [container["image"] for container in containers],
        "replicas": _replicas(spec) if kind == "ReplicationController" else None,
        "selector": spec.get("selector") or {},
        "ports": spec["ports"] if kind == "Service" else [],
    }


def _replicas(spec: Manifest) -> int:
    count = spec.get("replicas")
    return 1 if count is None else int(count)


# --- from text to values ---------------------------------------------------------------------------------------------


class _Loader(yaml.CSafeLoader):
    """YAML as Kubernetes' own tools read it: no dates, and no numbers to the base of sixty."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":int", ":float"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int",
    re.compile(r"[-+]?(0b[01]+|0o?[0-7]+|0|[1-9][0-9]*|0x[0-9a-fA-F]+)\Z"),
    list("-+0123456789"),
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?([0-9]+\.[0-9]*([eE][-+]?[0-9]+)?|\.[0-9]+([eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)\Z"),
    list("-+.0123456789"),
)


def _read(text: str, max_size: int) -> Manifest:
    _check_size(text, max_size)
    if not text.strip():
        raise ManifestError("manifest can't be empty: send the object's definition as JSON or YAML.")
    document = _from_json(text) if text.lstrip().startswith("{") else _from_yaml(text)
    if not isinstance(document, dict):
        raise ManifestError(
            "manifest must be a mapping with apiVersion, kind, metadata and spec, not a single value or a list."
        )
    return _through_json(document)


def _check_size(text: str, max_size: int) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise ManifestError("manifest holds characters that are not valid Unicode.") from error
    if size > max_size:
        raise ManifestError(f"manifest has {size} bytes, more than the {max_size} allowed: shorten it.")


def _from_json(text: str) -> Any:
    try:
        document = json.loads(text)
    except RecursionError as error:
        raise _too_deep() from error
    except json.JSONDecodeError as error:
        raise ManifestError(
            f"manifest starts with '{{', so it is read as JSON, but is not valid: "
            f"{error.msg} at line {error.lineno}, column {error.colno}."
        ) from error
    except ValueError as error:  # a number of thousands of digits
        raise ManifestError("manifest holds a number that is too large.") from error
    if _deeper_than(MAX_DEPTH, document):
        raise _too_deep()
    return document


def _deeper_than(levels: int, value: Any) -> bool:
    layer = [value]
    for _ in range(levels + 1):
        members = [item.values() if isinstance(item, dict) else item for item in layer if isinstance(item, dict | list)]
        layer = [child for children in members for child in children]
        if not layer:
            return False
    return True


def _too_deep() -> ManifestError:
    return ManifestError(f"manifest is nested deeper than {MAX_DEPTH} levels: make it flatter.")


def _from_yaml(text: str) -> Any:
    try:
        _check_events(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506  (a safe loader with fewer types)
    except yaml.MarkedYAMLError as error:
        place = (
            f" at line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}"
            if error.problem_mark
            else ""
        )
        raise ManifestError(f"manifest is not valid YAML: {error.problem or 'it cannot be read'}{place}.") from error
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise ManifestError(
            "manifest is not valid YAML: it holds a character or a value that cannot be read."
        ) from error


def _check_events(text: str) -> None:
    """Refuse what would make building the values dangerous, before any value is built."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise ManifestError(f"manifest uses a YAML alias (*{event.anchor}): write the value out in its place.")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.DocumentStartEvent):
            documents += 1
        if depth > MAX_DEPTH:
            raise _too_deep()
        if documents > 1:
            raise ManifestError("manifest holds more than one document: create each object with a request of its own.")


def _through_json(document: Manifest) -> Manifest:
    """The document as JSON has it: keys are strings, values are what JSON knows."""
    try:
        text = json.dumps(document, allow_nan=False, ensure_ascii=False)
        return dict(json.loads(text.encode()))  # encoding refuses half a surrogate pair, which JSON can smuggle in
    except (TypeError, ValueError) as error:
        raise ManifestError(
            "manifest holds a value that JSON does not know (binary data, a set, infinity, a key that is not a string)"
            " or text that is not valid Unicode."
        ) from error


# --- from values to problems -----------------------------------------------------------------------------------------


class _Problems:
    """Collects what is wrong; every getter answers None after it has noted why."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, field: str, what: str) -> None:
        self.found.append(f"manifest: {field} {what}.")

    def mapping(self, parent: Manifest, key: str, field: str, remedy: str) -> Manifest | None:
        """A mapping that must be there and hold something."""
        value = parent.get(key)
        if isinstance(value, dict) and value:
            return value
        self.add(field, f"{_is_wrong(value, 'a mapping')}: {remedy}")
        return None

    def strings(self, parent: Manifest, key: str, field: str, remedy: str | None = None) -> None:
        """A mapping of strings to strings; one that must be there has a remedy."""
        value = parent.get(key)
        if value is None and remedy is None:
            return
        if not isinstance(value, dict) or (remedy and not value):
            self.add(field, f"{_is_wrong(value, 'a mapping')}: {remedy or 'give names and values, or leave it out'}")
            return
        for name, item in value.items():
            if not isinstance(item, str):
                self.add(f"{field}[{name!r}]", f"is {_shown(item)}, not a string: put it in quotes")

    def objects(self, parent: Manifest, key: str, field: str, remedy: str) -> list[tuple[str, Manifest]]:
        """The members, each with the name of its field, of a list that must be there and hold mappings."""
        value = parent.get(key)
        if not isinstance(value, list) or not value:
            self.add(field, f"{_is_wrong(value, 'a list')}: {remedy}")
            return []
        members = []
        for index, item in enumerate(value):
            if isinstance(item, dict):
                members.append((f"{field}[{index}]", item))
            else:
                self.add(f"{field}[{index}]", f"is {_shown(item)}, not a mapping: {remedy}")
        return members

    def text(self, parent: Manifest, key: str, field: str, remedy: str) -> str | None:
        """A string that must be there and not be empty."""
        value = parent.get(key)
        if isinstance(value, str) and value:
            return value
        self.add(field, f"{_is_wrong(value, 'a string')}: {remedy}")
        return None

    def count(self, parent: Manifest, key: str, field: str, lowest: int, highest: int, remedy: str) -> None:
        """A whole number in bounds."""
        value = parent.get(key)
        if value is None:
            self.add(field, f"is missing: {remedy}")
        elif isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
            self.add(field, f"is {_shown(value)}: {remedy}")


def _is_wrong(value: Any, wanted: str) -> str:
    if value is None:
        return "is missing"
    if value in ("", [], {}):
        return "can't be empty"
    return f"is {_shown(value)}, not {wanted}"


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:60] + "…"


def _check_head(document: Manifest, kind: Kind, problems: _Problems) -> None:
    if document.get("apiVersion") != "v1":
        given = document.get("apiVersion")
        problems.add("apiVersion", f"{'is missing' if given is None else f'is {_shown(given)}'}: a {kind} has v1")
    _check_kind(document.get("kind"), kind, problems)
    metadata = problems.mapping(document, "metadata", "metadata", "give the object a metadata.name")
    if metadata is None:
        return
    _check_name(metadata, kind, problems)
    if metadata.get("namespace") not in (None, "default"):
        problems.add(
            "metadata.namespace",
            f"is {_shown(metadata['namespace'])}: only the namespace default can be used, set it or leave it out",
        )
    problems.strings(metadata, "labels", "metadata.labels")


def _check_kind(given: Any, kind: Kind, problems: _Problems) -> None:
    if given == kind:
        return
    if given is None:
        problems.add("kind", f"is missing: set it to {kind}")
    elif isinstance(given, str) and given in _VERB:
        problems.add("kind", f"is {given} where a {kind} is asked for: use `magnum {_VERB[given]}` or set it to {kind}")
    else:
        problems.add("kind", f"is {_shown(given)}: set it to {kind}")


def _check_name(metadata: Manifest, kind: Kind, problems: _Problems) -> None:
    name = problems.text(metadata, "name", "metadata.name", "give the object a name")
    if name is None:
        return
    pattern, longest, remedy = _NAMES[kind]
    if len(name) > longest or not pattern.fullmatch(name):
        problems.add("metadata.name", f"is {_shown(name)}: use at most {longest} {remedy}")


def _check_pod(document: Manifest, problems: _Problems) -> None:
    spec = problems.mapping(document, "spec", "spec", "describe the pod's containers in spec.containers")
    if spec is not None:
        _check_containers(spec, "spec.containers", problems)


def _check_containers(spec: Manifest, field: str, problems: _Problems) -> None:
    for place, container in problems.objects(
        spec, "containers", field, "list at least one container with name and image"
    ):
        problems.text(container, "name", f"{place}.name", "give the container a name that is its own in the pod")
        problems.text(container, "image", f"{place}.image", "name the image to run, for example nginx:1.25")


def _check_service(document: Manifest, problems: _Problems) -> None:
    spec = problems.mapping(document, "spec", "spec", "give the service its spec.ports")
    if spec is None:
        return
    for place, port in problems.objects(
        spec, "ports", "spec.ports", "list at least one port, for example `- port: 80`"
    ):
        problems.count(port, "port", f"{place}.port", 1, 65535, "give a number from 1 to 65535")
    problems.strings(spec, "selector", "spec.selector")


def _check_rc(document: Manifest, problems: _Problems) -> None:
    spec = problems.mapping(document, "spec", "spec", "describe selector and template of the pods to keep running")
    if spec is None:
        return
    if spec.get("replicas") is not None:
        problems.count(spec, "replicas", "spec.replicas", 0, 2**31 - 1, "give a whole number of pods, 0 or more")
    problems.strings(spec, "selector", "spec.selector", "name the labels by which it finds its pods")
    template = problems.mapping(spec, "template", "spec.template", "describe the pods to keep running")
    if template is None:
        return
    metadata = problems.mapping(
        template, "metadata", "spec.template.metadata", "give the pods the labels of spec.selector in it"
    )
    if metadata is not None:
        problems.strings(metadata, "labels", "spec.template.metadata.labels", "repeat the labels of spec.selector")
        _check_selector(spec.get("selector"), metadata.get("labels"), problems)
    pod = problems.mapping(template, "spec", "spec.template.spec", "describe the pods' containers in it")
    if pod is not None:
        _check_containers(pod, "spec.template.spec.containers", problems)


def _check_selector(selector: Any, labels: Any, problems: _Problems) -> None:
    if not isinstance(selector, dict) or not isinstance(labels, dict) or not labels:
        return
    for name, value in selector.items():
        if labels.get(name) != value:
            problems.add(
                "spec.selector",
                f"asks for {name}={value}, which spec.template.metadata.labels does not have: add that label there",
            )


_CHECKS: dict[Kind, Callable[[Manifest, _Problems], None]] = {
    "Pod": _check_pod,
    "Service": _check_service,
    "ReplicationController": _check_rc,
}
