"""What the API asks of a conductor over the message bus; `magnum.common.rpc.ConductorClient` is the other end."""

from contextlib import AbstractContextManager
from typing import Any

from magnum.coe.workloads import WorkloadKind
from magnum.common.bus import messaging
from magnum.common.context import RequestContext
from magnum.common.exception import MagnumError
from magnum.common.limits import CallLimits
from magnum.common.rpc import NAMESPACE_VERSION
from magnum.conductor.containers import Containers
from magnum.conductor.sweep import Sweep
from magnum.conductor.workloads import Workloads


class ConductorEndpoint:
    """The methods, by their names on the wire.

    :param threads: that serve them
    """

    target = messaging.Target(version=NAMESPACE_VERSION)

    def __init__(self, sweep: Sweep, workloads: Workloads, containers: Containers, threads: int) -> None:
        self._sweep = sweep
        self._workloads = workloads
        self._containers = containers
        # What waits for a bay that hangs holds a thread: of all those one project gets half, as it does of an API's.
        self._limits = CallLimits(max(1, threads // 2), queue=threads // 8, what="Project")

    def _share(self, context: RequestContext) -> AbstractContextManager[None]:
        return self._limits.place(context.project_id or "")

    @messaging.expose
    def operation_queued(self, context: RequestContext, bay_uuid: str) -> None:  # noqa: ARG002
        self._sweep.wake()

    @messaging.expose
    @messaging.expected_exceptions(MagnumError)
    def workload_create(
        self, context: RequestContext, kind: WorkloadKind, bay_uuid: str, manifest: dict[str, Any]
    ) -> str:
        with self._share(context):
            return self._workloads.create(context, kind, bay_uuid, manifest)

    @messaging.expose
    @messaging.expected_exceptions(MagnumError)
    def workload_update(self, context: RequestContext, kind: WorkloadKind, uuid: str, manifest: dict[str, Any]) -> None:
        with self._share(context):
            self._workloads.update(context, kind, uuid, manifest)

    @messaging.expose
    @messaging.expected_exceptions(MagnumError)
    def workload_delete(self, context: RequestContext, kind: WorkloadKind, uuid: str) -> None:
        with self._share(context):
            self._workloads.delete(context, kind, uuid)

    @messaging.expose
    @messaging.expected_exceptions(MagnumError)
    def workload_refresh(self, context: RequestContext, kind: str, bay_uuids: list[str]) -> None:
        with self._share(context):
            self._workloads.refresh(context, kind, bay_uuids)

    @messaging.expose
    @messaging.expected_exceptions(MagnumError)
    def container_create(self, context: RequestContext, values: dict[str, Any]) -> str:
        with self._share(context):
            return self._containers.create(context, values)

    @messaging.expose
    @messaging.expected_exceptions(MagnumError)
    def container_delete(self, context: RequestContext, uuid: str) -> None:
        with self._share(context):
            self._containers.delete(context, uuid)

    @messaging.expose
    @messaging.expected_exceptions(MagnumError)
    def container_refresh(self, context: RequestContext, bay_uuids: list[str]) -> None:
        with self._share(context):
            self._containers.refresh(context, bay_uuids)

    @messaging.expose
    @messaging.expected_exceptions(MagnumError)
    def container_act(self, context: RequestContext, uuid: str, action: str) -> None:
        with self._share(context):
            self._containers.act(context, uuid, action)

    @messaging.expose
    @messaging.expected_exceptions(MagnumError)
    def container_logs(self, context: RequestContext, uuid: str) -> str:
        with self._share(context):
            return self._containers.logs(context, uuid)

    @messaging.expose
    @messaging.expected_exceptions(MagnumError)
    def container_execute(self, context: RequestContext, uuid: str, command: str) -> str:
        with self._share(context):
            return self._containers.execute(context, uuid, command)
