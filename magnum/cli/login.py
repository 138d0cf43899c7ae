"""Login at Keystone and the place of Magnum in its catalog."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from keystoneauth1 import exceptions
from keystoneauth1.identity import generic, v3
from keystoneauth1.plugin import BaseAuthPlugin
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token
from requests.adapters import HTTPAdapter

from magnum.cli.errors import CliError, NotReachedError
from magnum.cli.text import clean_line

CONNECT_SECONDS = 10.0
READ_SECONDS = 90.0
"""An answer may take as long as Heat takes to accept a stack; a connection may not."""

SERVICE_TYPES = ("container-infra", "container")

_SCOPE = ("project_id", "project_name", "project_domain_id", "project_domain_name")
_USER = ("user_id", "username", "user_domain_id", "user_domain_name")


class _Adapter(HTTPAdapter):
    """Gives every request, also those of keystoneauth itself, both timeouts."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs["timeout"] = (CONNECT_SECONDS, READ_SECONDS)
        return super().send(request, *args, **kwargs)


class Cloud:
    """A session with one cloud. Nothing is sent before the first request.

    :param settings: as :func:`magnum.cli.settings.gather` finds them
    :param service_type: type in the catalog, where it is not one of the usual
    :param http: what carries the requests, for tests
    :param timed: keep the time each request takes
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        service_type: str | None = None,
        http: requests.Session | None = None,
        *,
        timed: bool = False,
    ) -> None:
        for name in ("auth_url", "endpoint_override"):
            if name in settings and not _is_url(str(settings[name])):
                raise NotReachedError(
                    f"{name} is {settings[name]!r}, which is no URL: it begins with http:// or https:// and a host."
                )
        self._settings = settings
        self._service_types = (service_type,) if service_type else SERVICE_TYPES
        self._session = Session(
            auth=_plugin(settings),
            session=http or _http(),
            verify=_verify(settings),
            user_agent="magnum-cli",
            collect_timing=timed,
        )
        self._url: str | None = None

    def timings(self) -> list[tuple[str, float]]:
        """Each request and the seconds it took."""
        timings = self._session.get_timings()
        return [(f"{timing.method} {timing.url}", timing.elapsed.total_seconds()) for timing in timings]

    def request(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        """Send a request to Magnum; the answer is returned whatever its status.

        :raises NotReachedError: no login, no endpoint or no connection
        """
        try:
            url = self._endpoint() + path
            response: requests.Response = self._session.request(url, method, raise_exc=False, redirect=False, **kwargs)
        except exceptions.ClientException as error:
            explained = self._explained(error)
            if method != "GET" and isinstance(error, exceptions.ConnectTimeout):
                explained = NotReachedError(
                    f"{explained} It may have been done all the same: look before you repeat it."
                )
            raise explained from None
        return response

    def _endpoint(self) -> str:
        if self._url is None:
            url = self._settings.get("endpoint_override") or self._from_catalog()
            url = url.rstrip("/")
            self._url = url if url.endswith("/v1") else f"{url}/v1"
        return self._url

    def _from_catalog(self) -> str:
        catalog = self._session.auth.get_access(self._session).service_catalog
        where = {
            "interface": self._settings.get("interface", "public"),
            "region_name": self._settings.get("region_name"),
        }
        for service_type in self._service_types:
            for url in catalog.get_urls(service_type=service_type, **where):
                return str(url)
        kind = " or ".join(self._service_types)
        place = f"interface {where['interface']}" + (f", region {where['region_name']}" if where["region_name"] else "")
        raise NotReachedError(
            f"Keystone's catalog names no endpoint of type {kind} ({place}). "
            "Ask the operator whether Magnum is registered, or name it with --os-endpoint-override."
        )

    def _explained(self, error: exceptions.ClientException) -> CliError:
        keystone = self._settings.get("auth_url", "Keystone")
        if _auth_type(self._settings) == "token" and _is_keystones_refusal(error):
            return NotReachedError(
                f"Keystone at {keystone} does not accept the token: it may have expired, or not be for this project. "
                "Get a new one (OS_TOKEN), or log in with a password."
            )
        if isinstance(error, exceptions.Unauthorized):
            return NotReachedError(
                f"Keystone at {keystone} refused the login. Check user, password, project and their domains "
                "(OS_USERNAME, OS_PASSWORD, OS_PROJECT_NAME, OS_USER_DOMAIN_NAME, OS_PROJECT_DOMAIN_NAME)."
            )
        if isinstance(error, exceptions.SSLError):
            return NotReachedError(f"{clean_line(str(error))}. Check the URL, or trust its authority with --os-cacert.")
        if isinstance(error, exceptions.ConnectTimeout):
            return NotReachedError(f"{clean_line(str(error))}. Check the URL and whether the service is up.")
        if isinstance(error, exceptions.ConnectFailure | exceptions.UnknownConnectionError):
            return NotReachedError(f"{_connection_sentence(error)} Check the URL and whether the service is up.")
        if isinstance(error, exceptions.DiscoveryFailure | exceptions.NotFound):
            return NotReachedError(f"{keystone} does not answer as Keystone does. Check OS_AUTH_URL; it ends in /v3.")
        return NotReachedError(f"Keystone at {keystone}: {clean_line(str(error))}")


def _is_keystones_refusal(error: exceptions.ClientException) -> bool:
    """Whether it is Keystone that says no: to a token it does not know with 401 or 404."""
    if not isinstance(error, exceptions.Unauthorized | exceptions.NotFound) or error.response is None:
        return False
    try:
        body = error.response.json()
    except ValueError:
        return False
    return isinstance(body, dict) and "error" in body


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _connection_sentence(error: Exception) -> str:
    """What is left of keystoneauth's message without the nested reprs of three libraries."""
    head = str(error).split(": ", 1)[0]
    reasons = ("Connection refused", "Name or service not known", "Network is unreachable", "No route to host")
    reason = next((text for text in reasons if text in str(error)), None)
    return f"{clean_line(head)}: {reason}." if reason else f"{clean_line(head)}."


def _http() -> requests.Session:
    http = requests.Session()
    http.mount("http://", _Adapter())
    http.mount("https://", _Adapter())
    return http


def _verify(settings: Mapping[str, Any]) -> bool | str:
    if str(settings.get("verify", True)).lower() in ("false", "no", "0"):
        return False
    return str(settings.get("cacert") or True) if settings.get("cacert") else True


def _auth_type(settings: Mapping[str, Any]) -> str:
    if "auth_type" in settings:
        return str(settings["auth_type"]).removeprefix("v3")
    if "application_credential_id" in settings:
        return "applicationcredential"
    return "token" if "token" in settings and "password" not in settings else "password"


def _plugin(settings: Mapping[str, Any]) -> BaseAuthPlugin:
    kind = _auth_type(settings)
    if kind == "token" and "endpoint_override" in settings and "auth_url" not in settings:
        return Token(settings["endpoint_override"], settings.get("token"))
    make = {"password": _password, "token": _token, "applicationcredential": _application_credential}.get(kind)
    if make is None:
        raise NotReachedError(
            f"Login of type '{kind}' is not supported; use password, token or v3applicationcredential."
        )
    return make(settings)


def _password(settings: Mapping[str, Any]) -> BaseAuthPlugin:
    _need(settings, "auth_url", ("username", "user_id"), "password", ("project_name", "project_id"))
    given = _with_default_domain(_with_default_domain(_only(settings, *_USER, *_SCOPE, "password"), "user"), "project")
    return _generation(settings).Password(settings["auth_url"], **given)


def _token(settings: Mapping[str, Any]) -> BaseAuthPlugin:
    _need(settings, "auth_url", "token", ("project_name", "project_id"))
    given = _with_default_domain(_only(settings, *_SCOPE, "token"), "project")
    return _generation(settings).Token(settings["auth_url"], **given)


def _application_credential(settings: Mapping[str, Any]) -> BaseAuthPlugin:
    _need(settings, "auth_url", "application_credential_id", "application_credential_secret")
    given = _only(settings, "application_credential_id", "application_credential_secret")
    return v3.ApplicationCredential(settings["auth_url"], **given)


def _generation(settings: Mapping[str, Any]) -> Any:
    """The plugins to take: where the URL says v3, asking Keystone for its versions is a request too many."""
    return v3 if urlsplit(settings["auth_url"]).path.rstrip("/").endswith("/v3") else generic


def _only(settings: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: settings[key] for key in keys if key in settings}


def _with_default_domain(given: dict[str, Any], what: str) -> dict[str, Any]:
    """A name needs a domain; who names none means the one every Keystone begins with."""
    name = "username" if what == "user" else "project_name"
    if name in given and not {f"{what}_domain_id", f"{what}_domain_name"} & given.keys():
        given[f"{what}_domain_id"] = "default"
    return given


def _need(settings: Mapping[str, Any], *needed: str | tuple[str, ...]) -> None:
    groups = [(item,) if isinstance(item, str) else item for item in needed]
    missing = [group[0] for group in groups if not any(key in settings for key in group)]
    if missing:
        named = ", ".join(f"{key} (--os-{key.replace('_', '-')} or OS_{key.upper()})" for key in missing)
        raise NotReachedError(f"For a login is missing: {named}. Source an openrc file or use --os-cloud.")
