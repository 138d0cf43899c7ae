"""Who asks: the identity every query and every policy check is made for."""

from typing import Any

from oslo_context import context


class RequestContext(context.RequestContext):
    """oslo's context, with the one addition that a service may look at every project's rows."""

    def __init__(self, *, all_projects: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.all_projects = all_projects

    def to_message(self) -> dict[str, Any]:
        """What travels on the message bus: identities, never a token."""
        return {
            "project_id": self.project_id,
            "user_id": self.user_id,
            "roles": list(self.roles or []),
            "request_id": self.request_id,
            "all_projects": self.all_projects,
        }

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> "RequestContext":
        """The context of a message; keys of a newer sender are left alone."""
        known = {"project_id", "user_id", "roles", "request_id", "all_projects"}
        return cls(overwrite=False, **{key: value for key, value in message.items() if key in known})


def service_context(request_id: str | None = None) -> RequestContext:
    """The context of work no tenant asked for, such as the sweep."""
    return RequestContext(all_projects=True, request_id=request_id, overwrite=False)
