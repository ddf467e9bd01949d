"""The installed wheel, away from the checkout: what the command finds there, nothing of it from elsewhere."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import calls
import pytest
from wheels import ROOT, build_wheel, copy_of_checkout

from portside import __version__


@dataclass(frozen=True)
class Installed:
    """site: where the package is; what it depends on is this Python's. cwd: the current folder."""

    site: Path
    cwd: Path

    def run(self, *command: str) -> str:
        """Run a command that must succeed; gives its stdout."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PORTSIDE_", "PYTHON"))}
        own = {"PYTHONPATH": str(self.site), "HOME": str(self.cwd), "PORTSIDE_HOME": str(self.cwd / "home")}
        done = subprocess.run(
            command, cwd=self.cwd, env=kept | own, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
        assert done.returncode == 0, done.stderr
        assert str(ROOT) not in done.stdout + done.stderr
        return done.stdout

    def portside(self, *words: str) -> str:
        return self.run(sys.executable, str(self.site / "bin" / "portside"), *words)

    def invoke(self, *words: str) -> str:
        return self.run(sys.executable, "-m", "invoke", *words)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    wheel = build_wheel(copy_of_checkout(folder / "checkout"))
    options = ["--quiet", "--no-deps", "--no-index", "--python", sys.executable, "--target", str(folder / "site")]
    command = [Path(sys.executable).with_name("uv"), "pip", "install", *options, wheel]
    subprocess.run(command, check=True, capture_output=True)
    (folder / "checkout").rename(folder / "gone")
    return folder / "site"


@pytest.fixture
def installed(site: Path, tmp_path: Path) -> Installed:
    return Installed(site, tmp_path)


def test_the_command_is_the_wheels(installed: Installed) -> None:
    assert installed.portside("--version") == f"Portside {__version__}\n"
    assert installed.run(sys.executable, "-c", "import portside; print(portside.__file__)") == (
        f"{installed.site}/portside/__init__.py\n"
    )
    listed = installed.portside("--list")
    assert " build " in listed and " test " not in listed


def test_a_new_project_plans_as_the_repository_does(installed: Installed) -> None:
    installed.portside("init", "demo", "--example", "chatglm-cpu")
    demo = Installed(installed.site, installed.cwd / "demo")
    inside = Installed(installed.site, installed.cwd / "demo" / "recipes" / "chatglm")
    for recipe, run in (("chatglm", inside.portside), ("chatglm-cpu", demo.invoke)):
        words = ["plan", "--recipe", recipe, "--no-pull", "--json"]
        ours = calls.call(ROOT, words, {"PORTSIDE_HOME": str(installed.cwd / "other")}, "python -m portside")
        assert ours.returncode == 0, ours.stderr
        assert without_free(ours.stdout) == without_free(run(*words))


def without_free(text: str) -> str:
    """The JSON of `plan`, without what may change from one call to the next: the engine's free bytes."""
    return re.sub(r'("free": )\d+', r"\1…", text)


def test_what_it_reads_at_run_time_is_there(installed: Installed) -> None:
    (installed.cwd / "in").mkdir()
    (installed.cwd / "in" / "x.py").write_text("import torch\ntorch.zeros(1).cuda()\n")
    installed.portside("migrate", "--source", "in", "--output", "out", "--ruleset", "npu")
    page = (installed.cwd / "out" / "report.html").read_text()
    assert "<style>" in page and "<script" in page
    installed.portside("setup", "--dry-run")
    complete = installed.portside("--complete", "--", "portside", "init", "--example ")
    assert complete.split() == sorted(path.stem for path in (ROOT / "recipes").glob("*.yaml"))
    assert "complete -o default -F _complete_portside portside\n" in installed.portside(
        "--print-completion-script", "bash"
    )
    assert os.access(installed.site / "portside" / "begin" / "scripts" / "start-engine", os.X_OK)
