"""The first moment of the command `magnum-local`."""

import sys

import pytest

from magnum.localcloud import start


def test_an_early_interrupt_is_told_in_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupts:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "magnum.localcloud.cli":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "magnum.localcloud.cli", raising=False)
    monkeypatch.delattr("magnum.localcloud.cli", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupts(), *sys.meta_path])
    assert start.main() == 130
    assert capsys.readouterr().err == "Interrupted. Nothing was changed.\n"
