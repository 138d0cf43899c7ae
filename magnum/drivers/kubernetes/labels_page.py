"""The labels of Kubernetes bays as a page for people, written from the schema that checks them.

``python -m magnum.drivers.kubernetes.labels_page > docs/labels.md`` writes the page anew.
"""

from magnum.drivers.kubernetes.labels import SCHEMA
from magnum.drivers.labels import Label

_INTRODUCTION = """\
# Labels of Kubernetes bays

Written from the schema in `magnum/drivers/kubernetes/labels.py` by `python -m magnum.drivers.kubernetes.labels_page`;
change that, not this page.

A label of a baymodel (`magnum baymodel-create --labels kube_tag=v1.34.2,flannel_backend=host-gw`) holds for the bays
that are made of it. One that is not given has the default below, or the operator's (`[kubernetes] default_labels`). One
that is not listed here, or has a value of another kind, is refused when the baymodel is made.

| label | takes | default | what it is |
|---|---|---|---|
"""


def page() -> str:
    """All of it, in Markdown."""
    rows = (f"| `{label.name}` | {_takes(label)} | `{label.default}` | {label.help} |\n" for label in SCHEMA)
    return _INTRODUCTION + "".join(rows)


def _takes(label: Label) -> str:
    match label.type:
        case "string":
            return label.expects
        case "integer":
            return f"{label.minimum} to {label.maximum}"
        case "cidr":
            return f"an IPv4 network, /{label.minimum} to /{label.maximum}"
        case "choice":
            return " or ".join(f"`{choice}`" for choice in label.choices)
        case "boolean":
            return "true or false"
        case "url":
            return "an http or https URL"
        case _:
            return f"a {label.type}"


if __name__ == "__main__":
    print(page(), end="")
