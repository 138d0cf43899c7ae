"""Commands as a user types them."""

import os
from pathlib import Path

import pytest

from magnum.localcloud import transcript
from magnum.localcloud.transcript import CommandError, Transcript


@pytest.fixture
def shell(tmp_path: Path) -> Transcript:
    return Transcript({"PATH": os.environ["PATH"]}, tmp_path)


def test_a_command_and_its_output_are_shown(shell: Transcript, capfd: pytest.CaptureFixture[str]) -> None:
    outcome = shell.run("echo one; echo progress >&2")
    assert outcome.output == "one\n"
    assert capfd.readouterr() == ("$ echo one; echo progress >&2\none\n", "progress\n")


def test_a_command_that_fails_ends_the_story(shell: Transcript) -> None:
    with pytest.raises(CommandError, match="`exit 3` ended with status 3"):
        shell.run("exit 3")


def test_a_command_that_should_fail_must_fail(shell: Transcript) -> None:
    assert shell.run("exit 1", fails=True).status == 1
    with pytest.raises(CommandError, match="was to fail, and did not"):
        shell.run("true", fails=True)


def test_a_question_is_answered_with_data_and_without_a_word(
    shell: Transcript, capfd: pytest.CaptureFixture[str]
) -> None:
    assert shell.ask("printf '%s' '{\"a\": 1}' #") == {"a": 1}
    assert shell.ask("echo no such bay >&2; false #") is None
    assert capfd.readouterr() == ("", "")


def test_waiting_ends_with_the_answer_shown(
    shell: Transcript, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcript, "_POLL_SECONDS", 0.01)
    (tmp_path / "count").write_text("")
    counting = "echo x >> count; wc -l < count #"
    shell.wait("Counted", counting, lambda count: count is not None and count >= 3, 10)
    assert capfd.readouterr().out == f"$ {counting}\n4\n"


def test_waiting_has_an_end(shell: Transcript, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcript, "_POLL_SECONDS", 0.01)
    with pytest.raises(CommandError, match="It rains: not so after 0 s"):
        shell.wait("It rains", "echo 0 #", lambda _: False, 0.05)


def test_what_is_exported_is_there_for_the_next_command(shell: Transcript) -> None:
    shell.export("KUBECONFIG", "/somewhere")
    assert shell.run("echo $KUBECONFIG").output == "/somewhere\n"
