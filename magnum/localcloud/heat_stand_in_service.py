"""The Heat that only plays, as a service of a local cloud (`--heat stand-in`): bays without servers."""

import sys
from dataclasses import dataclass
from pathlib import Path

from magnum.localcloud import health, heat_service, processes
from magnum.localcloud.files import digest_of_sources
from magnum.localcloud.paths import CloudPaths, Ports
from magnum.localcloud.processes import Service

_SOURCES = Path(__file__).parent / "heat_stand_in"


@dataclass(frozen=True)
class HeatStandIn:
    paths: CloudPaths
    ports: Ports
    address: str
    keystone_url: str

    @property
    def endpoint(self) -> str:
        """The URL of the catalog, Keystone fills in the project."""
        return f"{self._base}/v1/%(tenant_id)s"

    @property
    def _base(self) -> str:
        return f"http://{self.address}:{self.ports.heat}"

    def start(self) -> bool:
        return processes.ensure(
            Service(
                name=heat_service.NAME,
                argv=(
                    sys.executable,
                    "-m",
                    "magnum.localcloud.heat_stand_in",
                    f"--keystone={self.keystone_url}",
                    f"--address={self.address}",
                    f"--port={self.ports.heat}",
                    f"--control-port={self.ports.heat_control}",
                    f"--state={self.paths.root / 'heat' / 'stand-in.sqlite'}",
                ),
                log=self.paths.log(heat_service.NAME),
                pid_file=self.paths.pid_file(heat_service.NAME),
                healthy=lambda: health.answers_http(f"{self._base}/healthcheck"),
                fingerprint=digest_of_sources([_SOURCES]),
            )
        )
