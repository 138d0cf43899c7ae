"""Programs that are run to their end."""

import time
from pathlib import Path

import pytest

from magnum.localcloud import shell
from magnum.localcloud.processes import ServiceError


def test_what_a_program_says_is_added_to_the_log(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "made.log"
    shell.run(["sh", "-c", "echo one; echo two >&2"], log=log, seconds=10)
    shell.run(
        ["sh", "-c", 'echo "$GREETING from $PWD"'], log=log, seconds=10, folder=tmp_path, environment={"GREETING": "hi"}
    )
    text = log.read_text()
    assert "one\ntwo\n" in text
    assert f"hi from {tmp_path}" in text


def test_a_failure_names_the_program_its_status_and_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"ended with status 3; the end of .*made.log") as raised:
        shell.run(["sh", "-c", "echo no such luck; exit 3"], log=tmp_path / "made.log", seconds=10)
    assert "no such luck" in str(raised.value)


def test_a_program_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(ServiceError, match="took longer than 0 s"):
        shell.run(["sleep", "60"], log=tmp_path / "made.log", seconds=0.2)
    assert time.monotonic() - begun < 10


def test_progress_is_asked_for_while_a_program_runs(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    until_asked = ["sh", "-c", "until [ -e asked ]; do sleep 0.05; done"]
    shell.run(until_asked, log=tmp_path / "made.log", seconds=10, folder=tmp_path, watch=asked.touch)
