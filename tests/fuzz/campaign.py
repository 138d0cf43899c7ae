"""Runs Schemathesis over the application: all its checks, in all its phases, with one seed.

Requests are made of the OpenAPI document alone: right ones and wrong ones, one by one and in chains. Each answer must
be in the document, right requests must be taken and wrong ones refused. One thing the document cannot say: what a
right request *means* can still be wrong, such as a bay that is not there. `MEANING` lists those sentences; a refusal
that says anything else of a right request is a failure.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from tempfile import NamedTemporaryFile
from typing import Any

import schemathesis
from schemathesis import hooks
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.core.transport import Response
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.generation.case import Case
from schemathesis.openapi.checks import ObjectLevelAuthorizationViolation, RejectedPositiveData
from schemathesis.transport.wsgi import WSGITransport

from magnum.api.versions import HEADER, SERVICE, Version

PHASES = ("examples", "coverage", "fuzzing", "stateful")
EXAMPLES = {("BayModelInput", "volume_driver"): None}
"""Values that are right here, for fields where anything else in their schema is refused for its meaning."""
MEANING = [
    re.compile(pattern, re.DOTALL)
    for pattern in (
        # What it names is not there, or not so.
        r"^(baymodel_id: BayModel|(bay_uuid|cluster_uuid): Bay) .* could not be found\. Name a ",
        r"^Bay(model)? .* is referenced by one or multiple bays\.$",
        r"^Cannot fulfill request with a (kubernetes|swarm) bay, expecting a ",
        r"^Couldn't apply patch: there is no /(labels|environment)/",
        r"^Couldn't apply patch: .* names a part of (labels|environment), which has no parts\.$",
        # It does not fit the rest of the object.
        r"^Bays of coe .* are not offered; there is ",
        r"^A Kubernetes bay needs a flavor: ",
        r"^There is no label .*; known labels are ",
        r"^(Label )?[a-z_]+ (cannot|must) be ",
        r"^image and image_id are two names of one thing, but ",
        r"^Only /manifest and /manifest_url can be changed: replace one of them\.$",
        r"^cannot change bay property\(ies\) .*\. Only node_count can be changed\.$",
        r"^A \w+ cannot move to another bay: /bay_uuid can not be changed\.$",
        # It has the form of a text in some language, but is none.
        r"^Invalid input for field/attribute (labels|environment)\. Value: ['\"][ \\trn]*{.* Value should be an object",
        r"^Invalid input for field/attribute (labels|environment)\. Value: ['\"][ \\trn]*{.* Each of its values should",
        r"^Invalid input for field/attribute ssh_authorized_key\. .* Value should be (a whole|one public) key ",
        r"^Invalid input for field/attribute discovery_url\. .* Value should be a URL that names a host\.$",
        r"^csr is not a certificate signing request in PEM that can be read\.$",
        r"^'manifest' can't be empty",
        r"^manifest(_url)?(:| is| must| names| cannot| can't| leads) ",
        # It is text, but none that a database takes; JSON Schema has no plain way to say so.
        r"^The (request|path of the request) holds a (NUL )?character",
    )
]
_SHOWN = 5
_LONGEST = 1500


@dataclass
class Person:
    """Somebody who sends requests, as Schemathesis has it written down."""

    name: str
    fixedHeaders: list[dict[str, str]]  # noqa: N815


@dataclass
class Finding:
    """An answer that should have been another."""

    check: str
    said: str
    request: str
    answer: str

    def __str__(self) -> str:
        return f"{self.check}: {self.said}\n  {self.request}\n  -> {self.answer}"


@dataclass
class Campaign:
    """What was sent, and what was wrong with the answers."""

    cases: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def add(self, other: "Campaign") -> None:
        """Take over what another found."""
        self.cases += other.cases
        self.statuses += other.statuses
        self.findings += other.findings

    def answered(self) -> str:
        """How often there was which status."""
        return ", ".join(f"{status}: {count}" for status, count in sorted(self.statuses.items()))

    def report(self) -> str:
        """The findings, the first few of each kind."""
        seen: Counter[str] = Counter(finding.check for finding in self.findings)
        shown = [finding for check in seen for finding in self._of(check)[:_SHOWN]]
        counts = ", ".join(f"{check}: {count}" for check, count in seen.items())
        return "\n\n".join(
            [f"{len(self.findings)} wrong answers to {self.cases} requests ({counts})", *map(str, shown)]
        )

    def _of(self, check: str) -> list[Finding]:
        return [finding for finding in self.findings if finding.check == check]


def run(
    application: Any,
    people: Sequence[Person],
    version: Version,
    seed: int,
    examples: int,
    phases: Sequence[str],
    prepare: Callable[[Case[Any]], None],
) -> Campaign:
    """Send what Schemathesis makes of the document of a version.

    :param people: who sends it, then others, who must not see what the first makes
    :param examples: how many requests of each kind are tried for each operation
    :param prepare: gets each request before it is sent
    """
    header = {HEADER: f"{SERVICE} {version}"}
    with NamedTemporaryFile("w", suffix=".json") as identities:
        json.dump({"auth": [asdict(person) for person in people]}, identities)
        identities.flush()
        names = [person.name for person in people]
        config = SchemathesisConfig.from_dict(
            {
                "seed": seed,
                "headers": header,
                "continue-on-failure": True,
                "auth": {"wfc": {"path": identities.name, "user": names[0], "peers": names}},
                "generation": {"max-examples": examples, "database": "none"},
                "phases": {phase: {"enabled": phase in phases} for phase in PHASES},
            }
        )
        schema = schemathesis.openapi.from_wsgi("/v1/openapi.json", application, config=config, headers=header)
        for where, example in EXAMPLES.items():
            schema.raw_schema["components"]["schemas"][where[0]]["properties"][where[1]]["examples"] = [example]
        schema.hook(filter_failure)
        with _before_each(prepare):
            return _run(schema)


@contextmanager
def _before_each(prepare: Callable[[Case[Any]], None]) -> Iterator[None]:
    @schemathesis.hook
    def before_call(context: Any, case: Case[Any], kwargs: dict[str, Any]) -> None:
        prepare(case)

    yield
    hooks.unregister(before_call)


def _run(schema: Any) -> Campaign:
    campaign = Campaign()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            _note(campaign, event.recorder)
        elif isinstance(event, events.NonFatalError):
            campaign.findings.append(Finding("error", repr(event.value), event.label, ""))
        elif isinstance(event, events.FatalError):
            raise event.exception
    return campaign


def filter_failure(_context: Any, failure: Failure, _case: Case[Any], response: Response) -> bool:
    """Whether a failure is one: a right request may be refused for what it means, and what is public may be seen."""
    if isinstance(failure, RejectedPositiveData):
        return response.status_code != 400 or not _is_meaning(response)
    if isinstance(failure, ObjectLevelAuthorizationViolation):
        return json.loads(response.content).get("public") is not True
    return True


def _is_meaning(response: Response) -> bool:
    sentences = [error["detail"] for error in json.loads(response.content)["errors"]]
    return all(any(pattern.search(sentence) for pattern in MEANING) for sentence in sentences)


def _note(campaign: Campaign, recorder: ScenarioRecorder) -> None:
    campaign.cases += len(recorder.interactions)
    campaign.statuses.update(
        interaction.response.status_code for interaction in recorder.interactions.values() if interaction.response
    )
    campaign.findings.extend(_findings(recorder))


def _findings(recorder: ScenarioRecorder) -> Iterator[Finding]:
    for case_id, checks in recorder.checks.items():
        for check in checks:
            if check.failure_info is None:
                continue
            interaction = recorder.interactions[case_id]
            response = interaction.response
            answer = f"{response.status_code} {response.content.decode(errors='replace')}" if response else "nothing"
            yield Finding(
                check.name,
                check.failure_info.failure.message,
                recorder.cases[case_id].value.as_curl_command()[:_LONGEST],
                answer[:_LONGEST],
            )


def _without_sockets() -> None:
    """Keep Schemathesis from giving a WSGI application the options of a socket, as it does for its probes."""
    send = WSGITransport.send

    def sent(self: WSGITransport, case: Case[Any], **options: Any) -> Response:
        for name in ("max_redirects", "verify", "cert", "proxies"):
            options.pop(name, None)
        return send(self, case, **options)

    WSGITransport.send = sent  # type: ignore[method-assign]


_without_sockets()
