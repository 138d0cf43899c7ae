"""The `magnum` command: global options, the verbs, exit codes."""

import logging
import os
import sys
from collections.abc import Sequence
from typing import Any

import requests
from cliff.app import App

from magnum.cli.client import Client
from magnum.cli.errors import CliError, Exit
from magnum.cli.login import Cloud
from magnum.cli.registry import Verbs
from magnum.cli.settings import add_options, api_version, gather
from magnum.cli.text import clean

DESCRIPTION = "Containers as a service for OpenStack clouds: baymodels, bays, and what runs in them."

EPILOG = """exit codes: 0 done · 1 the server refused it · 2 wrongly typed · 3 no login, or not reached ·
4 what it started ended in failure · 130 interrupted"""


class _CleanFormatter(logging.Formatter):
    """A message on standard error; it may quote the server."""

    def format(self, record: logging.LogRecord) -> str:
        text = clean(super().format(record))
        return f"ERROR: {text}" if record.levelno >= logging.ERROR else text


class Magnum(App):
    """The application.

    :param http: what carries the requests, for tests
    """

    NAME = "magnum"
    LOG = logging.getLogger("magnum")

    def __init__(self, http: requests.Session | None = None, **kwargs: Any) -> None:
        super().__init__(DESCRIPTION, _version(), Verbs(), deferred_help=True, **kwargs)
        self._http = http
        self._client: Client | None = None
        self._cloud: Cloud | None = None
        self.exit_code: int | None = None

    @property
    def client(self) -> Client:
        """The API of the cloud the user chose; the first request logs in."""
        if self._client is None:
            environ = {key: value for key, value in os.environ.items() if value}  # an empty variable is as good as none
            settings, version = gather(self.options, environ), api_version(self.options, environ)
            self._cloud = Cloud(settings, self.options.service_type, self._http, timed=self.options.timings)
            self._client = Client(self._cloud, version)
        return self._client

    def build_option_parser(self, description: str, version: str, argparse_kwargs: Any = None) -> Any:
        """Global options; an abbreviation of one could swallow an option of a verb."""
        kwargs = {"allow_abbrev": False, "prog": self.NAME, "epilog": EPILOG} | (argparse_kwargs or {})
        parser = super().build_option_parser(description, version, kwargs)
        add_options(parser)
        return parser

    def configure_logging(self) -> None:
        """What cliff does, and nothing unprintable on the way to the terminal; -v and --debug show the requests."""
        if self.options.debug:
            self.options.verbose_level = 2
        super().configure_logging()
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
                handler.setFormatter(_CleanFormatter(self.CONSOLE_MESSAGE_FORMAT))
        # what a library warns of, our own message of the failure says better
        level = logging.DEBUG if self.options.verbose_level > 1 else logging.ERROR
        for library in ("keystoneauth", "urllib3", "stevedore"):
            logging.getLogger(library).setLevel(level)

    def clean_up(self, cmd: Any, result: int, err: BaseException | None) -> None:  # noqa: ARG002 - cliff's signature
        """Keep the exit code of what went wrong; cliff has said the rest."""
        if isinstance(err, CliError):
            self.exit_code = int(err.exit_code)
        if self.options.timings and self._cloud is not None:
            self._show_timings(self._cloud.timings())

    def _show_timings(self, timings: list[tuple[str, float]]) -> None:
        for request, seconds in (*timings, ("all requests", sum(seconds for _, seconds in timings))):
            self.stderr.write(f"{seconds:8.3f} s  {clean(request)}\n")

    def print_help_if_requested(self) -> None:
        """Show the verbs; called once the command line is read."""
        if self.options.deferred_help:
            self.interactive_mode = False
            raise SystemExit(self.run_subcommand(["help"]))

    def interact(self) -> None:
        """No verb was typed: tell which there are."""
        self.exit_code = int(Exit.USAGE)
        self.run_subcommand(["help"])


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("magnum")
    except PackageNotFoundError:
        return "unknown"


def run(app: Magnum, argv: Sequence[str]) -> int:
    """Run one command line; the exit code."""
    try:
        result = app.run(list(argv))
        app.stdout.flush()
    except BrokenPipeError:
        # Who read our output (head, a pager) has seen enough; the interpreter must not try to flush what is left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(Exit.PIPE_CLOSED)
    return result if app.exit_code is None else app.exit_code


def _open_what_is_closed() -> None:
    """Who closes a stream (`>&-`) wants nothing of it; the first file opened would else take its place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def main() -> int:
    """Entry point of the console script."""
    _open_what_is_closed()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a name outside the terminal's alphabet is no error
    return run(Magnum(), sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
