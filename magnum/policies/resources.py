"""Rules of the resources: one for each of their verbs."""

from oslo_policy import policy

from magnum.policies.base import ADMIN, READ, READER, WRITE

_VERBS = {
    "get": ("GET", "/v1/{plural}/{{ident}}", READ, "Show a {noun}."),
    "get_all": ("GET", "/v1/{plural}", READ, "List {plural}."),
    "detail": ("GET", "/v1/{plural}/detail", READ, "List {plural} with all their fields."),
    "create": ("POST", "/v1/{plural}", WRITE, "Create a {noun}."),
    "update": ("PATCH", "/v1/{plural}/{{ident}}", WRITE, "Change a {noun}."),
    "delete": ("DELETE", "/v1/{plural}/{{ident}}", WRITE, "Delete a {noun}."),
}
_NOUNS = ("baymodel", "bay", "node", "pod", "service", "rc", "container")
_ACTIONS = {
    "start": ("PUT", WRITE, "Start a container."),
    "stop": ("PUT", WRITE, "Stop a container."),
    "reboot": ("PUT", WRITE, "Stop a container and start it again."),
    "pause": ("PUT", WRITE, "Freeze what runs in a container."),
    "unpause": ("PUT", WRITE, "Let a paused container go on."),
    "logs": ("GET", READ, "See what a container has written."),
    "execute": ("PUT", WRITE, "Run a command in a container."),
}
_SHARED = {"baymodel:get": f"{READ} or ({READER} and True:%(public)s)"}


def _rule(name: str, check: str, description: str, method: str, path: str) -> policy.DocumentedRuleDefault:
    return policy.DocumentedRuleDefault(name, check, description, [{"method": method, "path": path}])


def _resource_rules(noun: str) -> list[policy.RuleDefault]:
    words = {"noun": noun, "plural": f"{noun}s"}
    return [
        _rule(
            f"{noun}:{verb}",
            _SHARED.get(f"{noun}:{verb}", check),
            description.format(**words),
            method,
            path.format(**words),
        )
        for verb, (method, path, check, description) in _VERBS.items()
    ]


RULES = [
    *(rule for noun in _NOUNS for rule in _resource_rules(noun)),
    *(
        _rule(f"container:{action}", check, description, method, f"/v1/containers/{{ident}}/{action}")
        for action, (method, check, description) in _ACTIONS.items()
    ),
    _rule("magnum-service:get_all", ADMIN, "List the conductors.", "GET", "/v1/mservices"),
    _rule("baymodel:publish", ADMIN, "Let every project use a baymodel.", "POST", "/v1/baymodels"),
    _rule("certificate:get", READ, "Show the certificate of a bay's CA.", "GET", "/v1/certificates/{bay}"),
    _rule("certificate:create", WRITE, "Have a bay's CA sign a request.", "POST", "/v1/certificates"),
]
