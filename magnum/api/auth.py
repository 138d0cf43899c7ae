"""Who makes a request: keystonemiddleware for people and services, a bootstrap token for a node, nobody for discovery.

The identity goes on in the WSGI environment under names that no HTTP header can set. Which routes take what is said
in the table of routes alone; a bootstrap token anywhere else is as good as none.
"""

from collections.abc import Callable, Iterable
from typing import Any

from keystoneauth1 import exceptions as ka
from keystonemiddleware import auth_token

from magnum.api.call import BOOTSTRAP, CONTEXT
from magnum.api.errors import MethodNotAllowed, StartResponse, Unauthorized, WSGIApplication
from magnum.api.routes import Access, RouteTable, all_routes, decoded_path
from magnum.certificates.bootstrap import HEADER, BootstrapTokens, TokenRefused
from magnum.common.context import RequestContext
from magnum.common.exception import NotFound, Unavailable
from magnum.common.limits import CallLimits
from magnum.conf import CONF

# By itself keystonemiddleware waits for ever, and a Keystone that says nothing would hold every thread of an API.
CONF.set_default("http_connect_timeout", 5, group="keystone_authtoken")
CONF.set_default("http_request_max_retries", 0, group="keystone_authtoken")

_HEADER_KEY = "HTTP_" + HEADER.upper().replace("-", "_")


class _Keystone(auth_token.AuthProtocol):
    """keystonemiddleware, where a Keystone that says nothing holds half of the threads and leaves the others.

    Tokens that are cached need none of it.
    """

    def _create_identity_server(self) -> Any:
        server = super()._create_identity_server()
        half = max(1, CONF.api.threads // 2)
        limits, verify = CallLimits(half, queue=half // 2, what="The"), server.verify_token

        def verify_token(*arguments: Any, **options: Any) -> Any:
            with limits.place("identity service"):
                return verify(*arguments, **options)

        server.verify_token = verify_token
        return server


class Authentication:
    """WSGI middleware that lets pass who shows what the route asks for."""

    def __init__(self, application: WSGIApplication, tokens: BootstrapTokens) -> None:
        self._application = application
        self._tokens = tokens
        self._table = RouteTable(all_routes())
        self._keystone = _Keystone(self._with_context, {"oslo_config_config": CONF})

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
        try:
            answer: Iterable[bytes] = self._keystone(environ, start_response)
        except ka.ConnectionError as error:  # one kind of many, and the one that keystonemiddleware lets through
            raise Unavailable("The identity service does not answer. Try again later.") from error
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
