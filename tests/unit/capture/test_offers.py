"""What is offered in place of a diff: a change of the step that wrote a line, and one step for what repeats."""

from pathlib import Path

import pytest
import yaml
from working import Working, git, lying

MORE = """\
patches:
  - name: on the card
    replace: load(path)
    with: load(path, "mlu")   # its name
    files: "m_mlu/*.py"
    count: 2
  - {name: lines, set-line: "a = 1", to: "a = 2", files: m_mlu/a.py, count: 1}
"""
CODE = "a = 1\nx = load(path)\nb = run(old_name)\nif a:\n    b = run(old_name)\nlast = 3\n"


@pytest.fixture
def made(tmp_path: Path) -> Working:
    made = Working(tmp_path / "p", MORE)
    made.source("m", **{"a.py": CODE, "b.py": CODE.replace("a = 1", "a = 5")})
    made.source("other", **{"o.py": "o = 1\n"})
    return made


def edit(path: Path, *pairs: tuple[str, str]) -> None:
    text = path.read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


def patches(made: Working) -> list[dict[str, object]]:
    found: list[dict[str, object]] = yaml.safe_load(made.recipe.read_text())["patches"]
    return found


def test_what_is_offered_is_said_and_taken_where_a_person_wants(made: Working) -> None:
    work = made.lay_out()
    for name in ("a.py", "b.py"):
        edit(work.path / "m_mlu" / name, ('"mlu")', '"mlu:0")'), ("old_name", "new_name"))
    git(work, "commit", "-qam", "names")
    edit(work.path / "m_mlu/a.py", ("a = 2", "a = 7"), ("last = 3", "last = 4"))
    offered = made.capture(dry_run=True)
    assert [note for note in offered.notes if "offered" in note] == [
        "offered (--take-offers): lines: to: a = 7",
        'offered (--take-offers): on the card: with: load(path, "mlu:0")',
        "offered (--take-offers): replace: old_name",
    ]
    assert len(offered.steps) == 2, "they are diffs as long as nobody takes the offers"
    made.capture(take_offers=True)
    found = patches(made)
    assert found[0]["with"] == 'load(path, "mlu:0")' and found[1]["to"] == "a = 7"
    assert "   # its name\n" in made.recipe.read_text()
    assert found[2] == {
        "replace": "old_name",
        "with": "new_name",
        "files": ["m_mlu/a.py", "m_mlu/b.py"],
        "count": 4,
    }
    assert [step["name"] for step in found[3:]] == ["what was edited in a.py"]
    assert lying(work) == made.code()
    assert made.capture().nothing


def test_what_does_not_fit_is_not_offered(made: Working) -> None:
    work = made.lay_out()
    edit(work.path / "m_mlu/a.py", ('"mlu")', '"mlu:0")'))  # one of two places
    text = (work.path / "m_mlu/b.py").read_text()
    (work.path / "m_mlu/b.py").write_text(text.replace("b = run(old_name)", "b = run(new_name)", 1))
    captured = made.capture(take_offers=True)
    assert not [note for note in captured.notes if "offered" in note]
    assert len(captured.steps) == 1
    assert lying(work) == made.code()
