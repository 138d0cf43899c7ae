"""The command `magnum-local`."""

import argparse
import fcntl
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from magnum.localcloud import demo, figures, settings
from magnum.localcloud.cloud import LocalCloud
from magnum.localcloud.paths import DEFAULT_NAME, CloudPaths, cache_root, state_root
from magnum.localcloud.preflight import PreflightError
from magnum.localcloud.processes import ServiceError, tail
from magnum.localcloud.settings import BUSES, DATABASES, HEATS, Settings, Wish
from magnum.localcloud.steps import Steps

_DESCRIPTION = """\
A real cloud on one machine, for trying Magnum out, for its development and its tests: Keystone and Heat from PyPI,
Magnum from this checkout, and Docker containers in the place of servers. Debian, root.
"""
_EPILOG = f"""\
Every command may be given again, and goes on where an earlier one ended. What is made once for the machine
(environments, Kubernetes, images) is kept in {cache_root()} (MAGNUM_LOCAL_CACHE), a cloud's own things
in {state_root()}/NAME (MAGNUM_LOCAL_STATE).
"""
_INTERRUPTED = 130
_MOST_PROCESSES = 16
_NOT_RUNNING = 3


@contextmanager
def _alone(steps: Steps) -> Iterator[None]:
    """Keep other commands that change clouds waiting until this one has ended: clouds share the Docker Engine."""
    root = state_root()
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with steps.step("Wait for another magnum-local to end, as clouds share the Docker Engine"):
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    options = _parser().parse_args(arguments)
    if os.geteuid() != 0:
        _complain(_needs_root(sys.argv if arguments is None else ["magnum-local", *arguments]))
        return 1
    try:
        command: Callable[[argparse.Namespace], int] = options.command
        return command(options)
    except PreflightError as error:
        _complain("This machine is not ready; nothing was changed.\n" + str(error))
    except (ServiceError, demo.DemoError, ValueError) as error:
        _complain(str(error))
    except KeyboardInterrupt:
        _complain("Interrupted. The same command goes on from here.")
        return _INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains while ending
        return 128 + signal.SIGPIPE
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "magnum-local",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_common(parser)
    parser.set_defaults(name=DEFAULT_NAME, port_offset=None)
    common = argparse.ArgumentParser(add_help=False)
    _add_common(common)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")

    def add(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, parents=[common], help=text, description=text[0].upper() + text[1:] + ".")
        command.set_defaults(command=run)
        return command

    up = add("up", _up, "bring the cloud up, or up to date with this checkout")
    up.add_argument(
        "--bus",
        choices=BUSES,
        help="memory: API and conductor in one process; rabbit: apart, on a RabbitMQ (default: as before, else memory)",
    )
    up.add_argument(
        "--database",
        choices=DATABASES,
        help="where Magnum keeps its bays (default: as the cloud was made, else sqlite)",
    )
    up.add_argument(
        "--conductors", type=_count, metavar="N", help="conductors beside each other; needs --bus rabbit (default: 1)"
    )
    up.add_argument(
        "--api-workers", type=_count, metavar="N", help="processes of the API; needs --bus rabbit (default: 1)"
    )
    up.add_argument(
        "--heat",
        choices=HEATS,
        help="real: bays get servers; stand-in: a Heat that only plays, for tests (default: as the cloud was made, "
        "else real)",
    )
    add("check", _check, "say what keeps this machine from running the cloud, and change nothing")
    add("status", _status, "show which services run, where they are reached and where they log")
    logs = add("logs", _logs, "show the end of the logs")
    logs.add_argument("service", nargs="*", help="services to show (default: all)")
    logs.add_argument("--lines", type=int, default=20, metavar="N", help="lines of each (default: %(default)s)")
    logs.add_argument("--follow", action="store_true", help="go on showing what is written")
    add("down", _down, "end every process of the cloud; what it holds is kept")
    reset = add("reset", _reset, "remove the cloud with all its bays")
    reset.add_argument("--cache", action="store_true", help="remove what is kept for other clouds, too")
    add("demo", demo.command, "show the main job: a Kubernetes cluster is built, and pods run in it")
    return parser


def _count(text: str) -> int:
    """A number of processes."""
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_PROCESSES:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {_MOST_PROCESSES}")
    return int(text)


def _add_common(parser: argparse.ArgumentParser) -> None:
    """Options that may stand before the command or after it; no default here, or the second would undo the first."""
    parser.add_argument(
        "--name", default=argparse.SUPPRESS, help=f"which cloud, where there are several (default: {DEFAULT_NAME})"
    )
    parser.add_argument(
        "--port-offset",
        type=int,
        metavar="K",
        default=argparse.SUPPRESS,
        help="add K to every port, so that two clouds fit beside each other (default: as it was made, else 0)",
    )


def _check(options: argparse.Namespace) -> int:
    paths = CloudPaths.named(options.name)
    LocalCloud(paths, settings.settle(paths, Wish(options.port_offset))).check()
    print("This machine can run the cloud.")
    return 0


def _up(options: argparse.Namespace) -> int:
    paths = CloudPaths.named(options.name)
    wish = Wish(
        options.port_offset, options.bus, options.database, options.conductors, options.api_workers, options.heat
    )
    cloud = LocalCloud(paths, settings.settle(paths, wish))
    begun = time.monotonic()
    cloud.check()
    with Steps(sys.stderr) as steps, _alone(steps):
        cloud.up(steps)
    figures.remember_build(steps.seconds)
    print(f"The cloud {paths.name!r} is up ({time.monotonic() - begun:.0f} s). To use it:\n")
    print(f"    . {paths.openrc}\n    magnum bay-list\n")
    return 0


def _down(options: argparse.Namespace) -> int:
    with Steps(sys.stderr) as steps, _alone(steps):
        _existing(options.name).down(steps)
    print(f"The cloud {options.name!r} is down. To go on with it: magnum-local up --name {options.name}")
    return 0


def _reset(options: argparse.Namespace) -> int:
    is_there = settings.stored(CloudPaths.named(options.name)) is not None
    with Steps(sys.stderr) as steps, _alone(steps):
        cloud = _existing(options.name)
        cloud.reset(steps)
        if options.cache:
            cloud.remove_cache(steps)
    said = "Nothing is left of the cloud" if is_there else "There was no cloud"
    print(f"{said} {options.name!r}." + ("" if options.cache else f" Cached: {cache_root()}"))
    return 0


def _status(options: argparse.Namespace) -> int:
    """Exit status 0: all services of the cloud run; 3: some do not, or there is no such cloud."""
    paths = CloudPaths.named(options.name)
    if settings.stored(paths) is None:
        print(f"There is no cloud {options.name!r}. To make it: magnum-local up --name {options.name}")
        return _NOT_RUNNING
    states = _existing(options.name).status()
    for state in states:
        print(f"{state.name:18} {f'running, pid {state.pid}' if state.pid else 'NOT RUNNING':24} {state.log}")
    print(f"\nCredentials: {paths.openrc}, {paths.clouds_yaml}")
    return 0 if all(state.pid for state in states) else _NOT_RUNNING


def _logs(options: argparse.Namespace) -> int:
    paths = CloudPaths.named(options.name)
    known = {path.stem: path for path in sorted(paths.logs.glob("*.log"))}
    unknown = [name for name in options.service if name not in known]
    if unknown:
        raise ServiceError(f"No log of {', '.join(unknown)} in {paths.logs}; there are: {', '.join(known) or 'none'}")
    chosen = {name: known[name] for name in options.service or known}
    for name, path in chosen.items():
        print(f"==> {name}: {path}\n{tail(path, options.lines)}\n")
    if options.follow:
        _follow(list(chosen.values()))
    return 0


def _follow(logs: list[Path]) -> None:
    os.execvp("tail", ["tail", "-n", "0", "-F", *map(str, logs)])  # noqa: S606 - nothing is left to do here


def _existing(name: str) -> LocalCloud:
    paths = CloudPaths.named(name)
    return LocalCloud(paths, settings.stored(paths) or Settings())


def _needs_root(words: Sequence[str]) -> str:
    """Nothing of a local cloud can be done, or seen, by anybody else."""
    command = shlex.join(words)
    return (
        "The local cloud needs root: it installs packages, runs the Docker Engine and makes networks.\n"
        f"    Run it as root: sudo {command} (or: su -c {shlex.quote(command)})"
    )


def _complain(text: str) -> None:
    print(text, file=sys.stderr)
