"""What a person meets before a task starts: help, options, words that mean nothing."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import calls
import pytest

from portside import __version__
from portside.cli.program import Portside
from portside.cli.root import CHECKOUT as ROOT
from portside.cli.task import example

Run = Callable[..., tuple[object, str, str]]
TASKS = [
    *("build", "bundle", "capture", "cdi", "check", "clean", "develop", "diff", "doctor", "fetch", "init", "inspect"),
    *("load", "lock", "migrate", "new", "patch", "plan", "pull", "push", "recipes", "render", "run-container", "save"),
    *("setup", "test", "unbundle", "verify"),
]


def start(*words: str, program: str) -> "subprocess.CompletedProcess[str]":
    return calls.call(ROOT, words, {}, program)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the program in this process, for what ends before a task starts; gives exit code, stdout, stderr."""
    monkeypatch.chdir(ROOT)

    def call(*words: str) -> tuple[object, str, str]:
        # invoke takes a task's help out of it while parsing
        for module in (
            "tasks",
            "begin_tasks",
            "build_tasks",
            "container_tasks",
            "develop_tasks",
            "draft_tasks",
            "image_tasks",
            "lock_tasks",
            "own_tests",
            "plan_tasks",
        ):
            monkeypatch.delitem(sys.modules, f"portside.cli.{module}", raising=False)
            monkeypatch.delattr(f"portside.cli.{module}", raising=False)
        with pytest.raises(SystemExit) as ended:
            Portside().run(["invoke", *words])
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return call


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["build", "--foo"], ["build has no option --foo", "invoke build --recipe minilm", "invoke --help build"]),
        (["build", "--recipe", "minilm", "--josn"], ["no option --josn", "Did you mean '--json'?"]),
        (["build", "--recipe=minilm", "--enigne=docker"], ["no option --enigne", "Did you mean '--engine'?"]),
        (["build", "-q", "minilm"], ["build has no option -q", "invoke --help build"]),
        (["build", "minilm"], ["does not take 'minilm'", "Did you mean --recipe minilm?"]),
        (["inspect", "--recipe", "minilm", "chatglm"], ["inspect takes one recipe: 'chatglm' is another"]),
        (["lock", "--recipe", "minilm", "--update"], ["--update needs a value", "--update numpy"]),
        (["run-container", "--mount", "--recipe", "minilm"], ["--mount needs a value"]),
        (["buid"], ["no task 'buid'", "Did you mean 'build'?"]),
        (["--foo"], ["no option '--foo'"]),
        (["--recipe", "minilm", "build"], ["no option '--recipe'", "comes after the task: invoke TASK --recipe …"]),
        (["build", "--recipe"], ["build: --recipe needs a value"]),
        (["plan", "--json=5", "--recipe", "minilm"], ["plan does not take '5'"]),
        (["help", "nosuch"], ["no task 'nosuch'"]),
        (["diff", "minilm"], ["diff needs RIGHT", "invoke diff minilm:env minilm:migrated"]),
        (["plan", "--recipe", "minilm", "chek"], ["'chek'", "Did you mean 'check'?"]),
    ],
)
def test_words_that_mean_nothing_are_usage_errors(run: Run, words: list[str], expected: list[str]) -> None:
    code, _, err = run(*words)
    assert code == 2
    assert err.startswith("error: ")
    for piece in expected:
        assert piece in err, err


@pytest.mark.parametrize("program", ["python -m portside", "invoke"])
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["build"], "error: build needs --recipe, --all or --changed-since\n  Example: invoke build --recipe minilm;"),
        (
            ["save", "--recipe", "minilm"],
            "error: save needs --output\n  Example: invoke save --recipe minilm ",
        ),
        (["migrate"], "error: migrate needs --source and --output\n  Example: invoke migrate --source "),
        (["plan", "--recipe", "minlm"], "  Did you mean 'minilm'? Known recipes: "),
    ],
)
def test_missing_options_are_usage_errors(program: str, words: list[str], expected: str) -> None:
    done = start(*words, program=program)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("task", ["diff", "init"])
def test_help_behind_a_task_whose_arguments_have_no_options(run: Run, task: str, tmp_path: Path) -> None:
    assert run(task, "--help")[:2] == run("help", task)[:2]
    assert not Path("--help").exists()


@pytest.mark.parametrize("task", TASKS)
def test_help_of_a_task_is_whole(run: Run, task: str) -> None:
    code, out, _ = run("help", task)
    assert code == 0
    usage, _, rest = out.partition("\n\n")
    assert usage.startswith(f"Usage: invoke {task}")
    shown = example(out)
    assert shown is not None and shown.startswith(f"invoke {task}"), out
    for name in re.findall(r"(?<!\[)--[a-z-]+", usage):
        assert name in shown, f"{task} needs {name}, and its example does not give it"
    rows = rest.partition("Options:\n\n")[2]
    assert not re.search(r"(^|\s)-[a-z]\b[ ,]|--,|STRING", re.sub(r"\(.*?\)", "", rows)), rows
    for row in re.findall(r"^  (--\S+(?: [A-Z]+)?)(.*)", rows, re.MULTILINE):
        assert row[1].startswith("  ") and row[1].strip(), f"{row[0]} is not explained"


def test_options_that_take_a_value_say_so(run: Run) -> None:
    out = run("help", "run-container")[1]
    assert re.search(r"^  --mount MOUNT +HOST:CONTAINER", out, re.MULTILINE)
    assert re.search(r"^  --detach +run in", out, re.MULTILINE)


def test_all_tasks_are_listed(run: Run) -> None:
    for words in ([], ["--list"], ["--help"], ["help"]):
        code, out, _ = run(*words)
        assert code == 0
        assert re.findall(r"^  ([a-z-]+)  ", out, re.MULTILINE)[: len(TASKS)] == TASKS


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one recipe, for calls that start Python anew: they need not read all of ours."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PORTSIDE_HOME", str(tmp_path / "home"))
    folder = tmp_path / "project"
    (folder / "recipes").mkdir(parents=True)
    (folder / "portside.toml").touch()
    (folder / "recipes" / "one.yaml").write_text(
        "description: one\nbase: {debian: {suite: bookworm}}\naccelerator: {name: cpu}\n"
    )
    return folder


def test_a_reader_that_has_seen_enough_is_no_error(small: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "portside", "recipes"]
    with os.fdopen(write, "wb") as closed:
        done = subprocess.run(command, cwd=small, stdout=closed, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize(("words", "code"), [("recipes", 0), ("inspect --recipe nothing", 2)])
def test_a_stream_that_the_caller_closed_is_no_error(small: Path, number: int, words: str, code: int) -> None:
    """Nor does a file of the store get its number: what is printed would go there."""
    command = f'exec "$0" -m portside {words} {number}<&-'
    done = subprocess.run(["sh", "-c", command, sys.executable], cwd=small, capture_output=True)
    assert done.returncode == code, done.stderr
    assert b"Traceback" not in done.stderr
    assert bool(done.stderr) == (code != 0 and number != 2)
    assert bool(done.stdout) == (code == 0 and number != 1)


@pytest.mark.parametrize("words", ["recipes", "--list", "help build"])
def test_a_stream_that_takes_no_more_is_told(small: Path, words: str) -> None:
    command = [sys.executable, "-m", "portside", *words.split()]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, cwd=small, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (1, "error: stdout cannot be written: No space left on device\n")


def test_the_version_is_ours(run: Run) -> None:
    assert run("--version") == (0, f"Portside {__version__}\n", "")


FAILING = """
from invoke.context import Context
from portside.cli import program
from portside.cli.task import portside_task
from portside.errors import InputError

def fail(kind):
    try:
        raise ValueError("tried http://anna:S3CR3T@h/x")
    except ValueError as error:
        raise kind("see https://h/x?token=S3CR3T") from error

@portside_task()
def task(c):
    fail(ERROR)

program.Portside.run = lambda self: task(Context())
program.main()
"""


@pytest.mark.parametrize("error", ["InputError", "RuntimeError"])
def test_a_traceback_shows_no_password(error: str) -> None:
    """Neither one that a person asked for nor one that nobody expected."""
    command = [sys.executable, "-c", FAILING.replace("ERROR", error)]
    environment = os.environ | {"PORTSIDE_DEBUG": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Traceback" in done.stderr and "http://h/x" in done.stderr and "https://h/x?token=***" in done.stderr
    assert "S3CR3T" not in done.stdout + done.stderr
