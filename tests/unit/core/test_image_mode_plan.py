"""Image mode in plan and Dockerfile: which part there is, and what its key depends on."""

import shutil
from pathlib import Path

import pytest

from portside.build.render import check_converted, dockerfile
from portside.common.tree import Tree, file_entry
from portside.errors import BuildError
from portside.lock.file import read_lock
from portside.lock.models import Lock
from portside.plan import parts
from portside.plan.model import Plan, converted_part
from portside.plan.parts import plan
from portside.recipe import load_recipe
from portside.store import Store

ROOT = Path(__file__).parents[3]
PLACE = "/torch/src/catch/tools/torch_gpu2mlu.py"


class Project:
    """A copy of the recipe minilm, whose migration and patches a test replaces."""

    def __init__(self, root: Path) -> None:
        shutil.copytree(ROOT / "recipes", root / "recipes")
        self.root = root
        self.path = root / "recipes" / "minilm.yaml"
        self.text = self.path.read_text()
        start = self.text.index("migration:\n")
        end = self.text.index("\n\n", start)
        self.before, self.after = self.text[:start], self.text[end:]

    def plan(self, migration: str, more: str = "", change: tuple[str, str] = ("", "")) -> Plan:
        text = f"{self.before}migration: {{ruleset: mlu, sources: [transformers], {migration}}}{self.after}\n{more}\n"
        self.path.write_text(text.replace(*change) if change[0] else text)
        recipe = load_recipe(self.root, "minilm")
        lock = read_lock(recipe.lock_path)
        assert isinstance(lock, Lock)
        return plan(recipe, lock)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def names(made: Plan) -> list[str]:
    return [part.name for part in made.layer("migrated").parts]


def keys(made: Plan) -> list[str]:
    return [part.key for part in made.layer("migrated").parts[:2]]


def test_the_converter_is_a_run_part_below_the_trees(project: Project) -> None:
    made = project.plan("mode: image")
    part = converted_part(made)
    assert part is not None
    assert names(made)[:2] == ["converted", "trees"]
    assert part.kind == "run"
    below = [f"{p.layer}/{p.name}" for layer in made.layers[:2] for p in layer.parts]
    assert list(part.manifest["on"]) == below
    assert made.layer("migrated").parts[1].after == part.key
    assert converted_part(project.plan("mode: vendor")) is None


def test_both_keys_depend_on_all_that_matters(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    first = keys(project.plan("mode: image"))
    plans = [
        project.plan("mode: image, strict: true"),
        project.plan("mode: image, converter: /opt/other.py"),
        project.plan("mode: image, extend: {suffix: _ported}"),
        project.plan("mode: image", change=("TRANSFORMERS_OFFLINE", "OFFLINE")),
    ]
    other = Tree([file_entry("run_converter.py", b"another program")])
    monkeypatch.setattr(parts, "converter_context", lambda: other)
    plans.append(project.plan("mode: image"))
    for number, found in enumerate([first, *map(keys, plans)]):
        for key in found:
            assert [key in keys for keys in [first, *map(keys, plans)]].count(True) == 1, number


def test_a_patch_leaves_the_converters_result_alone(project: Project) -> None:
    one = keys(project.plan("mode: image"))
    other = keys(project.plan("mode: image", "patches: [{delete: transformers_mlu/docs/**, count: 1}]"))
    assert one[0] == other[0]
    assert one[1] != other[1]


def test_the_dockerfile_runs_it_between_the_sources_and_the_patches(project: Project) -> None:
    made = project.plan("mode: image, strict: true")
    text = dockerfile(made, ["transformers_mlu/a b", "transformers_mlu/'\n\""])
    run, remove, copy = (
        text.index("python3 -B /run/portside/converter/run_converter.py"),
        text.index('RUN ["rm", "-r", "-f", "--", "/workspace/minilm/transformers_mlu/a b", '),
        text.index("COPY migrated/ /workspace/minilm/"),
    )
    assert text.index("COPY sources/") < run < remove < copy
    part = converted_part(made)
    assert part is not None and part.manifest["instructions"] in text
    line = text[run:remove]
    assert f"--converter={PLACE} --input=-i --strict=-s" in line
    assert "--suffix=_mlu --report=report.md /workspace/minilm transformers=transformers_mlu" in line
    assert '\\n\\"' in text, "a line break in a name does not end the instruction"
    assert "rm" not in dockerfile(made).split("run_converter.py", 1)[1].split("COPY")[0].split()


def test_a_path_with_shell_characters_stays_one_word(project: Project) -> None:
    made = project.plan("mode: image, converter: /opt/a b;c.py")
    assert "--converter='/opt/a b;c.py'" in dockerfile(made)


def test_rendering_is_refused_before_the_converter_has_run(project: Project, tmp_path: Path) -> None:
    store = Store(tmp_path / "home")
    with pytest.raises(BuildError, match="has not run yet"):
        check_converted(project.plan("mode: image"), store)
    assert check_converted(project.plan("mode: precise"), store) is None
