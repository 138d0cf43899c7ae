"""The message bus between the API and the conductors.

Messages carry ids and plain values; the conductor reads the rows. Methods and their arguments are listed in
`ConductorClient`, which is the only place that knows their names on the wire.

While a cloud is upgraded, APIs and conductors of two versions speak to each other, so messages are only ever added to.
A new method, or an old one with a new argument, gets the next minor `NAMESPACE_VERSION`, and is sent under that very
version (``prepare(version=...)``); all else goes on under the version it came with, which older conductors take too.
One that is asked for what it does not know refuses, and nothing has happened.
"""

from typing import Any

from oslo_config import cfg

from magnum.common import exception, metrics
from magnum.common.bus import messaging
from magnum.common.bus_door import BUS_ERRORS, BusDoor
from magnum.common.context import RequestContext
from magnum.common.limits import CallLimits

NAMESPACE_VERSION = "1.0"
"""Up to which version a conductor of this code understands messages."""
_FIRST_VERSION = "1.0"
IN_MEMORY = "fake://"
"""URL of a bus within one process."""
_OPENING_SECONDS = 2.0
_PLACE_SECONDS = 1.0
"""So long a call waits for others of its project to end."""
_NOT_KNOWN = (messaging.UnsupportedVersion.__name__, messaging.NoSuchMethod.__name__)
_OLDER_CONDUCTOR = (
    "The conductor that was asked is of an older version and does not know this yet. Nothing was done; try again when "
    "the upgrade is finished."
)


class ContextSerializer(messaging.NoOpSerializer):
    """Sends a context without its token."""

    def serialize_context(self, context: RequestContext) -> dict[str, Any]:
        return context.to_message()

    def deserialize_context(self, context: dict[str, Any]) -> RequestContext:
        return RequestContext.from_message(context)


def transport(conf: cfg.ConfigOpts, url: str | None = None) -> Any:
    """A transport: that of the configuration (``transport_url``), unless another is named."""
    return messaging.get_rpc_transport(conf, url=url, allowed_remote_exmods=[exception.__name__])


def server(conf: cfg.ConfigOpts, bus: Any, endpoints: list[object]) -> Any:
    """A conductor's RPC server, not yet started."""
    target = messaging.Target(topic=conf.conductor.topic, server=conf.host)
    made = messaging.get_rpc_server(
        bus,
        target,
        endpoints,
        serializer=ContextSerializer(),
        access_policy=messaging.ExplicitRPCAccessPolicy,
    )
    conf.set_default("executor_thread_pool_size", conf.conductor.rpc_threads)
    return made


class ConductorClient:
    """What the API asks of a conductor.

    A call raises the `exception.MagnumError` the conductor raised, or `exception.Unavailable` where none answers.
    """

    def __init__(self, conf: cfg.ConfigOpts, bus: Any) -> None:
        target = messaging.Target(topic=conf.conductor.topic, version=_FIRST_VERSION)
        self._client = messaging.get_rpc_client(
            bus, target, timeout=conf.conductor.rpc_timeout, serializer=ContextSerializer(), retry=1
        )
        self._door = BusDoor(self._client, conf.conductor.topic)
        # Half of an API's threads for one project, and some to wait: its bays may hang, and the rest is for others.
        half = max(1, conf.api.threads // 2)
        self._limits = CallLimits(half, _PLACE_SECONDS, half // 2, "Project")

    def operation_queued(self, context: RequestContext, bay_uuid: str) -> None:
        """Tell some conductor that this bay has an operation waiting. A lost message costs a sweep interval only."""
        self._door.cast(context, "operation_queued", bay_uuid=bay_uuid)

    def workload_create(self, context: RequestContext, kind: str, bay_uuid: str, manifest: dict[str, Any]) -> str:
        """Create a pod, service or rc in a bay and store its row; answers the row's uuid."""
        return str(self._call(context, "workload_create", kind=kind, bay_uuid=bay_uuid, manifest=manifest))

    def workload_update(self, context: RequestContext, kind: str, uuid: str, manifest: dict[str, Any]) -> None:
        """Replace the manifest of a stored pod, service or rc."""
        self._call(context, "workload_update", kind=kind, uuid=uuid, manifest=manifest)

    def workload_delete(self, context: RequestContext, kind: str, uuid: str) -> None:
        """Delete a pod, service or rc from its bay and its row."""
        self._call(context, "workload_delete", kind=kind, uuid=uuid)

    def workload_refresh(self, context: RequestContext, kind: str, bay_uuids: list[str]) -> None:
        """Bring the rows of this kind (pod, service, rc, node) in these bays up to date with the bays' own APIs."""
        self._call(context, "workload_refresh", kind=kind, bay_uuids=bay_uuids)

    def container_create(self, context: RequestContext, values: dict[str, Any]) -> str:
        """Make a container in a bay, not started, and store its row of these columns; answers the row's uuid."""
        return str(self._call(context, "container_create", values=values))

    def container_delete(self, context: RequestContext, uuid: str) -> None:
        """Remove a container from its bay, and its row."""
        self._call(context, "container_delete", uuid=uuid)

    def container_refresh(self, context: RequestContext, bay_uuids: list[str]) -> None:
        """Bring the status of all containers in these bays up to date."""
        self._call(context, "container_refresh", bay_uuids=bay_uuids)

    def container_act(self, context: RequestContext, uuid: str, action: str) -> None:
        """Do this to a container: start, stop, reboot, pause or unpause."""
        self._call(context, "container_act", uuid=uuid, action=action)

    def container_logs(self, context: RequestContext, uuid: str) -> str:
        """What a container has written so far."""
        return str(self._call(context, "container_logs", uuid=uuid))

    def container_execute(self, context: RequestContext, uuid: str, command: str) -> str:
        """Run a command in a container; answers what it wrote."""
        return str(self._call(context, "container_execute", uuid=uuid, command=command))

    def _call(self, context: RequestContext, method: str, **arguments: Any) -> Any:
        with metrics.timed(metrics.RPC_CALLS, method=method, result="ok") as labels:
            try:
                with self._limits.place(context.project_id or ""):
                    return self._call_conductor(context, method, **arguments)
            except exception.Unavailable:
                labels["result"] = "unavailable"
                raise
            except Exception:
                labels["result"] = "refused"
                raise

    def _call_conductor(self, context: RequestContext, method: str, **arguments: Any) -> Any:
        if not self._door.wait_open(_OPENING_SECONDS):
            raise exception.Unavailable("The message bus cannot be reached. Nothing was done; try again later.")
        try:
            return self._client.call(context, method, **arguments)
        except (messaging.UnsupportedVersion, messaging.NoSuchMethod) as error:
            raise exception.Unavailable(_OLDER_CONDUCTOR) from error
        except messaging.RemoteError as error:
            if error.exc_type in _NOT_KNOWN:
                raise exception.Unavailable(_OLDER_CONDUCTOR) from error
            raise  # not the bus: an error of the conductor that it did not expect either
        except BUS_ERRORS as error:
            raise exception.Unavailable(
                "No conductor answered. The request was not carried out as far as this API knows; try again, and "
                "look at the object first if it was to change something."
            ) from error
