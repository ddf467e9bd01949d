"""The porting loop with a real engine: edits are in the container at once, and the captured recipe builds them."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pipeline import docker
from tiny_project import MORE_PROGRAMS, TinyProject, remove, tiny_project

MAIN = b"import torch\nx = torch.zeros(1).cuda()\nprint('one')\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyProject]:
    made = tiny_project(tmp_path_factory.mktemp("develop"))
    made.programs = (*MORE_PROGRAMS, "setsid", "stat", "chown")
    name = made.add(
        "loop",
        install=("echo made > made.txt", "echo more >> model_mlu/setup.cfg"),
        files={"run.sh": b"cat model_mlu/main.py\n"},
        repositories={
            "model": {"main.py": MAIN, "setup.cfg": b"[a]\n", "lib/a.py": b"a = 1\n", "lib/b.py": b"b = 2\n"}
        },
        migration={"ruleset": "mlu", "sources": ["model"]},
        weights={"w.bin": b"weights\n"},
        run={"targets": {"go": {"description": "goes", "command": "sh run.sh"}}},
        patches=[
            {"name": "two", "set-line": "print('one')", "to": "print('two')", "files": "model_mlu/main.py", "count": 1}
        ],
    )
    made.machine.run("build", "--recipe", name)
    yield made
    for container in docker("ps", "--all", "--quiet", "--filter", f"name=portside-{name}-").split():
        docker("rm", "--force", container)
    remove(made)


def test_the_loop(project: TinyProject) -> None:
    name, run = project.names[0], project.machine.run
    work = project.machine.checkout / "work" / name
    said = run("develop", "--recipe", name, "--command", "cat model_mlu/main.py made.txt weights/w/w.bin; ls -a .git")
    assert said.stdout.endswith("print('two')\nmade\nweights\n.\n..\n")
    (work / "model_mlu/main.py").write_text((work / "model_mlu/main.py").read_text().replace("two", "four"))
    (work / "model_mlu/lib/b.py").unlink()
    (work / "model_mlu/lib/c.py").write_text("c = 3\n")
    assert "four" in run("develop", "--recipe", name, "--command", "sh run.sh; touch /kept").stdout
    assert run("develop", "--recipe", name, "--command", "ls /kept").stdout == "/kept\n"
    (work / "made.txt").write_text("edited\n")
    assert "made.txt: an install step writes it" in run("capture", "--recipe", name, expect=2).stderr
    (work / "made.txt").write_text("made\n")
    run("capture", "--recipe", name)
    run("build", "--recipe", name)
    told = run("run-container", "--recipe", name, "--command", "cat model_mlu/main.py; ls model_mlu/lib; cat made.txt")
    assert told.stdout.endswith("print('four')\na.py\nc.py\nmade\n")
    older = run("develop", "--recipe", name, "--command", "true", expect=6).stderr
    assert "is of an older" in older and "--recreate" in older
    assert run("develop", "--recipe", name, "--recreate", "--command", "sh run.sh").stdout.endswith("print('four')\n")
    assert "has already" in run("capture", "--recipe", name).stdout
    (work / "model_mlu/main.py").write_text("lost = 1\n")
    run("develop", "--recipe", name, "--reset", "--layout-only")
    assert (work / "model_mlu/main.py").read_text().endswith("print('four')\n")
    kept = subprocess.run(["git", "for-each-ref", "refs/portside/before"], cwd=work, capture_output=True, text=True)
    ref = kept.stdout.split()[-1]
    shown = subprocess.run(["git", "show", f"{ref}:model_mlu/main.py"], cwd=work, capture_output=True, text=True)
    assert shown.stdout == "lost = 1\n"


def test_a_watched_target_starts_again(project: TinyProject, tmp_path: Path) -> None:
    name, machine = project.names[0], project.machine
    work = machine.checkout / "work" / name
    main = work / "model_mlu/lib/a.py"
    command = machine.command("develop", "--recipe", name, "--recreate", "--watch", "go", "--folder", str(work))
    machine.run("develop", "--recipe", name, "--layout-only")
    (work / "run.sh").write_text("cat model_mlu/lib/a.py\n")
    output = tmp_path / "output"
    # A shell's background job, which this test run may be, hands down that SIGINT is ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with output.open("wb") as stream:
            child = subprocess.Popen(
                command,
                env=machine.environ(),
                cwd=machine.checkout,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
    finally:
        signal.signal(signal.SIGINT, before)
    try:
        wait_for(output, "a = 1", child)
        (work / "out.log").write_text("no code\n")
        main.write_text("a = 'changed'\n")
        wait_for(output, "a = 'changed'", child)
        assert output.read_text().count("starting again") == 1
    finally:
        child.send_signal(signal.SIGINT)
        assert child.wait(60) == 130
    assert not docker("ps", "--quiet", "--filter", f"name=portside-{name}-").strip()


def wait_for(output: Path, text: str, child: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 60
    while text not in output.read_text():
        assert time.monotonic() < until and child.poll() is None, output.read_text()
        time.sleep(0.05)


def test_files_stay_the_callers(project: TinyProject) -> None:
    """What the container's root writes belongs to the folder's owner in the end."""
    name = project.names[0]
    work = project.machine.checkout / "work" / name
    project.machine.run("develop", "--recipe", name, "--layout-only")
    for path in (work, *work.rglob("*")):
        os.chown(path, 12345, 12345, follow_symlinks=False)
    project.machine.run("develop", "--recipe", name, "--recreate", "--command", "mkdir new; cat run.sh > new/file")
    assert {path.stat().st_uid for path in (work / "new", work / "new/file")} == {12345}
