"""Who makes a request: keystonemiddleware for people and services, a bootstrap token for a node, nobody for discovery.

The identity goes on in the WSGI environment under names that no HTTP header can set. Which routes take what is said
in the table of routes alone; a bootstrap token anywhere else is as good as none.
"""

from collections.abc import Callable, Iterable
from typing import Any

from keystonemiddleware import auth_token

from magnum.api.call import BOOTSTRAP, CONTEXT
from magnum.api.errors import MethodNotAllowed, StartResponse, Unauthorized, WSGIApplication
from magnum.api.routes import Access, RouteTable, all_routes, decoded_path
from magnum.certificates.bootstrap import HEADER, BootstrapTokens, TokenRefused
from magnum.common.context import RequestContext
from magnum.common.exception import NotFound
from magnum.conf import CONF

_HEADER_KEY = "HTTP_" + HEADER.upper().replace("-", "_")


class Authentication:
    """WSGI middleware that lets pass who shows what the route asks for."""

    def __init__(self, application: WSGIApplication, tokens: BootstrapTokens) -> None:
        self._application = application
        self._tokens = tokens
        self._table = RouteTable(all_routes())
        self._keystone = auth_token.AuthProtocol(self._with_context, {"oslo_config_config": CONF})

    @classmethod
    def factory(cls, _global_conf: dict[str, str], **_local: str) -> Callable[[WSGIApplication], "Authentication"]:
        """For paste.deploy."""
        return lambda application: cls(application, BootstrapTokens(CONF))

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        for name in (CONTEXT, BOOTSTRAP):
            environ.pop(name, None)
        access = self._access(environ)
        if access is Access.ANYBODY:
            return self._application(environ, start_response)
        if access is Access.NODE and _HEADER_KEY in environ:
            environ[BOOTSTRAP] = self._identity(environ[_HEADER_KEY])
            return self._application(environ, start_response)
        answer: Iterable[bytes] = self._keystone(environ, start_response)
        return answer

    def _access(self, environ: dict[str, Any]) -> Access:
        try:
            return self._table.find(environ["REQUEST_METHOD"], decoded_path(environ))[0].access
        except (NotFound, MethodNotAllowed):
            return Access.TENANT  # what there is is nobody's business without a token

    def _identity(self, token: str) -> Any:
        try:
            return self._tokens.verify(token)
        except TokenRefused as error:
            raise Unauthorized(str(error)) from error

    def _with_context(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        environ[CONTEXT] = RequestContext.from_environ(environ)
        return self._application(environ, start_response)
