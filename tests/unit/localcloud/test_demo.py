"""The story of the demonstration, told to a cloud of pretence."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from magnum.localcloud import demo, figures
from magnum.localcloud.cloud import LocalCloud
from magnum.localcloud.demo import BAY, FAILING_BAY, Demo, DemoError
from magnum.localcloud.paths import CloudPaths
from magnum.localcloud.settings import Settings
from magnum.localcloud.transcript import CommandError, Outcome


class Tenant:
    """Answers as the commands would, and keeps what was typed."""

    def __init__(self) -> None:
        self.typed: list[str] = []
        self.bays: dict[str, dict[str, Any]] = {}
        self.others: set[str] = set()
        self.pods = 0

    def heading(self, text: str) -> None:
        pass

    def say(self, text: str) -> None:
        pass

    def export(self, name: str, value: str) -> None:
        pass

    def run(self, command: str, *, fails: bool = False) -> Outcome:
        self.typed.append(command)
        output = "something"
        words = command.split()
        if words[1] == "bay-create":
            status = "CREATE_FAILED" if words[3] == FAILING_BAY else "CREATE_COMPLETE"
            self.bays[words[3]] = {"status": status, "node_count": 1}
        elif words[1] == "bay-delete":
            del self.bays[words[2]]
        elif words[1] == "bay-update":
            self.bays[words[2]]["node_count"] = 2
        elif words[1] in ("baymodel-create", "pod-create", "rc-create", "coe-service-create"):
            self.others.add(" ".join(words[1:]))
            self.pods = 3
        elif words[1] == "rc-update":
            self.pods = 5
        elif command == f"magnum bay-show {FAILING_BAY} -c name -c status -c status_reason":
            output = "CREATE_FAILED Image an-image-that-does-not-exist could not be found"
        elif command == "kubectl get nodes":
            output = "one Ready x\ntwo Ready x\nthree Ready x\n"
        return Outcome(command, int(fails), output, 42.0)

    def ask(self, command: str) -> Any:
        words = command.split()
        match words[1]:
            case "bay-show":
                return self.bays.get(words[2])
            case "node-list":
                count = self.bays[BAY]["node_count"]
                return [{"status": "Ready", "addresses": ["10.0.0.2"], "role": "master", "name": "n"}] * (count + 1)
            case "pod-list":
                return [{"name": "web-x", "status": "Running"}] * self.pods + [{"name": "job", "status": "Failed"}]
            case _:
                kind = words[1].removesuffix("-show")
                return {} if any(other.startswith(f"{kind}-create") for other in self.others) else None

    def wait(self, what: str, command: str, ready: Callable[[Any], bool], seconds: float) -> None:
        self.until(what, command, ready, seconds)

    def until(self, what: str, command: str, ready: Callable[[Any], bool], seconds: float) -> None:
        if not ready(self.ask(command)):
            raise CommandError(what)


@pytest.fixture
def tenant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Tenant:
    tenant = Tenant()
    monkeypatch.setenv("MAGNUM_LOCAL_STATE", str(tmp_path))
    monkeypatch.setattr(demo, "Transcript", lambda *_: tenant)
    monkeypatch.setattr(demo, "_environment", lambda _: {})
    monkeypatch.setattr(figures, "measure", lambda *_: [])
    return tenant


def _show() -> None:
    Demo(LocalCloud(CloudPaths.named("demo"), Settings())).run()


def _verbs(tenant: Tenant) -> list[str]:
    return [command.split()[1] for command in tenant.typed if command.startswith("magnum ")]


def test_the_first_run_tells_the_whole_story_in_order(tenant: Tenant) -> None:
    _show()
    assert _verbs(tenant) == [
        "baymodel-create",
        "bay-create",
        "bay-show",
        "pod-create",
        "rc-create",
        "coe-service-create",
        "rc-list",
        "coe-service-list",
        "rc-update",
        "bay-update",
        "bay-config",
        "bay-create",
        "bay-show",
        "bay-event-list",
    ]
    assert any(command.startswith("curl ") and command.endswith("http://10.0.0.2:30080/") for command in tenant.typed)


def test_the_second_run_makes_nothing(tenant: Tenant) -> None:
    _show()
    tenant.typed.clear()
    _show()
    assert not [verb for verb in _verbs(tenant) if verb.endswith(("-create", "-delete")) or verb == "bay-update"]


def test_a_bay_that_failed_is_made_again(tenant: Tenant) -> None:
    tenant.bays[BAY] = {"status": "CREATE_FAILED", "node_count": 1}
    _show()
    assert f"magnum bay-delete {BAY} --wait" in tenant.typed
    assert tenant.bays[BAY]["status"] == "CREATE_COMPLETE"


def test_a_bay_whose_change_failed_is_kept_and_changed_again(tenant: Tenant) -> None:
    tenant.bays[BAY] = {"status": "UPDATE_FAILED", "node_count": 2}
    _show()
    assert "bay-update" in _verbs(tenant)
    assert "bay-delete" not in _verbs(tenant)


def test_a_claim_that_does_not_hold_stops_the_story(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tenant.run

    def without_a_reason(command: str, *, fails: bool = False) -> Outcome:
        outcome = run(command, fails=fails)
        lost = command.startswith(f"magnum bay-show {FAILING_BAY}")
        return Outcome(command, outcome.status, "CREATE_FAILED", 0.0) if lost else outcome

    monkeypatch.setattr(tenant, "run", without_a_reason)
    with pytest.raises(DemoError, match="the reason does not name the image"):
        _show()


def test_a_cell_broken_over_lines_is_read_as_one() -> None:
    assert "an-image-that-does" in demo._joined("| status | an-image- |\n|        | that-does |\n")


def test_without_a_cloud_it_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MAGNUM_LOCAL_STATE", str(tmp_path))
    options = type("Options", (), {"name": "demo"})
    with pytest.raises(DemoError, match="magnum-local up --name demo"):
        demo.command(options)  # type: ignore[arg-type]


def test_a_command_s_environment_is_that_of_the_cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MAGNUM_LOCAL_STATE", str(tmp_path))
    monkeypatch.setenv("OS_TOKEN", "of another cloud")
    paths = CloudPaths.named("demo")
    paths.root.mkdir()
    paths.openrc.write_text("export OS_USERNAME=demo\n")
    environment = demo._environment(paths)
    assert environment["OS_USERNAME"] == "demo"
    assert "OS_TOKEN" not in environment
    assert subprocess.run(["true"], env=environment, timeout=5, check=True).returncode == 0
