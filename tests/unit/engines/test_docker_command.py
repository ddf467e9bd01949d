"""Choosing the docker command, what it is told, and `docker run` command lines. The commands here are stand-ins."""

import json
from pathlib import Path

import pytest

from portside.engines import ImageToBuild, Mount, RunSpec
from portside.engines.docker_cli import BUILT_IN, Cli, build, find_cli, platforms, source_policy
from portside.engines.docker_run import as_command, split_ref
from portside.engines.endpoint import Endpoint
from portside.errors import BuildError, EngineError

HERE = Endpoint("unix:///here.sock")


def _command(folder: Path, script: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "docker"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def _docker(folder: Path, version: str, *, buildx: str = "exit 1", server: str = "echo 28.0.0") -> Path:
    return _command(
        folder,
        f'case "$*" in\n--version) echo "Docker version {version}, build 1";;\n"buildx version") {buildx};;\n'
        f"version*) {server};;\nesac",
    )


def test_the_command_is_chosen_by_what_it_can_do(tmp_path: Path) -> None:
    _docker(tmp_path / "no-plugin", "28.2.2")
    _docker(tmp_path / "too-old", "20.10.24+dfsg1", server="exit 1")
    _command(tmp_path / "podman", "echo podman version 4.3.1")
    (tmp_path / "folder" / "docker").mkdir(parents=True)
    good = _docker(tmp_path / "good", "28.5.2", buildx="echo github.com/docker/buildx v0.29.1 abc")
    old = _docker(tmp_path / "old", "20.10.24+dfsg1")
    bad = ["no-plugin", "too-old", "podman", "folder", "missing"]

    def search(*names: str) -> dict[str, str]:
        return {"PATH": ":".join(str(tmp_path / name) for name in names) + ":/bin", "HOME": str(tmp_path)}

    assert find_cli(HERE, search(*bad, "good", "old")) == Cli(good, "buildx 0.29.1")
    assert find_cli(HERE, search(*bad, "old", "good")) == Cli(old, "BuildKit")


def test_no_command_can_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _docker(tmp_path, "28.2.2")
    monkeypatch.setattr("portside.engines.docker_cli.docker_commands", lambda search: iter([path]))
    with pytest.raises(EngineError, match=r"28\.2\) has no buildx plugin") as caught:
        find_cli(HERE, {"PATH": "/bin"})
    assert "docker-buildx" in (caught.value.solution or "")


def _build(tmp_path: Path, script: str, log: list[str], no_cache: bool = False) -> str:
    cli = Cli(_command(tmp_path / "bin", script), "BuildKit")
    request = ImageToBuild(tmp_path, tmp_path / "Dockerfile", "portside/x:env", no_cache)
    return build(cli, HERE, request, log.append)


def test_the_command_sees_nothing_of_the_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    (home / ".docker" / "cli-plugins").mkdir(parents=True)
    (home / ".docker" / "cli-plugins" / "docker-buildx").touch()
    (home / ".docker" / "config.json").write_text('{"credsStore": "none such"}')
    for name, value in {"HOME": str(home), "LANG": "de_DE", "http_proxy": "x", "BUILDX_BUILDER": "far"}.items():
        monkeypatch.setenv(name, value)
    log: list[str] = []
    script = (
        'args="$*"; while [ $# -gt 0 ]; do [ "$1" = --iidfile ] && echo sha256:1 > "$2"; shift; done\n'
        'echo "$args"; ls "$DOCKER_CONFIG" "$DOCKER_CONFIG/cli-plugins"; env'
    )
    assert _build(tmp_path, script, log, no_cache=True) == "sha256:1"
    assert log[0].startswith("build --network none --progress plain --iidfile ")
    assert log[0].endswith(f"--tag portside/x:env --file {tmp_path}/Dockerfile --no-cache {tmp_path}")
    assert "docker-buildx" in log and "config.json" not in log
    names = {line.partition("=")[0] for line in log if "=" in line}
    assert {"DOCKER_HOST=unix:///here.sock", "DOCKER_BUILDKIT=1", "LC_ALL=C.UTF-8"} <= set(log)
    assert not names & {"LANG", "http_proxy", "BUILDX_BUILDER"}


def _told(tmp_path: Path, how: str, architecture: str | None = None) -> list[str]:
    """What a docker command is told of a build, and the policy that it finds, if any."""
    (tmp_path / "Dockerfile").write_text("FROM portside.invalid/build:1-2-parent\nRUN true\n")
    script = (
        'echo "$*"; [ -z "$EXPERIMENTAL_BUILDKIT_SOURCE_POLICY" ] || cat "$EXPERIMENTAL_BUILDKIT_SOURCE_POLICY"\n'
        'while [ $# -gt 0 ]; do [ "$1" = --iidfile ] && echo sha256:1 > "$2"; shift; done'
    )
    log: list[str] = []
    request = ImageToBuild(tmp_path, tmp_path / "Dockerfile", "portside.invalid/build:1-2", architecture=architecture)
    build(Cli(_command(tmp_path / "bin", script), how), HERE, request, log.append)
    return log


def test_a_builder_that_knows_policies_may_read_nothing_but_the_parent(tmp_path: Path) -> None:
    _, policy = _told(tmp_path, "buildx 0.29.1")
    rules = [(rule["action"], rule["selector"]["identifier"]) for rule in json.loads(policy)["rules"]]
    assert rules == [
        ("DENY", "*"),
        ("ALLOW", "local://context"),
        ("ALLOW", "local://dockerfile"),
        ("ALLOW", "docker-image://portside.invalid/build:1-2-parent"),
        ("ALLOW", "docker-image://portside.invalid/build:1-2-parent@*"),
    ]
    assert len(_told(tmp_path, BUILT_IN)) == 1
    [image] = [rule for rule in source_policy(_request(tmp_path, "portside/x:env"))["rules"] if "@" in str(rule)]
    assert image["selector"]["identifier"] == "docker-image://docker.io/portside/x:env@*"


def _request(tmp_path: Path, parent: str) -> ImageToBuild:
    (tmp_path / "Dockerfile").write_text(f"FROM --platform=linux/amd64 {parent} AS x\n")
    return ImageToBuild(tmp_path, tmp_path / "Dockerfile", "x")


def test_another_architecture_is_named(tmp_path: Path) -> None:
    assert "--platform linux/arm64 " in _told(tmp_path, BUILT_IN, "arm64")[0]
    assert "--platform" not in _told(tmp_path, BUILT_IN)[0]


def test_what_the_builder_says_that_it_executes(tmp_path: Path) -> None:
    said = "echo Name: x; echo 'Platforms:   linux/amd64, linux/amd64/v2, linux/arm64*, windows/riscv64'"
    path = _command(tmp_path, f'[ "$*" = "buildx inspect" ] || exit 1\n{said}')
    assert platforms(Cli(path, "buildx 0.29.1"), HERE) == {"amd64", "arm64"}
    assert platforms(Cli(path, BUILT_IN), HERE) == frozenset()
    assert platforms(Cli(_command(tmp_path, "exit 1"), "buildx 0.29.1"), HERE) == frozenset()


def test_a_failure_tells_the_step_and_the_last_lines(tmp_path: Path) -> None:
    lines = [
        "#4 [env 1/2] FROM x",
        "#5 [env 2/2] RUN false",
        "#5 sha256:b43fb7eef655",
        *(f"#5 0.1 line {n}" for n in range(50)),
        "#6 [other 1/1] RUN true",
        "#6 0.1 of another step",
        "#5 ERROR: executor failed running [/bin/sh -c false]: exit code: 1",
        "------",
        " > [env 2/2] RUN false:",
        "executor failed running [/bin/sh -c false]: exit code: 1",
    ]
    script = "\n".join(f"echo '{line}'" for line in lines) + "\nexit 1"
    with pytest.raises(BuildError) as caught:
        _build(tmp_path, script, [])
    first, *rest = caught.value.problem.splitlines()
    assert "[env 2/2] RUN false" in first
    assert [line.strip() for line in rest] == [*(f"line {n}" for n in range(21, 50)), "exit code: 1"]


def test_a_failure_without_output_tells_what_docker_says(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"(?s)last lines of its output.*failed to solve"):
        _build(tmp_path, "echo 'error: failed to solve: no builder'; exit 1", [])


def test_a_daemon_that_goes_away_is_no_fault_of_the_recipe(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="stopped answering"):
        _build(tmp_path, "echo 'ERROR: Cannot connect to the Docker daemon at unix:///x.'; exit 1", [])


def test_a_command_that_cannot_be_run(tmp_path: Path) -> None:
    request = ImageToBuild(tmp_path, tmp_path / "Dockerfile", "portside/x:env")
    with pytest.raises(EngineError, match="cannot run"):
        build(Cli(tmp_path / "none", "BuildKit"), HERE, request, print)


def test_the_command_line_of_a_container() -> None:
    spec = RunSpec(
        "portside/x:latest",
        ("python3", "embed.py", "A cat."),
        name="x",
        env={"B": "2", "A": "1 1"},
        mounts=(Mount("/data", "/data", read_only=True), Mount("/a,b", "/c")),
        devices=("/dev/card0",),
        network="host",
        workdir="/w",
        user="1000:1000",
        terminal=True,
        ulimits={"nofile": (1, 2)},
        shm_size=64,
        ports={"127.0.0.1:8000": "80"},
        labels={"l": "v"},
        entrypoint=("sh", "-c"),
    )
    assert as_command(spec) == [
        *("docker", "run", "--pull=never", "--rm", "--interactive", "--tty", "--network", "host", "--name", "x"),
        *("--env", "A=1 1", "--env", "B=2", "--mount", "type=bind,source=/data,target=/data,readonly"),
        *("--mount", 'type=bind,"source=/a,b",target=/c', "--device", "/dev/card0", "--workdir", "/w"),
        *("--user", "1000:1000", "--ulimit", "nofile=1:2", "--shm-size", "64", "--publish", "127.0.0.1:8000:80"),
        *("--label", "l=v", "--entrypoint", "sh", "portside/x:latest", "-c", "python3", "embed.py", "A cat."),
    ]
    assert as_command(RunSpec("i", detach=True)) == [
        "docker",
        "run",
        "--pull=never",
        "--detach",
        "--network",
        "none",
        "i",
    ]


@pytest.mark.parametrize(
    ("ref", "parts"),
    [
        ("portside/minilm:env", ("portside/minilm", "env")),
        ("portside/minilm", ("portside/minilm", "latest")),
        ("localhost:5000/minilm", ("localhost:5000/minilm", "latest")),
        ("localhost:5000/a/b:1.0", ("localhost:5000/a/b", "1.0")),
    ],
)
def test_references_are_split_at_the_tag(ref: str, parts: tuple[str, str]) -> None:
    assert split_ref(ref) == parts
