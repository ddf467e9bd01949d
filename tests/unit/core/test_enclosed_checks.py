"""A recipe's own checks: who lets them run, and what they reach."""

import json
import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from portside.check import layer_checks, trust
from portside.check.broker import SOCKET, broker
from portside.check.enclosed import Enclosure
from portside.recipe import Recipe, load_recipe
from portside.store import Store

ENGINE = """\
#!/bin/sh
# exec [--user USER] CONTAINER /bin/sh -c LINE
printf '%s\\n' "$*" >> {log}
while [ "$1" != /bin/sh ]; do shift; done
exec "$@"
"""
RECIPE = "{description: d, base: {debian: {suite: bookworm}}, accelerator: {name: cpu}, checks: [checks/test_own.py]}"
CHECK = """\
import ctypes, os, socket, subprocess
from pathlib import Path

import pytest
import testinfra
from beside import WORD

ME = Path(__file__)

def test_it_has_the_container_alone(host, expected):
    assert WORD == "beside" and expected == {"engine": "docker"}
    assert host.check_output("echo %s", "it's") == "it's"
    assert host.run("printf '\\\\377'; exit 3").stdout_bytes == b"\\xff"
    assert host.run("exit 3").rc == 3
    assert testinfra.get_host("docker://another").check_output("echo one") == "one"
    with testinfra.get_host("docker://nobody@x").sudo():
        pass

def test_nothing_can_be_written_but_temporary_files(tmp_path):
    (tmp_path / "x").write_text("x")
    for folder in map(Path, (ME.parent, "/", "/usr", "/etc", "/run/portside", Path(pytest.__file__).parent)):
        with pytest.raises(OSError, match="Read-only"):
            (folder / "planted").write_text("x")
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.mount(None, b"/usr", None, 32 | 4096, None) == -1

def test_nothing_else_can_be_reached():
    for family, address in ((socket.AF_INET, ("127.0.0.1", PORT)), (socket.AF_UNIX, PLACE)):
        with socket.socket(family) as connection, pytest.raises(OSError):
            connection.connect(address)
    assert not Path(SECRET).exists() and "SECRET_OF_MINE" not in os.environ
    assert os.getpid() == 1 or not Path("/proc/1").exists()
    assert subprocess.run("docker ps", shell=True, capture_output=True).returncode != 0
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    folder = tmp_path / "project/recipes/r"
    (folder / "checks").mkdir(parents=True)
    folder.with_suffix(".yaml").write_text(RECIPE)
    (folder / "checks/test_own.py").write_text("def test_it(host): assert host.check_output('echo hi') == 'hi'\n")
    (folder / "checks/beside.py").write_text("WORD = 'beside'\n")
    return load_recipe(tmp_path / "project", "r")


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that is called docker and runs every command here; gives where it notes its arguments."""
    program = tmp_path / "bin/docker"
    program.parent.mkdir()
    program.write_text(ENGINE.format(log=tmp_path / "calls"))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return tmp_path / "calls"


def check_own(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encloses: bool) -> tuple[int, str]:
    """Run the recipe's checks, without those of Portside itself."""
    (tmp_path / "none").mkdir()

    @contextmanager
    def container(*arguments: Any) -> Any:
        yield "the-one"

    for name in ("test_weights.py", "test_image.py"):
        (tmp_path / "none" / name).write_text("def test_nothing(): pass\n")
    monkeypatch.setattr(layer_checks, "_container", container)
    monkeypatch.setattr(layer_checks, "expectations", lambda *arguments: {})
    monkeypatch.setattr(layer_checks, "own_tests", lambda name: [tmp_path / "none" / f"test_{name}.py"])
    plan: Any = SimpleNamespace(recipe=recipe)
    runner: Any = SimpleNamespace(name="docker")
    store = Store(tmp_path / "home")
    return layer_checks._check_layer(plan, store, runner, "weights", layer_checks._Running(), encloses)


def allowed(recipe: Recipe, tmp_path: Path) -> None:
    if not layer_checks._may_enclose(recipe, Store(tmp_path / "home")):
        pytest.skip("this machine encloses nothing")


def test_what_enclosed_checks_reach(
    recipe: Recipe, tmp_path: Path, engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed(recipe, tmp_path)
    monkeypatch.setenv("SECRET_OF_MINE", "x")
    secret = tmp_path / "secret"
    secret.write_text("x")
    with socket.socket() as listening, socket.socket(socket.AF_UNIX) as local:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        local.bind(str(tmp_path / "s"))
        local.listen()
        given = {"PORT": listening.getsockname()[1], "PLACE": str(tmp_path / "s"), "SECRET": str(secret)}
        text = "".join(f"{name} = {value!r}\n" for name, value in given.items())
        (recipe.folders[0] / "checks/test_own.py").write_text(text + CHECK)
        code, output = check_own(recipe, tmp_path, monkeypatch, True)
    assert code == 0 and "3 passed" in output, output
    calls = engine.read_text().splitlines()
    assert calls and all(call.startswith("exec the-one /bin/sh -c ") for call in calls)


def test_without_namespaces_they_run_by_the_same_way(
    recipe: Recipe, tmp_path: Path, engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, output = check_own(recipe, tmp_path, monkeypatch, False)
    assert code == 0, output
    assert engine.read_text() == "exec the-one /bin/sh -c echo hi\n"


def test_a_machine_that_encloses_nothing_says_so(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refusing = tmp_path / "enter.py"
    refusing.write_text("import sys\nsys.exit('unshare: Operation not permitted')\n")
    monkeypatch.setattr("portside.check.enclosed.ENTER", refusing)
    assert not layer_checks._may_enclose(recipe, Store(tmp_path / "home"))
    assert "run with your rights, and with your network" in (said := capsys.readouterr().err)
    assert "unshare: Operation not permitted" in said


def test_who_ends_it_ends_all_of_it(recipe: Recipe, tmp_path: Path) -> None:
    allowed(recipe, tmp_path)
    (tmp_path / "root").mkdir()
    os.mkfifo(tmp_path / "word")
    enclosure = Enclosure({"/given": tmp_path}, tmp_path / "root", "/")
    code = "import time; open('/given/word', 'w').write('begun'); time.sleep(600)"
    with subprocess.Popen(enclosure.command([sys.executable, "-c", code], {}), stdout=subprocess.PIPE) as child:
        assert (tmp_path / "word").read_text() == "begun"
        child.terminate()
        assert child.stdout is not None and child.stdout.read() == b""  # the last who holds it has gone


def ask(place: Path, request: bytes) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(place))
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as stream:
            answer: dict[str, Any] = json.loads(stream.readline())
            return answer


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        (b"", "Expecting value"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[]", "expected a command"),
        (b'{"command": 5}', "expected a command"),
        (b'{"command": "a\\u0000b"}', "null byte"),
        (b'{"command": "true", "user": "--privileged"}', "no user is called"),
        (b'{"command": "true", "user": "root another"}', "no user is called"),
        (b'{"command": "\xff"}', "utf-8"),
        (b'{"command": "yes"}', "wrote more than"),
    ],
)
def test_what_the_broker_refuses(
    tmp_path: Path, engine: Path, monkeypatch: pytest.MonkeyPatch, request_: bytes, problem: str
) -> None:
    monkeypatch.setattr("portside.check.broker.LARGEST_OUTPUT", 1 << 20)
    with broker("docker", "the-one", tmp_path):
        assert problem in ask(tmp_path / SOCKET, request_)["problem"]
        assert ask(tmp_path / SOCKET, b'{"command": "exit 3", "user": "u:g"}')["code"] == 3
    assert engine.read_text().splitlines()[-1] == "exec --user u:g the-one /bin/sh -c exit 3"


def test_they_are_trusted_as_they_are(recipe: Recipe, tmp_path: Path) -> None:
    store = Store(tmp_path / "home")
    checks = trust.own_checks(recipe)
    assert checks is not None and trust.is_trusted(checks, store) is None
    trust.note_bundle(recipe, store, "r.bundle")
    assert trust.is_trusted(checks, store) is False and trust.brought_by(checks, store) == "r.bundle"
    trust.trust(checks, store)
    trust.note_bundle(recipe, store, "again.bundle")
    assert trust.is_trusted(checks, store) is True
    (recipe.folders[0] / "checks/__pycache__").mkdir()
    (recipe.folders[0] / "checks/__pycache__/x.pyc").write_text("x")
    assert trust.own_checks(recipe) == checks
    (recipe.folders[0] / "checks/beside.py").write_text("WORD = 'other'\n")
    changed = trust.own_checks(recipe)
    assert changed is not None and trust.is_trusted(changed, store) is None
