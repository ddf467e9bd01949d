"""The template's code is kept as that of modules is, and never used for another template."""

import sys
from pathlib import Path

import jinja2
import pytest

from portside.plan.compiled import Compiled


@pytest.fixture(autouse=True)
def keeps_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)


def environment(folder: Path, source: str, **options: object) -> jinja2.Environment:
    (folder / "x.j2").write_text(source)
    kept = Compiled(folder / "kept", sorted(options.items()))
    return jinja2.Environment(loader=jinja2.FileSystemLoader(folder), bytecode_cache=kept, **options)  # type: ignore[arg-type]


def rendered(folder: Path, source: str = "{{ 1 + 1 }}\n", **options: object) -> str:
    return environment(folder, source, **options).get_template("x.j2").render()


def kept(folder: Path) -> list[Path]:
    return sorted((folder / "kept").iterdir())


def test_what_was_compiled_is_not_compiled_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rendered(tmp_path) == "2"
    [file] = kept(tmp_path)
    monkeypatch.setattr(jinja2.Environment, "_parse", lambda *_: pytest.fail("it is compiled anew"))
    assert rendered(tmp_path) == "2"
    assert kept(tmp_path) == [file]


def test_another_template_or_option_is_compiled(tmp_path: Path) -> None:
    assert rendered(tmp_path) == "2"
    assert rendered(tmp_path, "{{ 1 + 2 }}\n") == "3"
    assert rendered(tmp_path, "{{ 1 + 2 }}\n", keep_trailing_newline=True) == "3\n"
    assert len(kept(tmp_path)) == 1


@pytest.mark.parametrize("change", [lambda data: b"", lambda data: data[:-9], lambda data: b"j2" + bytes(90)])
def test_what_is_damaged_is_made_again(tmp_path: Path, change: "object") -> None:
    rendered(tmp_path)
    [file] = kept(tmp_path)
    right = file.read_bytes()
    magic = right[:20]
    for data in (change(right), magic + b"garbage", magic):  # type: ignore[operator]
        file.write_bytes(data)
        assert rendered(tmp_path) == "2"
    assert file.read_bytes() == right


def test_a_folder_that_cannot_be_there(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file")
    assert rendered(tmp_path) == "2"


def test_python_may_be_told_to_keep_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert rendered(tmp_path) == "2"
    assert not (tmp_path / "kept").exists()
