"""Containers with real device nodes, real rights and a real terminal.

No accelerator is needed: nodes that the machine has anyway stand in for cards, through an accelerator file of the test.
"""

import os
import pty
import shlex
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tiny_images import Counted, Sandbox, image, layer, programs

from portside.accelerators import AcceleratorProfile, Host, find_cards, load_accelerator
from portside.engines import RunSpec
from portside.errors import EngineError
from portside.recipe import Recipe
from portside.recipe.models import RecipeModel
from portside.runtime import container_spec, print_command, read_intent, run_container

NUMBERED = ("/dev/tty{index}", "/dev/vcs{index}", "/dev/ttyS{index}", "/dev/hvc{index}", "/dev/input/event{index}")
"""Numbered character devices, of which a Linux machine has at least one kind; a container may have none."""
ZERO, FULL = os.makedev(1, 5), os.makedev(1, 7)
"""Devices that every Linux has (the kernel's devices.txt); a node for one may have any name."""
RIGHTS = "cat /proc/self/status"
NETWORK = "cat /proc/net/dev"


@pytest.fixture(scope="module")
def recipe(sandbox: Sandbox) -> Iterator[Recipe]:
    """A recipe whose image, made by hand, is in the engine."""
    name = f"runtest-{os.getpid()}-{os.urandom(3).hex()}"
    model = RecipeModel.model_validate(
        {
            "description": "for tests",
            "base": {"debian": {"suite": "bookworm"}},
            "accelerator": {"name": "stand-in"},
            "run": {"targets": {"say": {"description": "says", "command": "echo $WORD", "env": {"WORD": "hello"}}}},
        }
    )
    refs = [f"portside/{name}:{part}" for part in ("migrated", "weights")]
    sandbox.engine.load(image([layer(programs(), 0o755)], refs, note=name), Counted())
    yield Recipe(name, model, Path("/nowhere"), (), f"/workspace/{name}")
    sandbox.engine.remove_container(f"portside-{name}-tester")
    for ref in refs:
        sandbox.engine.remove_image(ref)


@pytest.fixture(scope="module")
def cards() -> Iterator[str]:
    """The path of at least two numbered nodes, `{index}` for the number; removed at the end if made here."""
    for node in NUMBERED:
        if len(list(Path("/").glob(node.lstrip("/").format(index="[0-9]")))) > 1:
            yield node
            return
    node = f"/dev/portside-test-{os.getpid()}-{{index}}"
    try:
        for index, device in enumerate((ZERO, FULL)):
            os.mknod(node.format(index=index), 0o666 | stat.S_IFCHR, device)
        yield node
    finally:
        for index in range(2):
            Path(node.format(index=index)).unlink(missing_ok=True)


@pytest.fixture(scope="module")
def stand_in(cards: str, tmp_path_factory: pytest.TempPathFactory) -> AcceleratorProfile:
    """An accelerator whose cards are numbered nodes of this machine, and whose control node is /dev/full."""
    folder = tmp_path_factory.mktemp("accelerators")
    (folder / "stand-in.yaml").write_text(
        "name: stand-in\n"
        "description: nodes that stand in for cards\n"
        f"cards: {{node: '{cards}'}}\n"
        "control: [{path: /dev/full}]\n"
        "visible: {variable: STAND_IN_DEVICES, numbering: container}\n"
        "shm_size: 8MiB\n"
        "ulimits: {stack: 4194304}\n"
    )
    return load_accelerator("stand-in", folder)


@pytest.fixture
def make(recipe: Recipe, stand_in: AcceleratorProfile, sandbox: Sandbox) -> Iterator[Any]:
    def spec(command: str | None = None, **options: Any) -> RunSpec:
        host = options.pop("host", Host(user="tester"))
        mounts = options.pop("weights", ())
        intent = read_intent(recipe, command=command, mounted_weights=bool(mounts), **options)
        return container_spec(intent, host, accelerator=stand_in, weights=mounts)

    yield spec
    sandbox.engine.remove_container(f"portside-{recipe.name}-tester")


def output_of(sandbox: Sandbox, spec: RunSpec, capfd: pytest.CaptureFixture[str], code: int = 0) -> str:
    assert run_container(sandbox.engine, spec) == code
    return capfd.readouterr().out


def status_of(text: str) -> dict[str, str]:
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


def test_output_and_exit_code(sandbox: Sandbox, make: Any, capfd: pytest.CaptureFixture[str]) -> None:
    assert output_of(sandbox, make('echo "A cat."; exit 7'), capfd, 7) == "A cat.\n"


@contextmanager
def stdin(source: int) -> Iterator[None]:
    """That file descriptor as this process's stdin."""
    before = os.dup(0)
    os.dup2(source, 0)
    try:
        yield
    finally:
        os.dup2(before, 0)
        os.close(before)


def test_stdin_reaches_the_command(
    sandbox: Sandbox, make: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """More than a pipe holds; one that nobody reads; and none."""
    data = os.urandom(1 << 20).hex()
    (tmp_path / "in").write_text(data)
    with (tmp_path / "in").open("rb") as source, stdin(source.fileno()):
        assert output_of(sandbox, make("cat"), capfd) == data
    read, write = os.pipe()
    try:
        with stdin(read):
            assert output_of(sandbox, make("echo here"), capfd) == "here\n"
    finally:
        os.close(read)
        os.close(write)
    with open(os.devnull, "rb") as nothing, stdin(nothing.fileno()):
        assert output_of(sandbox, make("cat; echo end"), capfd) == "end\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_reaches_the_command(number: signal.Signals, sandbox: Sandbox, make: Any) -> None:
    """It sees the signal, has its time and gives its exit code; nothing is left running."""
    spec = make(f"trap 'echo saw; exit 5' {number:d}; echo ready; while :; do sleep 0.1; done", stop_seconds=60)
    said = bytearray()

    def told(stdout: bytes, stderr: bytes) -> None:
        said.extend(stdout)
        if b"ready" in stdout:
            os.kill(os.getpid(), number)

    before = signal.signal(number, signal.default_int_handler)  # a shell may have it ignored in the background
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("portside.runtime.run._write", told)
            assert run_container(sandbox.engine, spec) == 5
    finally:
        signal.signal(number, before)
    assert said == b"ready\nsaw\n"
    assert sandbox.engine.find_container(spec.name) is None


COUNTS = r"""
#include <signal.h>
#include <stdio.h>
#include <time.h>
static volatile sig_atomic_t seen[65];
static void note(int number) { seen[number]++; }
int main(void) {
    int numbers[] = {SIGINT, SIGTERM, SIGHUP}, i, sum = 0;
    struct timespec tick = {0, 10000000};
    for (i = 0; i < 3; i++) signal(numbers[i], note);
    puts("ready");
    fflush(stdout);
    while (!sum) {
        nanosleep(&tick, 0);
        for (i = 0; i < 3; i++) sum += seen[numbers[i]];
    }
    for (i = 0; i < 50; i++) nanosleep(&tick, 0);  /* one that is sent twice comes twice */
    printf("INT %d TERM %d HUP %d\n", seen[SIGINT], seen[SIGTERM], seen[SIGHUP]);
    return 6;
}
"""


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A static program that counts its signals."""
    folder = tmp_path_factory.mktemp("counts")
    (folder / "counts.c").write_text(COUNTS)
    subprocess.run(["gcc", "-static", "-O", "-o", folder / "counts", folder / "counts.c"], check=True)
    return folder


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_the_command_sees_each_signal_once(number: signal.Signals, sandbox: Sandbox, make: Any, counts: Path) -> None:
    """With the engine's init or without: no other signal, and none twice."""
    spec = make("/counts/counts", stop_seconds=60, mounts=[f"{counts}:/counts:ro"])
    said = bytearray()

    def told(stdout: bytes, stderr: bytes) -> None:
        said.extend(stdout)
        if b"ready" in stdout:
            os.kill(os.getpid(), number)

    before = signal.signal(number, signal.default_int_handler)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("portside.runtime.run._write", told)
            code = run_container(sandbox.engine, spec)
    finally:
        signal.signal(number, before)
    words = said.decode().split()
    seen = dict(zip(words[1::2], map(int, words[2::2]), strict=True))
    assert (code, seen) == (6, {"INT": 0, "TERM": 0, "HUP": 0} | {number.name.removeprefix("SIG"): 1})
    assert sandbox.engine.find_container(spec.name) is None


def test_exactly_the_devices_asked_for(
    sandbox: Sandbox, make: Any, stand_in: AcceleratorProfile, capfd: pytest.CaptureFixture[str]
) -> None:
    first, second, *_ = find_cards(stand_in, Host())
    look = f"for n in {first.node} {second.node} /dev/full; do [ -c $n ] && echo $n; done; echo $STAND_IN_DEVICES"
    assert output_of(sandbox, make(look, devices=[second.index]), capfd).split() == [second.node, "/dev/full", "0"]
    assert output_of(sandbox, make(look, devices="all"), capfd).split()[:2] == [first.node, second.node]
    # /dev/full is in every container; the cards are in none that does not ask for them.
    assert output_of(sandbox, make(look, devices="none"), capfd).split() == ["/dev/full"]


def test_limits_of_a_container_with_a_card(sandbox: Sandbox, make: Any, capfd: pytest.CaptureFixture[str]) -> None:
    limits = output_of(sandbox, make("cat /proc/self/limits /proc/self/mounts"), capfd)
    stack = next(line for line in limits.splitlines() if line.startswith("Max stack size"))
    assert stack.split()[3:5] == ["4194304", "4194304"]
    assert "size=8192k" in next(line for line in limits.splitlines() if " /dev/shm " in line)


def test_rights_and_network(sandbox: Sandbox, make: Any, capfd: pytest.CaptureFixture[str]) -> None:
    root = status_of(output_of(sandbox, make(RIGHTS), capfd))
    # capabilities(7): CHOWN 0, DAC_OVERRIDE 1, FOWNER 3, SETGID 6, SETUID 7.
    assert int(root["CapEff"], 16) == int(root["CapBnd"], 16) == 0b11001011
    assert root["NoNewPrivs"] == "1"
    person = status_of(output_of(sandbox, make(RIGHTS, user="1000:1000"), capfd))
    assert person["Uid"].split() == ["1000"] * 4
    assert int(person["CapEff"], 16) == int(person["CapBnd"], 16) == 0
    assert int(person["Pid"]) < 100, "the host's processes are seen"
    names = [line.partition(":")[0].strip() for line in output_of(sandbox, make(NETWORK), capfd).splitlines()]
    assert "lo" in names
    assert not any(name.startswith("eth") for name in names)


def test_mounts(sandbox: Sandbox, make: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/data").write_text("of the host\n")
    (tmp_path / "out").mkdir()
    spec = make(
        "cat /data/data > /out/copy; echo x 2> /dev/null > /data/new || echo refused",
        mounts=[f"{tmp_path}/in:/data:ro", f"{tmp_path}/out:/out"],
    )
    assert output_of(sandbox, spec, capfd) == "refused\n"
    assert (tmp_path / "out/copy").read_text() == "of the host\n"
    assert not (tmp_path / "in/new").exists()


def test_the_dry_runs_line_does_the_same(sandbox: Sandbox, make: Any, capfd: pytest.CaptureFixture[str]) -> None:
    spec = make(RIGHTS + "; echo \"$STAND_IN_DEVICES '$HOME'\"; exit 4", devices="all", env=["HOME=/a b"])
    print_command(spec, sandbox.engine.name)
    line = capfd.readouterr().out
    ours = output_of(sandbox, spec, capfd, 4)
    done = subprocess.run(shlex.split(line), capture_output=True, text=True)
    assert done.returncode == 4

    def what_counts(text: str) -> list[str]:
        return [part for part in text.splitlines() if part.startswith(("Cap", "Uid", "NoNew", "Seccomp:", "0,"))]

    assert what_counts(done.stdout) == what_counts(ours)
    assert ours.splitlines()[-1].endswith("'/a b'")


def test_a_target(sandbox: Sandbox, make: Any, capfd: pytest.CaptureFixture[str]) -> None:
    assert output_of(sandbox, make(target="say"), capfd) == "hello\n"


def test_an_image_that_is_not_built(sandbox: Sandbox, make: Any, recipe: Recipe) -> None:
    with pytest.raises(EngineError, match=f"invoke build --recipe {recipe.name} --layer env"):
        run_container(sandbox.engine, make("true", layer="env"))


def test_in_the_background(sandbox: Sandbox, make: Any, capfd: pytest.CaptureFixture[str]) -> None:
    spec = make("sleep 600", detach=True)
    assert output_of(sandbox, spec, capfd) == f"{spec.name}\n"
    found = sandbox.engine.find_container(spec.name)
    assert found is not None
    assert found.running
    assert found.image == sandbox.engine.image_id(spec.image)
    with pytest.raises(EngineError, match="is running"):
        run_container(sandbox.engine, spec)
    assert output_of(sandbox, make("echo within; exit 2"), capfd, 2) == "within\n"
    assert run_container(sandbox.engine, make("true", devices="none"), recreate=True) == 0
    assert sandbox.engine.find_container(spec.name) is None


IN_A_TERMINAL = """
import sys
from portside.accelerators import load_accelerator
from portside.engines import RunSpec, open_engine
from portside.runtime import run_container
engine, image, name, settings = sys.argv[1:]
from portside.runtime.spec import SHELL
spec = RunSpec(image, SHELL, name=name, terminal=True, keep=True,
               labels={"portside.settings": settings, "portside.kept": "shell"})
sys.exit(run_container(open_engine(engine), spec))
"""


def in_a_terminal(engine: str, spec: RunSpec, typed: str) -> tuple[int, str]:
    """Run the spec's container from a terminal of its own, type something; gives exit code and screen."""
    child, screen = pty.fork()
    if child == 0:
        settings = spec.labels["portside.settings"]
        arguments = [engine, spec.image, str(spec.name), settings]
        os.execv(sys.executable, [sys.executable, "-c", IN_A_TERMINAL, *arguments])
    os.write(screen, typed.encode())
    seen = b""
    while True:
        try:
            piece = os.read(screen, 4096)
        except OSError:  # the terminal's other end is closed
            break
        if not piece:
            break
        seen += piece
    os.close(screen)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), seen.decode()


def test_a_shell_is_kept_and_entered_again(
    sandbox: Sandbox, make: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    shell = make(host=Host(user="tester", terminal=True), devices="none")
    code, seen = in_a_terminal(sandbox.engine.name, shell, "echo is $((6 * 7)) > /note; cat /note\nexit 3\n")
    assert "is 42" in seen
    assert code == 3
    stopped = sandbox.engine.find_container(shell.name)
    assert stopped is not None
    assert not stopped.running
    assert output_of(sandbox, make("cat /note", devices="none"), capfd) == "is 42\n"
    code, seen = in_a_terminal(sandbox.engine.name, shell, "cat /note\nexit 0\n")
    assert "is 42" in seen
    assert code == 0
    with pytest.raises(EngineError, match="other devices"):
        run_container(sandbox.engine, make("true", devices="none", network="bridge"))
    with pytest.raises(EngineError, match="other devices"):
        run_container(sandbox.engine, make("true"))
