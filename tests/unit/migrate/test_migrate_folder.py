"""`invoke migrate`: a folder in, a migrated folder with reports out."""

import json
import os
from pathlib import Path

import calls
import pytest

from portside.errors import RecipeError
from portside.migrate.folder import migrate_folder
from portside.migrate.rulesets import load

MLU = load("mlu")
ROOT = Path(__file__).parents[3]


def snapshot(folder: Path) -> dict[str, tuple[int, bytes | str]]:
    out: dict[str, tuple[int, bytes | str]] = {}
    for path in sorted(folder.rglob("*")):
        info = path.lstat()
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        out[str(path.relative_to(folder))] = (info.st_mode, content)
    return out


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    (folder / "run.py").write_text("import torch\nx = torch.zeros(1).cuda()\n")
    (folder / "run.py").chmod(0o755)
    (folder / "sub" / "go.sh").write_text("CUDA_VISIBLE_DEVICES=0 python run.py\n")
    (folder / "link.py").symlink_to("run.py")
    (folder / "data.bin").write_bytes(bytes(range(256)))
    return folder


def test_writes_tree_and_reports_and_keeps_the_source(source: Path, tmp_path: Path) -> None:
    before = snapshot(source)
    output = tmp_path / "out"
    report = migrate_folder(source, MLU, "precise", output)
    assert snapshot(source) == before
    after = snapshot(output)
    assert after["run.py"] == (before["run.py"][0], b"import torch\nimport torch_mlu\nx = torch.zeros(1).mlu()\n")
    assert after["sub/go.sh"][1] == b"MLU_VISIBLE_DEVICES=0 python run.py\n"
    assert (after["link.py"], after["data.bin"]) == (before["link.py"], before["data.bin"])
    assert set(after) - set(before) == {"report.json", "report.md", "report.html"}
    assert json.loads((output / "report.json").read_text())["counts"] == report.counts()


def test_a_second_migration_changes_nothing_more(source: Path, tmp_path: Path) -> None:
    migrate_folder(source, MLU, "precise", tmp_path / "one")
    report = migrate_folder(tmp_path / "one", MLU, "precise", tmp_path / "two")
    assert report.counts()["edits"] == 0
    one, two = snapshot(tmp_path / "one"), snapshot(tmp_path / "two")
    for name in ("report.json", "report.md", "report.html"):
        del one[name], two[name]
    assert one == two


def test_a_source_with_a_report_of_its_own_keeps_it(source: Path, tmp_path: Path) -> None:
    (source / "report.md").write_text("mine")
    migrate_folder(source, MLU, "vendor", tmp_path / "out", strict=True)
    assert (tmp_path / "out" / "report.md").read_text() == "mine"
    assert (tmp_path / "out" / "migration-report" / "report.html").is_file()
    migrate_folder(tmp_path / "out", MLU, "vendor", tmp_path / "again")
    assert (tmp_path / "again" / "report.md").read_text() == "mine"


def test_an_empty_output_folder_is_fine(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    migrate_folder(source, MLU, "precise", tmp_path / "out")
    assert (tmp_path / "out" / "run.py").is_file()


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("model", "is not empty"),
        ("model/new", "lie inside each other"),
        ("used", "is not empty"),
        ("file", "not empty"),
    ],
)
def test_outputs_that_cannot_be_used(source: Path, tmp_path: Path, place: str, message: str) -> None:
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "x").touch()
    (tmp_path / "file").touch()
    before = snapshot(tmp_path)
    with pytest.raises(RecipeError, match=message):
        migrate_folder(source, MLU, "precise", tmp_path / place)
    assert snapshot(tmp_path) == before


def test_sources_that_are_no_folder(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="is not a folder"):
        migrate_folder(tmp_path / "no", MLU, "precise", tmp_path / "out")


def test_strict_belongs_to_vendor_mode(source: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="strict is an option of vendor mode"):
        migrate_folder(source, MLU, "precise", tmp_path / "out", strict=True)
    assert not (tmp_path / "out").exists()


def test_image_mode_is_for_recipes(tmp_path: Path) -> None:
    """A folder has no base image: the task says so, and makes nothing."""
    words = ["migrate", "--source", str(tmp_path), "--output", str(tmp_path / "out"), "--mode", "image"]
    done = calls.call(ROOT, words, {}, "invoke")
    assert done.returncode == 2
    assert "image mode runs the converter of a base image" in done.stderr
    assert "Set migration.mode to image in a recipe" in done.stderr
    assert not (tmp_path / "out").exists()
