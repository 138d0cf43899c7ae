"""A RabbitMQ of our own, for running Magnum's API and conductor apart as in production (`--bus rabbit`).

Erlang's port mapper is started here too: left to itself, RabbitMQ would leave one running for the whole machine.
"""

from dataclasses import dataclass
from pathlib import Path

from magnum.localcloud import health, processes
from magnum.localcloud.files import Secrets, digest_of_text, write_private
from magnum.localcloud.paths import CloudPaths, Ports
from magnum.localcloud.processes import Service

PACKAGES = ("rabbitmq-server",)
NAME = "rabbitmq"
EPMD = "epmd"
_HOST = "127.0.0.1"
_USER = "magnum"
_PASSWORD = "rabbit_password"  # noqa: S105 - the name of a secret
# The script itself: Debian's wrapper on PATH would change to the user of the machine's own broker.
_SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"


@dataclass(frozen=True)
class Rabbit:
    paths: CloudPaths
    ports: Ports
    secrets: Secrets

    @property
    def transport_url(self) -> str:
        return f"rabbit://{_USER}:{self.secrets.get(_PASSWORD)}@{_HOST}:{self.ports.rabbit}/"

    @property
    def _root(self) -> Path:
        return self.paths.root / "rabbitmq"

    def start(self) -> bool:
        self._start_epmd()
        text = self._configuration_text()
        write_private(self._root / "rabbitmq.conf", text)
        write_private(self._root / "enabled_plugins", "[].\n")
        return processes.ensure(
            Service(
                name=NAME,
                argv=(_SERVER,),
                environment=self._environment(),
                log=self.paths.log(NAME),
                pid_file=self.paths.pid_file(NAME),
                healthy=lambda: health.accepts_tcp(_HOST, self.ports.rabbit),
                fingerprint=digest_of_text(text),
                start_seconds=120.0,
                stop_seconds=30.0,
            )
        )

    def _start_epmd(self) -> None:
        processes.ensure(
            Service(
                name=EPMD,
                argv=("epmd", "-port", str(self.ports.epmd), "-address", _HOST),
                log=self.paths.log(EPMD),
                pid_file=self.paths.pid_file(EPMD),
                healthy=lambda: health.accepts_tcp(_HOST, self.ports.epmd),
            )
        )

    def _environment(self) -> dict[str, str]:
        root = str(self._root)
        return {
            "HOME": root,  # Erlang keeps its cookie there
            "ERL_EPMD_PORT": str(self.ports.epmd),
            "ERL_EPMD_ADDRESS": _HOST,
            "RABBITMQ_NODENAME": f"magnum-local-{self.paths.name}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": _HOST,
            "RABBITMQ_NODE_PORT": str(self.ports.rabbit),
            "RABBITMQ_DIST_PORT": str(self.ports.rabbit_distribution),
            "RABBITMQ_CONFIG_FILE": f"{root}/rabbitmq",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{root}/enabled_plugins",
            "RABBITMQ_MNESIA_BASE": f"{root}/data",
            "RABBITMQ_LOG_BASE": f"{root}/log",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none",
        }

    def _configuration_text(self) -> str:
        return (
            f"default_user = {_USER}\n"
            f"default_pass = {self.secrets.get(_PASSWORD)}\n"
            "log.console = true\n"
            "log.file = false\n"
            "disk_free_limit.absolute = 200MB\n"
        )
