"""Progress of steps."""

import io

import pytest

from magnum.localcloud.steps import Steps


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_every_step_ends_with_a_line() -> None:
    stream = io.StringIO()
    with Steps(stream) as steps, steps.step("Keystone"):
        pass
    assert stream.getvalue() == "  Keystone: ready\n"


def test_a_step_that_fails_says_so_and_lets_the_error_through() -> None:
    stream = io.StringIO()
    with pytest.raises(RuntimeError), Steps(stream) as steps, steps.step("Heat"):
        raise RuntimeError
    assert stream.getvalue() == "  Heat: failed\n"


def test_a_terminal_has_its_line_cleared_before_anything_else_is_said() -> None:
    stream = Terminal()
    with Steps(stream) as steps:
        steps.say("hello")
    assert stream.getvalue() == "\r\x1b[Khello\n\r\x1b[K"
