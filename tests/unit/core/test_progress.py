"""What a terminal shows while work goes on: lines stand, bars and notes go when their work has ended."""

import pytest

from portside.common import progress


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "is_terminal", lambda: True)


def test_bars_and_notes_go_and_lines_stay(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.live():
        screen = progress._screen
        assert screen is not None
        with progress.live(), progress.step("[env]") as note, progress.transfer("a.bin", 16 << 20) as advance:
            assert progress._screen is screen
            note("  RUN [one]\n")
            advance(16 << 20)
            assert [(task.description, task.fields["note"]) for task in screen.steps.tasks] == [("[env]", "RUN [one]")]
            assert [(task.description, task.completed) for task in screen.transfers.tasks] == [("a.bin", 16 << 20)]
            progress.say("a line with [b]brackets[/b]")
        assert screen.steps.tasks == screen.transfers.tasks == []
    err = capsys.readouterr().err
    assert "a line with [b]brackets[/b]\n" in err
    assert "  a.bin: 16.0 MiB in " in err and "[env]: " in err


def test_an_error_leaves_no_screen() -> None:
    with pytest.raises(ValueError, match="broken"), progress.live(), progress.step("env"), progress.transfer("a", None):
        raise ValueError("broken")
    assert progress._screen is None
