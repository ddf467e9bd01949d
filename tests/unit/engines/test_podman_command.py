"""The podman command: which one, what it is told on which machine, and when it is the engine. Stand-ins throughout."""

import json
import resource
from pathlib import Path

import pytest

from portside.engines import ImageToBuild, RunSpec, choose_engine, endpoint, podman_cli
from portside.engines.podman import PodmanEngine
from portside.engines.podman_build import build, remove_interrupted
from portside.engines.podman_cli import Podman, failed, find_podman, limits, runtime_options
from portside.engines.podman_layers import overlay_folders
from portside.engines.podman_names import full_name
from portside.errors import BuildError, EngineError

NO_RESOURCE_RIGHTS = "Name:\tpython\nCapEff:\t000001fffeffffff\n"
ALL_RIGHTS = "CapEff:\t000001ffffffffff\n"


def _podman(folder: Path, script: str, version: str = "4.3.1") -> dict[str, str]:
    """A podman that says its version and for the rest runs a script; gives the environment that finds it."""
    folder.mkdir(exist_ok=True)
    path = folder / "podman"
    path.write_text(f'#!/bin/sh\n[ "$*" = --version ] && echo podman version {version} && exit\n{script}\n')
    path.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(folder), "LANG": "de_DE", "http_proxy": "x"}


def test_the_command_sees_nothing_of_the_person(tmp_path: Path) -> None:
    found = find_podman(
        _podman(tmp_path, "env", "5.2.0-rc1") | {"CONTAINERS_STORAGE_CONF": "/s", "BUILDAH_LAYERS": "x"}
    )
    assert found.version == "5.2.0-rc1"
    seen = {line.partition("=")[0] for line in found.call("looking", "x").splitlines()}
    assert {"PATH", "HOME", "CONTAINERS_STORAGE_CONF", "LC_ALL", "TZ"} <= seen
    assert not seen & {"LANG", "http_proxy", "BUILDAH_LAYERS"}


@pytest.mark.parametrize("version", ["3.4.4", "4.2.1", "unknown"])
def test_a_podman_that_is_too_old(tmp_path: Path, version: str) -> None:
    with pytest.raises(EngineError, match=version) as caught:
        find_podman(_podman(tmp_path, "", version))
    assert "4.3" in (caught.value.solution or "")


def test_no_podman_and_one_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no podman command"):
        find_podman({"PATH": str(tmp_path)})
    with pytest.raises(EngineError, match="CONTAINER_HOST sends podman to another machine"):
        find_podman(_podman(tmp_path, "") | {"CONTAINER_HOST": "ssh://far"})


def test_a_failure_is_told_without_warnings() -> None:
    said = b'time="2026" level=warning msg="beware"\nError: no space left\n'
    assert failed("loading x", said).problem == "Podman failed while loading x: no space left"
    assert "does not say why" in failed("loading x", b"").problem


@pytest.mark.parametrize(
    ("ref", "name"),
    [
        ("portside/minilm:env", "localhost/portside/minilm:env"),
        ("portside/minilm", "localhost/portside/minilm:latest"),
        ("minilm:5", "localhost/minilm:5"),
        ("localhost/a:b", "localhost/a:b"),
        ("registry.example/a/b:c", "registry.example/a/b:c"),
        ("registry:5000/a", "registry:5000/a:latest"),
        ("sha256:" + "0" * 64, "sha256:" + "0" * 64),
        ("ab" * 32, "ab" * 32),
    ],
)
def test_names(ref: str, name: str) -> None:
    assert full_name(ref) == name
    assert full_name(name) == name


def test_runc_where_crun_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    controllers = tmp_path / "controllers"
    monkeypatch.setattr(podman_cli, "HYBRID", controllers)
    monkeypatch.setattr(podman_cli.shutil, "which", lambda name, path: f"/usr/sbin/{name}")
    assert runtime_options() == []
    controllers.write_text("\n")
    assert runtime_options() == []
    controllers.write_text("hugetlb\n")
    assert runtime_options() == ["--runtime", "runc"]
    monkeypatch.setattr(podman_cli.shutil, "which", lambda name, path: None)
    assert runtime_options() == []


def test_limits_that_podman_cannot_raise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status, pid_max = tmp_path / "status", tmp_path / "pid_max"
    pid_max.write_text("32768\n")
    status.write_text(NO_RESOURCE_RIGHTS)
    hard = {resource.RLIMIT_NOFILE: 20000, resource.RLIMIT_NPROC: resource.RLIM_INFINITY}
    monkeypatch.setattr(podman_cli, "STATUS", status)
    monkeypatch.setattr(podman_cli, "PID_MAX", pid_max)
    monkeypatch.setattr(podman_cli.resource, "getrlimit", lambda number: (0, hard[number]))
    asked = RunSpec("x", ulimits={"stack": (1, 2), "nofile": (3, 4)})
    assert limits(RunSpec("x")) == {"nofile": (20000, 20000), "nproc": (32768, 32768)}
    assert limits(asked) == {"nofile": (3, 4), "nproc": (32768, 32768), "stack": (1, 2)}
    status.write_text(ALL_RIGHTS)
    assert limits(asked) == asked.ulimits
    status.write_text(NO_RESOURCE_RIGHTS)
    hard[resource.RLIMIT_NOFILE] = 1 << 20
    pid_max.write_text("4194304\n")
    assert limits(RunSpec("x")) == {}


def _build(tmp_path: Path, script: str) -> str:
    (tmp_path / "Dockerfile").write_text("FROM portside/x:env\n")
    podman = Podman("4.3.1", _podman(tmp_path, script))
    return build(podman, ImageToBuild(tmp_path, tmp_path / "Dockerfile", "portside/x:y"), lambda line: None)


def test_a_build_is_told_everything(tmp_path: Path) -> None:
    script = (
        f'[ "$1" = build ] || exit 0\nprintf "%s\\n" "$@" > {tmp_path}/said\numask >> {tmp_path}/said\n'
        'while [ $# -gt 0 ]; do [ "$1" = --iidfile ] && echo 12ab > "$2"; shift; done'
    )
    assert _build(tmp_path, script) == "sha256:12ab"
    said = (tmp_path / "said").read_text().splitlines()
    # A context that a step mounts does not count for Podman's cache.
    assert {"--no-cache", "--layers", "--pull=never", "--network=none", "--http-proxy=false", "0022"} <= set(said)


def test_a_failed_step_is_named(tmp_path: Path) -> None:
    script = (
        '[ "$1" = build ] || exit 0\nprintf "%s\\n" "STEP 1/2: FROM x" "STEP 2/2: RUN false" "Error: building"; exit 1'
    )
    with pytest.raises(BuildError) as caught:
        _build(tmp_path, script)
    assert "at RUN false" in caught.value.problem.splitlines()[0] and "Error: building" in caught.value.problem
    with pytest.raises(EngineError, match="did not begin to build"):
        _build(tmp_path, '[ "$1" = build ] || exit 0\necho "Error: no storage"; exit 125')


def test_what_an_interrupted_build_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    rows = [
        {"Id": "ours", "Command": ["buildah"], "Image": "localhost/portside/x:env"},
        {"Id": "other", "Command": ["buildah"], "Image": "localhost/portside/y:env"},
        {"Id": "running", "Command": ["sh"], "Image": "localhost/portside/x:env"},
        {"Id": "step", "Command": ["buildah"], "Image": "docker.io/library/f00-tmp:latest", "ImageID": "step1"},
        {"Id": "strange", "Command": ["buildah"], "Image": "docker.io/library/f01-tmp:latest", "ImageID": "stranger"},
    ]
    images = [
        {"Id": "parent", "ParentId": "", "Names": ["localhost/portside/x:env"]},
        {"Id": "step1", "ParentId": "parent"},
        {"Id": "stranger", "ParentId": "elsewhere"},
    ]
    (tmp_path / "rows").write_text(json.dumps(rows))
    (tmp_path / "images").write_text(json.dumps(images))
    script = (
        f'echo "$*" >> {tmp_path}/calls\n[ "$1" = ps ] && cat {tmp_path}/rows\n'
        f'[ "$1" = images ] && cat {tmp_path}/images\n[ "$1" != build ]'
    )
    with pytest.raises(EngineError):
        _build(tmp_path, script)
    remove_interrupted(Podman("4.3.1", _podman(tmp_path, script)), "portside/x:env")
    removed = [line for line in (tmp_path / "calls").read_text().splitlines() if line.startswith("rm ")]
    # What was there before a build is not of that build.
    assert removed == ["rm --force --time 0 ours", "rm --force --time 0 ours step"]


def test_images_of_single_steps_are_removed_and_nothing_else(tmp_path: Path) -> None:
    old = [
        {"Id": "parent", "ParentId": "", "Names": ["localhost/portside/x:env"]},
        {"Id": "old", "ParentId": "parent"},
    ]
    new = [
        {"Id": "step2", "ParentId": "step1"},
        {"Id": "step1", "ParentId": "parent"},
        {"Id": "named", "ParentId": "parent", "Names": ["localhost/z:1"]},
        {"Id": "stranger", "ParentId": "elsewhere"},
    ]
    (tmp_path / "before").write_text(json.dumps(old))
    (tmp_path / "after").write_text(json.dumps(old + new))
    script = (
        f'echo "$*" >> {tmp_path}/calls\ncase $1 in\nimages) cat {tmp_path}/before;;\n'
        f"build) cp {tmp_path}/after {tmp_path}/before; exit 1;;\nesac"
    )
    with pytest.raises(EngineError):
        _build(tmp_path, script)
    calls = (tmp_path / "calls").read_text().splitlines()
    removed = [line for line in calls if line.startswith("image rm ")]
    assert removed == ["image rm step2", "image rm step1"]


def _storage(root: Path) -> tuple[dict[str, object], dict[str, object]]:
    """A storage with two layers: what `info` and `image inspect` say of it."""
    (root / "overlay-layers").mkdir()
    rows = [
        {"id": "low", "diff-digest": "sha256:1"},
        {"id": "high", "parent": "low", "diff-digest": "sha256:2"},
        {"id": "stranger", "parent": "low", "diff-digest": "sha256:2"},
    ]
    (root / "overlay-layers" / "layers.json").write_text(json.dumps(rows))
    for row in rows:
        (root / "overlay" / row["id"] / "diff").mkdir(parents=True)
    status = {"Native Overlay Diff": "true", "Using metacopy": "false"}
    store = {"graphDriverName": "overlay", "graphRoot": str(root), "graphOptions": {}, "graphStatus": status}
    return store, {"GraphDriver": {"Data": {"UpperDir": f"{root}/overlay/high/diff"}}}


def test_layers_are_read_in_place_only_where_that_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    store, image = _storage(tmp_path)
    found = overlay_folders(store, image, ["1", "2"], 1)
    assert found is not None and [layer.path for layer in found] == [tmp_path / "overlay" / "high" / "diff"]
    assert overlay_folders(store, image, ["1", "3"], 1) is None
    assert overlay_folders(store, image, ["0", "1", "2"], 1) is None
    for change in (
        {"graphDriverName": "vfs"},
        {"graphOptions": {"overlay.mount_program": {}}},
        {"graphStatus": {"Native Overlay Diff": "true", "Using metacopy": "true"}},
        {"graphRoot": str(tmp_path / "elsewhere")},
    ):
        assert overlay_folders(store | change, image, ["1", "2"], 1) is None
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert overlay_folders(store, image, ["1", "2"], 1) is None


@pytest.fixture
def no_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "PORTSIDE_ENGINE", "CONTAINER_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(endpoint, "DEFAULT_HOST", f"unix://{tmp_path}/docker.sock")


@pytest.mark.usefixtures("no_docker")
def test_podman_where_no_docker_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", _podman(tmp_path, "")["PATH"])
    choice = choose_engine()
    assert isinstance(choice.engine, PodmanEngine) and choice.reason == "no Docker daemon answers"
    asked = choose_engine("podman")
    assert isinstance(asked.engine, PodmanEngine) and asked.reason == "it was asked for"
    with pytest.raises(EngineError, match="no Docker daemon answers"):
        choose_engine("docker")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/other.sock")
    with pytest.raises(EngineError, match=r"other\.sock"):
        choose_engine()


@pytest.mark.usefixtures("no_docker")
def test_neither_docker_nor_a_podman_that_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", _podman(tmp_path, "", "3.0.1")["PATH"])
    with pytest.raises(EngineError, match=r"no Docker daemon answers.*3\.0\.1"):
        choose_engine()
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(EngineError, match="no Docker daemon answers") as caught:
        choose_engine()
    assert "Podman 4.3" in (caught.value.solution or "")


def test_the_command_line_of_a_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", _podman(tmp_path, "")["PATH"])
    monkeypatch.delenv("CONTAINER_HOST", raising=False)
    monkeypatch.setattr(podman_cli, "runtime_options", lambda: ["--runtime", "runc"])
    monkeypatch.setattr(podman_cli, "limits", lambda spec: {"nofile": (1, 1)})
    engine = PodmanEngine()
    assert engine.as_command(RunSpec("portside/x:env", ("sh",), terminal=True)) == [
        *("podman", "--runtime", "runc", "run", "--pull=never", "--http-proxy=false", "--rm", "--interactive", "--tty"),
        *("--network", "none", "--ulimit", "nofile=1:1", "portside/x:env", "sh"),
    ]
    entered = engine.enter_command("c", ["sh"], terminal=False, env={"A": "1"}, workdir=None)
    assert entered == ["podman", "exec", "--interactive", "--env", "A=1", "c", "sh"], "stdin reaches the command"
