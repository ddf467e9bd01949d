"""A machine for the bootstrap scripts: a copy of them, and a PATH in which apt-get, dockerd and others are fakes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
FAKES = Path(__file__).parent / "fakes"
REAL_TOOLS = (
    "bash cat cp dirname env find flock ls mkdir mktemp mv nohup readlink rm sed setsid sleep tail touch true uname"
)
ON_A_FRESH_MACHINE = ("apt-cache", "apt-get", "dpkg-query", "id", "python3")
DEBIAN_RECIPE = "description: a test\nbase:\n  # the smallest\n  debian:\n    suite: bookworm\nsources: {}\n"


@dataclass(frozen=True)
class Machine:
    """folder: everything; clone: the scripts' copy; engine: where its engine would be."""

    folder: Path

    @property
    def clone(self) -> Path:
        return self.folder / "clone"

    @property
    def engine(self) -> Path:
        return self.folder / "engine"

    @property
    def venv(self) -> Path:
        return self.clone / ".venv"

    def has(self, *tools: str) -> None:
        for tool in tools:
            shutil.copy(self.folder / "shelf" / tool, self.folder / "bin" / tool)

    def mark(self, name: str, on: bool = True) -> None:
        """Tells the fakes how to behave."""
        if on:
            (self.folder / name).touch()
        else:
            (self.folder / name).unlink()

    def calls(self, program: str = "") -> list[str]:
        """What the fakes were called with, oldest first."""
        path = self.folder / "calls"
        return [line for line in path.read_text().splitlines() if line.startswith(program)] if path.exists() else []

    def wait_for_call(self, program: str) -> None:
        deadline = time.monotonic() + 20
        while not self.calls(program):
            assert time.monotonic() < deadline, f"{program} was not called"
            time.sleep(0.01)

    def environment(self, **changes: str) -> dict[str, str]:
        return {
            "PATH": str(self.folder / "bin"),
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder),
            "FAKE": str(self.folder),
            "FAKE_PYTHON": sys.executable,
            "PORTSIDE_ENGINE_ROOT": str(self.engine),
            "PORTSIDE_ENGINE_TIMEOUT": "20",
        } | changes

    def start(self, *arguments: str, script: str = "invoke", **changes: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [str(self.clone / "scripts" / script), *arguments],
            cwd="/",
            env=self.environment(**changes),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, script: str = "invoke", **changes: str) -> "subprocess.CompletedProcess[str]":
        """Ends only when nobody has the pipes any more, so a daemon that inherits them is noticed by the time limit."""
        process = self.start(*arguments, script=script, **changes)
        out, err = process.communicate(timeout=30)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def daemon(self) -> int:
        """The process id of the fake dockerd."""
        return int((self.engine / "docker.pid").read_text())

    def stop_daemon(self) -> None:
        """Kill it the hard way, so that its pid file and its socket stay."""
        try:
            pid = self.daemon()
            command = Path(f"/proc/{pid}/cmdline")
            while str(self.folder) in command.read_text():
                os.kill(pid, signal.SIGKILL)
                time.sleep(0.01)
        except (FileNotFoundError, ProcessLookupError):
            return


def new_machine(folder: Path) -> Machine:
    """A machine with Python and apt-get, and neither engine, mmdebstrap nor virtual environment."""
    machine = Machine(folder)
    shutil.copytree(ROOT / "scripts", machine.clone / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    (machine.clone / "requirements").mkdir()
    for name in ("run", "dev"):
        (machine.clone / "requirements" / f"{name}.txt").write_text(f"{name}==1 --hash=sha256:{'0' * 64}\n")
    (machine.clone / "recipes").mkdir()
    (machine.clone / "recipes" / "debian.yaml").write_text(DEBIAN_RECIPE)
    (machine.clone / "recipes" / "child.yaml").write_text("description: a test\nextends: debian\n")
    (folder / "bin").mkdir()
    for tool in REAL_TOOLS.split():
        path = shutil.which(tool)
        assert path is not None
        (folder / "bin" / tool).symlink_to(path)
    shutil.copytree(FAKES, folder / "shelf")
    dockerd = folder / "shelf" / "dockerd"
    # with this first line the kernel calls the process dockerd, as it does the real one
    dockerd.write_text(f"#!{sys.executable} -S\n" + dockerd.read_text().partition("\n")[2])
    machine.has(*ON_A_FRESH_MACHINE)
    return machine
