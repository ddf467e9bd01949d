"""What a recipe says stands in the Dockerfile as what it is, whatever it says: a line, a value, a path."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from dockerfile_parser import Dialect, Instruction, expanded, pairs, parse
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from portside.build.render import LINK_NOTE, dockerfile
from portside.errors import BuildError, RecipeError
from portside.image.config import command, environment, labels, workdir
from portside.lock.bases import ArchiveBase, ArchiveLayer
from portside.lock.file import read_lock
from portside.lock.models import Lock
from portside.lock.packages import Artefact, LockedEnv
from portside.lock.sources import LockedSdist
from portside.plan.model import Plan
from portside.plan.parts import plan
from portside.recipe import Recipe, load_recipe
from portside.recipe.models import RecipeModel
from portside.recipe.stages import make_stages

DIALECTS: tuple[Dialect, ...] = ("buildkit", "imagebuilder")
ARGUMENTS = 9
SHA = "0" * 64

PIECES = st.sampled_from(
    [
        *(
            "--mount=type=bind,from=x,target=/x",
            "--network=host",
            "--",
            "-",
            "+x",
            "[",
            "]",
            '["a", "b"]',
            "[ 1 ]",
            '"',
        ),
        *(
            "<<",
            "<<-EOF",
            "0<<E",
            "#",
            "# syntax=x",
            "#escape=`",
            "\\",
            "\\\\",
            "`",
            "'",
            "$",
            "${X}",
            "$X",
            "{{",
            "}}",
        ),
        *(" ", "\t", "\n", "\r", "\v", "\f", "\0", "\x1c", "\x85", "\xa0", "\u2003", "\u2028", "\u3000", "\ufeff"),
        *("/", ":", "=", "a", "b c", ">=1", "===", ",", "ü", "漢", "😀", "RUN", "echo", "&&", "\x7f"),
    ]
)
TEXT = st.lists(PIECES, max_size=7).map("".join)
LINE = st.one_of(TEXT, st.builds("{}{}".format, st.sampled_from(["echo ", "[ ", "  : ", "test "]), TEXT))
PATH = TEXT.map("/x{}".format)


def recipe_of(values: dict[str, Any]) -> Recipe | None:
    """The recipe with these values, None where the model refuses one of them."""
    whole = {
        "description": "a test",
        "base": {"archive": {"file": "v.tar", "origin": "a test"}},
        "accelerator": {"name": "cpu", **values.pop("accelerator", {})},
        "sources": {"x": {"sdist": "x==1"}},
        **values,
    }
    try:
        model = RecipeModel.model_validate(whole)
    except ValidationError:
        return None
    stages = make_stages(Path("r.yaml"), [("r", whole.get("env", {}))], model.base.architecture)
    return Recipe("r", model, Path("recipes/r.yaml"), (Path("recipes/r"),), "/workspace/r", stages)


def plan_of(recipe: Recipe, vendor: dict[str, str] | None = None) -> Plan:
    base = ArchiveBase(
        file="v.tar", architecture="amd64", env=vendor or {}, layers=(ArchiveLayer(diff_id=SHA, size=1),), epoch=1
    )
    sdist = LockedSdist(epoch=1, sdist=Artefact(name="x", version="1", file="x-1.tar.gz", size=1, sha256=SHA))
    lock = Lock(recipe="r", epoch=1, requests={}, base=base, env=LockedEnv(), sources={"x": sdist}, weights={}, data={})
    return plan(recipe, lock)


def read(text: str) -> list[Instruction]:
    """The instructions, which are the same in every dialect."""
    first, second = (parse(text, dialect) for dialect in DIALECTS)
    assert first == second
    return first


def check(recipe: Recipe, vendor: dict[str, str] | None = None, gone: tuple[str, ...] = ()) -> None:
    """The whole Dockerfile, and what the engine is told of each run part, are read as what the recipe says."""
    made = plan_of(recipe, vendor)
    found = read(dockerfile(made, gone))
    image_mode = recipe.model.migration is not None and recipe.model.migration.mode == "image"
    converted = [*["ARG"] * ARGUMENTS, "RUN", *["RUN"] * bool(gone)] if image_mode else []
    steps = [step.strip(" \t") for step in recipe.model.install_lines]
    assert [one.name for one in found] == [
        *("ARG", "FROM", "ENV", "FROM", "COPY", "FROM"),
        *converted,
        *["COPY"] * (recipe.model.migration is not None),
        *["ARG"] * ARGUMENTS,
        *("WORKDIR", *["RUN"] * len(steps), "FROM", "WORKDIR"),
        *["LABEL"] * len(labels(made, "weights")),
        "CMD",
    ]
    by_name = {name: [one for one in found if one.name == name] for name in ("ENV", "RUN", "WORKDIR", "LABEL", "CMD")}
    [env], [cmd] = by_name["ENV"], by_name["CMD"]
    assert pairs(env.text) == environment(made)
    assert cmd.words == tuple(command(made))
    assert [expanded(one.text) for one in by_name["WORKDIR"]] == [recipe.workspace, workdir(made, "weights")]
    assert {k: v for one in by_name["LABEL"] for k, v in pairs(one.text).items()} == labels(made, "weights")
    ours, others = (
        by_name["RUN"][: len(by_name["RUN"]) - len(steps)],
        by_name["RUN"][len(by_name["RUN"]) - len(steps) :],
    )
    assert [one.text for one in others] == steps
    assert not any(one.flags or one.words or one.heredoc for one in others)
    if image_mode:
        assert ours[0].flags == ("--mount=type=bind,source=converter,target=/run/portside/converter",)
        assert not ours[0].heredoc and ours[0].words is None
        if gone:
            assert ours[1].words == ("rm", "-r", "-f", "--", *(f"{recipe.workspace}/{path}" for path in gone))
    for part in made.build_order():
        if part.kind == "run":
            alone = read(f"FROM x\n{part.manifest['instructions']}")[1:]
            assert any(found[at : at + len(alone)] == alone for at in range(len(found)))


@given(st.lists(LINE, min_size=1, max_size=3), LINE)
def test_every_accepted_line_is_that_line_for_the_shell(steps: list[str], line: str) -> None:
    accepted = [step for step in steps if recipe_of({"install": [step]}) is not None]
    values: dict[str, Any] = {"install": accepted}
    if recipe_of({"run": {"command": line}}) is not None:
        values["run"] = {"command": line}
    recipe = recipe_of(values)
    assert recipe is not None
    check(recipe)


@given(TEXT, TEXT, PATH, PATH, TEXT)
def test_every_accepted_value_is_that_value(description: str, value: str, folder: str, path: str, driver: str) -> None:
    choices: list[dict[str, Any]] = [
        {"description": description},
        {"env": {"variables": {"A": value, "HTTP_PROXY": value, "LC_ALL": value}}},
        {"env": {"path": [path]}},
        {"run": {"workdir": folder}},
        {"accelerator": {"driver": driver}},
    ]
    for values in choices:
        if (recipe := recipe_of(dict(values))) is not None:
            check(recipe)
            if values == choices[2]:
                assert environment(plan_of(recipe))["PATH"].split(":")[0] == path


@given(PATH, st.lists(TEXT.filter(bool), max_size=3))
def test_the_converter_has_its_path_and_no_other_options(path: str, gone: list[str]) -> None:
    migration = {"ruleset": "mlu", "mode": "image", "sources": ["x"], "converter": path}
    if (recipe := recipe_of({"migration": migration})) is not None:
        check(recipe, gone=tuple(gone))


@given(st.dictionaries(st.sampled_from(["A", "B", "PATH", "no_proxy"]), TEXT, max_size=4))
def test_what_a_vendors_image_sets_is_set(vendor: dict[str, str]) -> None:
    try:
        ArchiveBase(file="v.tar", architecture="amd64", env=vendor)
    except ValidationError:
        return
    recipe = recipe_of({})
    assert recipe is not None
    check(recipe, vendor)


def test_the_code_is_copied_around_the_steps_and_the_weights_last(tmp_path: Path) -> None:
    """link: all that goes into the workspace is independent of what lies below it, and the note says who reads that."""
    shutil.copytree(Path(__file__).parents[3] / "recipes", tmp_path / "recipes")
    path = tmp_path / "recipes" / "minilm.yaml"
    (tmp_path / "recipes" / "minilm" / "fix.py").write_text("1\n")
    text = path.read_text().replace("to: embed.py\n", "to: embed.py\n  - {from: fix.py, to: fix.py}\n")
    path.write_text(text.replace("install:\n", "install:\n  - {run: python3 fix.py, files: fix.py}\n"))
    lock = read_lock(path.with_suffix(".lock"))
    assert lock is not None
    made = plan(load_recipe(tmp_path, "minilm"), lock)
    found = [one for one in parse(dockerfile(made), "buildkit") if one.name in ("COPY", "RUN")]
    at = "/workspace/minilm"
    assert [one.text if one.name == "COPY" else one.name for one in found][2:] == [
        *(f"sources/ {at}/", f"migrated/ {at}/", f"install-files/ {at}/", "RUN", "RUN", f"files/ {at}/"),
        f"weights/ {at}/weights/",
    ]
    assert not any(one.flags for one in found if one.name == "COPY")
    linked = dockerfile(made, link=True)
    assert linked.count("COPY --link ") == 5
    assert linked.replace("COPY --link ", "COPY ").replace(f"# {LINK_NOTE}\n", "") == dockerfile(made)


REFUSED = [
    *("--mount=type=bind,from=x,target=/x true", "--network=host id", "--security=insecure id", "  --x id", "\t--x id"),
    *("-- id", "-x id", "+x id", '["id"]', ' [ "id" , "x" ] ', '["id"] && true', "[]", "cat <<E", "cat <<-E"),
    *("a\nb", "a\rb", "a\vb", "a\fb", "a\0b", "a\x85b", "a\u2028b", "a\u2029b", "a \\", "a \\ \t", "a \\\xa0", "a\\\\"),
    *("\xa0--x id", "id\u3000", "\u2003id", "\ud800", "", " \t", "x" * 64_000, "漢" * 15_000, "[" * 40_000),
]


@pytest.mark.parametrize("step", REFUSED, ids=[ascii(step)[:30] for step in REFUSED])
def test_lines_that_would_be_something_else_are_refused(step: str) -> None:
    assert recipe_of({"install": [step]}) is None
    assert recipe_of({"run": {"command": step}}) is None


ACCEPTED = [
    *(
        '[ -e x ] && echo "y"',
        "[ 1 -lt 2 ]",
        '[ "$A" = "b" ]',
        "# a comment",
        "echo `id` # --x",
        "\t id  ",
        "echo -- --x",
    ),
    *("a 'b  c' \"d\" \\e $F ${G}", "printf '\\\\n'", "x && --y", "echo ü 漢 😀", "x" * 50_000, "cat < a", "a >> b"),
]


@pytest.mark.parametrize("step", ACCEPTED, ids=[ascii(step)[:30] for step in ACCEPTED])
def test_lines_that_are_fine_stay_fine(step: str) -> None:
    recipe = recipe_of({"install": [step], "run": {"command": step}})
    assert recipe is not None
    check(recipe)


HEAD = "description: x\nbase: {debian: {suite: x}}\naccelerator:\n  name: cpu\n"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (HEAD.replace("x", '"a\\u2028b"', 1), "r.yaml:1: description: expected one line"),
        (HEAD + '  driver: ">=1\\n"\n', "r.yaml:5: accelerator.driver: expected"),
        (HEAD + "install:\n- id\n- --mount=type=cache,target=/c id\n", "r.yaml:7: install.1: expected a command"),
        (HEAD + "env:\n  path: [/a, '/b:/c']\n", "r.yaml:6: env.path.1: expected a folder without ':'"),
        (HEAD + "run:\n  workdir: '/a '\n", "r.yaml:6: run.workdir: expected an absolute path without blanks"),
    ],
)
def test_the_place_of_the_mistake_is_told(tmp_path: Path, text: str, place: str) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "r.yaml").write_text(text)
    with pytest.raises(RecipeError) as caught:
        load_recipe(tmp_path, "r")
    assert place in caught.value.problem


def test_a_line_that_no_builder_reads_is_an_error() -> None:
    recipe = recipe_of({})
    assert recipe is not None
    check(recipe, {"A": "x" * 60_000})
    with pytest.raises(RecipeError, match=r"line that begins with 'ENV A=.*65\d\d\d"):
        dockerfile(plan_of(recipe, {"A": "x" * 40_000, "B": "y" * 30_000}))


def test_many_removed_files_are_several_steps() -> None:
    recipe = recipe_of({"migration": {"ruleset": "mlu", "mode": "image", "sources": ["x"]}})
    assert recipe is not None
    gone = [f"x_mlu/{number:04}/{'n' * 100}" for number in range(2000)]
    found = read(dockerfile(plan_of(recipe), gone))
    steps = [one.words for one in found if one.name == "RUN" and one.words is not None]
    assert len(steps) > 1 and all(words[:4] == ("rm", "-r", "-f", "--") for words in steps)
    assert [word for words in steps for word in words[4:]] == [f"/workspace/r/{path}" for path in gone]


def test_a_name_that_json_cannot_hold_is_an_error() -> None:
    recipe = recipe_of({"migration": {"ruleset": "mlu", "mode": "image", "sources": ["x"]}})
    assert recipe is not None
    with pytest.raises(BuildError, match="no Dockerfile can name"):
        dockerfile(plan_of(recipe), ["x_mlu/\udce9.py"])


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (
            {"sha256": SHA, "size": 1, "layers": (ArchiveLayer(diff_id=SHA, size=1),), "reference": "v/x:1"},
            ["# Before that, docker load --input v.tar, and if BASE has no name here", "ARG BASE=v/x:1"],
        ),
        # An OCI layout in a folder: docker loads files only.
        (
            {"layers": (ArchiveLayer(diff_id=SHA, size=1),), "reference": "v/x:1"},
            ["# Before that, skopeo copy oci:v.tar docker-daemon:v/x:1, as docker load reads no", "ARG BASE=v/x:1"],
        ),
        (
            {"layers": (ArchiveLayer(diff_id=SHA, size=1),), "reference": "h:5000/v/x"},
            ["# Before that, skopeo copy oci:v.tar docker-daemon:h:5000/v/x:latest", "ARG BASE=h:5000/v/x:latest"],
        ),
        (
            {"layers": (ArchiveLayer(diff_id=SHA, size=1),)},
            ["# Before that, skopeo copy oci:v.tar docker-daemon:r-base:latest", "ARG BASE=r-base:latest"],
        ),
        (
            {},
            [
                "# Before that, docker load --input v.tar where it is a file",
                "# where it is a folder: skopeo copy oci:v.tar docker-daemon:r-base:latest",
                "ARG BASE",
            ],
        ),
    ],
)
def test_how_an_engine_gets_a_base_that_a_person_brings(known: dict[str, Any], expected: list[str]) -> None:
    recipe = recipe_of({})
    assert recipe is not None
    base = ArchiveBase(file="v.tar", architecture="amd64", **known)
    lock = plan_of(recipe).lock.model_copy(update={"base": base})
    lines = dockerfile(plan(recipe, lock)).split("FROM ${BASE} AS env\n")[0].splitlines()[2:]
    assert len(lines) == len(expected)
    assert all(line.startswith(start) for line, start in zip(lines, expected, strict=True)), lines
    assert lines[-1] == expected[-1]
