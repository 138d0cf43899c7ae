"""What every client is run against: one bay of one node, and a baymodel of which no bay can be made."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.compat import environments
from tests.compat.clients import CommandLine, Library
from tests.integration.cloud import EXAMPLES, Cloud, eventually, write_baymodel

BAY = "compat"
NEWEST = environments.COMMAND_LINES[-1]
DOOMED = "doomed"


@pytest.fixture(scope="session")
def clouds_yaml(cloud: Cloud) -> Path:
    return cloud.state / "clouds.yaml"


@pytest.fixture(scope="session")
def command_lines(clouds_yaml: Path) -> Callable[[str], CommandLine]:
    """The command line of a release; the same one for all who ask."""
    made: dict[str, CommandLine] = {}
    return lambda release: made.setdefault(release, CommandLine(release, clouds_yaml))


@pytest.fixture(scope="session")
def libraries(clouds_yaml: Path) -> Iterator[Callable[[str], Library]]:
    """The library of a release; the same one for all who ask."""
    made: dict[str, Library] = {}

    def library(release: str) -> Library:
        if release not in made:
            made[release] = Library(release, clouds_yaml)
        return made[release]

    yield library
    for one in made.values():
        one.close()


@pytest.fixture(scope="session")
def baymodel(cloud: Cloud) -> str:
    """The name of a baymodel that bays can be made of."""
    write_baymodel(cloud, BAY)
    return BAY


@pytest.fixture(scope="session")
def doomed(cloud: Cloud) -> str:
    """The name of a baymodel whose image the cloud does not have: its bays are there, cheap, and fail."""
    write_baymodel(cloud, DOOMED, **{"image-id": "no-such-image"})
    return DOOMED


@pytest.fixture(scope="session")
def made_bay(cloud: Cloud, baymodel: str, command_lines: Callable[[str], CommandLine]) -> str:
    """The uuid of a real bay, which the newest of the command lines made with as few options as it takes."""
    magnum = command_lines(NEWEST)
    bay = magnum("bay-create", "--name", BAY, "--baymodel", baymodel).properties
    assert bay["status"] == "CREATE_IN_PROGRESS"
    uuid = bay["uuid"]
    settled(cloud, uuid)
    assert magnum("bay-show", BAY).properties["status"] == "CREATE_COMPLETE"
    return uuid


def settled(cloud: Cloud, bay_uuid: str) -> None:
    """Wait until nothing is under way in a bay."""
    eventually(
        lambda: "IN_PROGRESS" not in cloud.shown(f"/bays/{bay_uuid}")["status"], "the bay is at rest", seconds=300
    )


@pytest.fixture
def bay(cloud: Cloud, made_bay: str) -> str:
    """The name of that bay, at rest."""
    settled(cloud, made_bay)
    return BAY


@dataclass(frozen=True)
class Manifests:
    """Manifests of one's own, before and after a change, as files."""

    folder: Path
    tag: str

    def pod(self, **labels: str) -> tuple[str, Path]:
        """A pod's name and its manifest, with these labels."""
        manifest = self._example("pod", "pod")
        manifest["metadata"]["labels"] = labels
        return self._written(manifest)

    def rc(self, replicas: int) -> tuple[str, Path]:
        """A replication controller's name and its manifest."""
        manifest = self._example("rc", "rc")
        manifest["spec"]["replicas"] = replicas
        manifest["spec"]["selector"] = {"app": self.tag}
        manifest["spec"]["template"]["metadata"]["labels"] = {"app": self.tag}
        return self._written(manifest)

    def service(self, port: int) -> tuple[str, Path]:
        """A service's name and its manifest."""
        manifest = self._example("service", "service")
        manifest["spec"] = {"selector": {"app": self.tag}, "ports": [{"port": port, "targetPort": 80}]}
        return self._written(manifest)

    def _example(self, kind: str, prefix: str) -> dict[str, Any]:
        manifest: dict[str, Any] = yaml.safe_load((EXAMPLES / f"{kind}.yaml").read_text())
        manifest["metadata"]["name"] = f"{prefix}-{self.tag}"
        return manifest

    def _written(self, manifest: dict[str, Any]) -> tuple[str, Path]:
        name = manifest["metadata"]["name"]
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(manifest))
        return name, path


@pytest.fixture
def manifests(tmp_path: Path, request: pytest.FixtureRequest) -> Manifests:
    """Manifests whose names no other test has."""
    return Manifests(tmp_path, "".join(letter for letter in request.node.name.lower() if letter.isalnum())[-40:])


def signing_request(name: str) -> tuple[ec.EllipticCurvePrivateKey, str]:
    """A new key and a request, as PEM, to sign a certificate of it for somebody."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return key, request.public_bytes(serialization.Encoding.PEM).decode()
