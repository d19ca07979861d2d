"""What people read: texts are shown as they are, JSON leaves stdout alone, progress speaks without a screen too."""

import pytest

from tests.small import Listening
from tutelage import terminal as terminals
from tutelage.terminal import Terminal

STRANGE = "data[ab]*.jsonl [/bold] [red]x[/red] [1] \\[ :smile:"


def test_nothing_in_a_text_is_markup() -> None:
    terminal = Listening()
    terminal.say(STRANGE)
    terminal.say("report: ", (STRANGE, "bold"))
    terminal.note(STRANGE)
    assert terminal.text.splitlines() == [STRANGE, f"report: {STRANGE}", f"note {STRANGE}"]


def test_json_keeps_stdout_for_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal(json=True).say("hello")
    assert capsys.readouterr() == ("", "hello\n")
    Terminal().say("hello")
    assert capsys.readouterr() == ("hello\n", "")
    Terminal(quiet=True).note("hello")
    assert capsys.readouterr() == ("", "")


def test_progress_without_a_screen_is_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 6.0, 7.0, 12.0])
    monkeypatch.setattr(terminals.time, "monotonic", lambda: next(clock))
    terminal = Listening()
    with terminal.progress("training", 3000) as update:
        for done in (10, 1000, 1100, 2000):
            update(done, "loss 1.5")
    assert terminal.text.splitlines() == [
        "training: 1,000 of 3,000 loss 1.5, 12 s left",
        "training: 2,000 of 3,000 loss 1.5, 6 s left",
    ]
