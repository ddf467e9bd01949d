"""A project's own rulesets and accelerators, beside its recipes/."""

import re
from pathlib import Path

import calls
import pytest
import yaml

from portside.accelerators import Host, load_accelerator
from portside.begin import make_project
from portside.cli.completion import values
from portside.cli.root import CHECKOUT
from portside.config import load_config
from portside.doctor.devices import examine_devices
from portside.errors import RecipeError
from portside.lock.file import read_lock
from portside.migrate.rulesets import load, names
from portside.plan.parts import plan
from portside.recipe import load_recipe
from portside.runtime import container_spec, noted, read_intent

RULES = (CHECKOUT / "portside" / "migrate" / "rulesets" / "mlu.yaml").read_text()
CARD = "name: {}\ndescription: of a test\ncards: {{node: '/dev/null{{index}}'}}\nvariables: {{OURS: 'yes'}}\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    root = tmp_path / "project"
    make_project(root, "minilm")
    return root


def add(root: Path, kind: str, name: str, text: str) -> Path:
    path = root / kind / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def rules(name: str) -> str:
    return re.sub(r"^name: mlu$", f"name: {name}", RULES, flags=re.MULTILINE)


def use(root: Path, ruleset: str = "mlu", accelerator: str = "cpu") -> None:
    path = root / "recipes" / "minilm.yaml"
    text = (CHECKOUT / "recipes" / "minilm.yaml").read_text()
    path.write_text(text.replace("ruleset: mlu", f"ruleset: {ruleset}").replace("name: cpu", f"name: {accelerator}"))


def allow(root: Path, text: str) -> None:
    (root / "portside.toml").write_text(f"[override]\n{text}\n")


def test_a_recipe_uses_the_projects_own(root: Path) -> None:
    add(root, "rulesets", "ours", rules("ours"))
    add(root, "accelerators", "card", CARD.format("card"))
    use(root, "ours", "card")
    recipe = load_recipe(root, "minilm")
    assert recipe.ruleset.name == "ours"
    assert load_accelerator("card", root=root).variables["OURS"].value == "yes"
    assert container_spec(read_intent(recipe), Host.here(), lacking=noted(print)).env == {}
    (finding,) = [f for f in examine_devices(Host.here(), recipe, None) if f.subject == "devices"]
    assert "no card card" in finding.text


def test_what_a_ruleset_says_is_in_the_key(root: Path) -> None:
    def key() -> str:
        recipe = load_recipe(root, "minilm")
        lock = read_lock(recipe.lock_path)
        assert lock is not None
        return plan(recipe, lock).layer("migrated").key

    add(root, "rulesets", "ours", rules("ours"))
    use(root, "ours")
    first = key()
    add(root, "rulesets", "ours", rules("ours").replace("suffix: _mlu", "suffix: _ours"))
    assert key() != first


def test_they_are_known_wherever_names_are(root: Path) -> None:
    add(root, "rulesets", "ours", rules("ours"))
    add(root, "accelerators", "card", CARD.format("card"))
    assert names(root) == sorted([*names(), "ours"])
    assert "ours" not in names()
    assert values("migrate --ruleset ", root) == names(root)
    use(root, "our")
    with pytest.raises(RecipeError, match=r"minilm\.yaml:\d+: migration\.ruleset: no ruleset 'our'") as caught:
        load_recipe(root, "minilm")
    assert "Did you mean 'ours'?" in str(caught.value)
    use(root, accelerator="crad")
    with pytest.raises(RecipeError, match="Did you mean 'card'"):
        load_recipe(root, "minilm")


@pytest.mark.parametrize(("kind", "name"), [("rulesets", "mlu"), ("accelerators", "cpu")])
def test_a_name_that_both_have_is_refused_unless_the_project_says_so(root: Path, kind: str, name: str) -> None:
    text = {"rulesets": RULES.replace("suffix: _mlu", "suffix: _own"), "accelerators": CARD.format("cpu")}[kind]
    path = add(root, kind, name, text)
    with pytest.raises(RecipeError) as caught:
        load_recipe(root, "minilm")
    assert str(caught.value) == (
        f"{path}: {name} is also one of the {kind} that come with Portside\n  Give it another name, or let the "
        f'project\'s count; in its portside.toml: [override] {kind} = ["{name}"]'
    )
    allow(root, f'{kind} = ["other"]')
    with pytest.raises(RecipeError):
        load_recipe(root, "minilm")
    allow(root, f'{kind} = ["{name}"]')
    recipe = load_recipe(root, "minilm")
    if kind == "rulesets":
        assert (recipe.ruleset.suffix, load("mlu").suffix) == ("_own", "_mlu")
    else:
        (finding,) = [f for f in examine_devices(Host.here(), recipe, None) if f.subject == "devices"]
        assert "no cpu card" in finding.text


def test_a_name_that_no_recipe_uses_is_in_nobodys_way(root: Path) -> None:
    add(root, "rulesets", "npu", rules("npu"))
    add(root, "accelerators", "cuda", CARD.format("cuda"))
    assert load_recipe(root, "minilm").ruleset.name == "mlu"


def test_what_a_project_is_does_not_depend_on_a_persons_settings(root: Path, tmp_path: Path) -> None:
    own = tmp_path / ".config" / "portside" / "portside.toml"
    own.parent.mkdir(parents=True)
    own.write_text('engine = "docker"\n[override]\nrulesets = ["mlu"]\n')
    with pytest.raises(RecipeError, match=r"portside\.toml:2: override: this is for the portside\.toml of a project"):
        load_config(root)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('rulesets = "mlu"', ":2: override.rulesets: expected a list, found 'mlu'"),
        ('ruleset = ["mlu"]', ":2: override.ruleset: no such key here; did you mean 'rulesets'?"),
        ('rulesets = ["../x"]', ":2: override.rulesets.0: "),
    ],
)
def test_mistakes_in_what_is_allowed(root: Path, text: str, expected: str) -> None:
    add(root, "rulesets", "mlu", RULES)
    allow(root, text)
    for call in (lambda: load_config(root), lambda: load_recipe(root, "minilm")):
        with pytest.raises(RecipeError, match=r"portside\.toml" + re.escape(expected)):
            call()


def test_a_mistake_in_a_file_is_told_with_its_path(root: Path) -> None:
    path = add(root, "rulesets", "ours", rules("others"))
    use(root, "ours")
    with pytest.raises(RecipeError, match=re.escape(f"ruleset {path}: name: expected 'ours', as the file is called")):
        _ = load_recipe(root, "minilm").ruleset
    path.write_text(rules("ours") + "colour: red\n")
    with pytest.raises(RecipeError, match=re.escape(f"ruleset {path}: colour: ")):
        _ = load_recipe(root, "minilm").ruleset


def test_packaged_files_are_called_by_their_names() -> None:
    for name in names():
        text = (CHECKOUT / "portside" / "migrate" / "rulesets" / f"{name}.yaml").read_text()
        assert yaml.safe_load(text)["name"] == name


def test_migrate_takes_one_by_its_name(root: Path, tmp_path: Path) -> None:
    add(root, "rulesets", "ours", rules("ours").replace("suffix: _mlu", "suffix: _ours"))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.py").write_text("import torch\ntorch.zeros(1).cuda()\n")
    command = ["migrate", "--source", str(tmp_path / "in"), "--ruleset", "ours"]
    for cwd, code in ((root / "recipes", 0), (tmp_path, 2)):
        words = [*command, "--output", str(tmp_path / f"out-{cwd.name}")]
        done = calls.call(cwd, words, {"HOME": str(tmp_path)}, "python -m portside")
        assert done.returncode == code, done.stderr
