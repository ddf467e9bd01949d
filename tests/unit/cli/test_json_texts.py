"""Texts for people in JSON say the command that was called, as the same texts do on a terminal."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from portside.cli.report.recipes import overview
from portside.common import called
from portside.doctor.findings import Finding, to_json
from portside.errors import LockError
from portside.project import Project
from portside.verify.cause import Cause
from portside.verify.report import as_json
from portside.verify.verdict import Evidence, PartVerdict, Verdict


@pytest.fixture
def portside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As after a call of `portside`."""
    monkeypatch.setattr(called, "_command", called._command)
    monkeypatch.setattr(called, "_mention", called._mention)
    called.set_command("portside", ["fetch", "lock", "verify", "diff", "setup", "doctor"])
    yield


@pytest.mark.usefixtures("portside")
def test_the_doctor() -> None:
    findings = [
        Finding("warning", "inputs", "see invoke doctor", "Start it with `invoke setup`."),
        Finding("ok", "engine", "docker 24"),
    ]
    assert [(row["text"], row["remedy"]) for row in to_json(findings)["findings"]] == [
        ("see portside doctor", "Start it with `portside setup`."),
        ("docker 24", None),
    ]


@pytest.mark.usefixtures("portside")
def test_advice_of_verify() -> None:
    difference = Evidence("srv/x", None, (Cause("unknown", "its bytes"),), None)
    part = PartVerdict("env", "packages", "run", ("1" * 64, "2" * 64), (difference,))  # type: ignore[arg-type]
    [advice] = as_json(Verdict("m", (part,), ("1" * 64, "2" * 64), (), "nothing"))["advice"].values()
    assert "portside verify --keep DIR" in advice and "invoke" not in advice


@pytest.mark.usefixtures("portside")
def test_errors_of_recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/m.yaml").write_text("")

    def broken(self: Project, name: str) -> None:
        raise LockError("invoke lock did not end")

    monkeypatch.setattr(Project, "recipe", broken)
    assert [row["error"] for row in overview(Project(tmp_path))] == ["portside lock did not end"]
