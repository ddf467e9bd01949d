"""Run parts on builders of buildx: what they are told, what comes back, and what goes wrong. The command is a stand-in;
tests/engine/test_builders.py has the real one."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from buildx_standin import OVERLAY, Standin, calls, install, tell
from registry_server import PASSWORD, USER, RegistryServer
from small_project import Machine
from test_builds_share_parts import Executing, with_install

from portside.build.choose_places import for_architecture, named_builder, open_builders
from portside.build.run_places import Steps
from portside.config import BuilderSettings
from portside.engines.buildx import find_buildx
from portside.engines.buildx_build import BuilderGoneError
from portside.errors import BuildError, DamagedError, EngineError, StepError
from portside.layers.engine_layer import read
from portside.plan.model import Part
from portside.plan.states import blob_of

Tell = Callable[..., Path]


@pytest.fixture
def builders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tell:
    """Says which builders there are: builders(far=Standin()); gives the folder of the stand-in."""
    folder = tmp_path / "standin"
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("BUILDX_CONFIG", str(folder / "buildx"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.delenv("BUILDX_BUILDER", raising=False)

    def there(**known: Standin) -> Path:
        install(folder, known)
        return folder

    return there


@contextmanager
def executed(here: Machine, folder: Path, place: Any) -> Iterator[list[bytes]]:
    """What the new layers have in `built`."""
    part = install_part(here)
    blobs = {below.key: blob for below in here.plan.below(part) if (blob := blob_of(below, here.store))}
    folder.mkdir()
    (folder / "context").mkdir()
    steps = Steps(here.plan, part, blobs, here.store, folder / "context", folder)
    with place.executed(steps, lambda line: None) as layers:
        yield [read(layer).entries["built"].read() for layer in layers]


def install_part(here: Machine) -> Part:
    return next(part for part in here.plan.layer("migrated").parts if part.kind == "run")


@pytest.fixture
def here(machine: Callable[..., Machine]) -> Machine:
    """With all parts below the install step."""
    made = with_install(machine("here"), Executing())
    made.build()
    return made


@pytest.mark.parametrize("compressed", [False, True])
def test_what_is_below_goes_there_as_a_layout_and_the_new_layer_comes_back(
    here: Machine, builders: Tell, tmp_path: Path, compressed: bool
) -> None:
    """Also in a folder whose name buildx would cut off, were it told of it."""
    folder = builders(far=Standin(compressed=compressed))
    [place], then_engine = open_builders([], os.environ, "far")
    assert not then_engine and place.describe() == "builder far, remote, amd64"
    with executed(here, tmp_path / "a@b: 名", place) as found:
        assert found == [install_part(here).manifest["instructions"].encode()]
    build = calls(folder)[-1]
    assert {"--network", "none", "--provenance=false", "--sbom=false"} <= set(build)
    assert build[build.index("--platform") + 1] == "linux/amd64"
    here.check_blobs()


@pytest.mark.parametrize("password", [False, True])
def test_what_is_below_goes_through_a_registry(
    here: Machine, builders: Tell, tmp_path: Path, start: Callable[..., RegistryServer], password: bool
) -> None:
    """The builder gets the login for that registry alone, and nothing has a tag or is sent twice."""
    builders(far=Standin())
    registry = start(password=password)
    (tmp_path / "docker").mkdir()
    auths = {host: {"username": USER, "password": PASSWORD} for host in (registry.host, "other.example")}
    (tmp_path / "docker" / "config.json").write_text(json.dumps({"auths": auths} if password else {}))
    settings = BuilderSettings(name="far", registry=f"{registry.host}/team/parts")
    [place], _ = open_builders([settings], os.environ)
    pushed = [_uploads(registry)]
    for turn in ("first", "second"):
        with executed(here, tmp_path / turn, place) as found:
            assert found == [install_part(here).manifest["instructions"].encode()]
        pushed.append(_uploads(registry))
    assert pushed[1] - pushed[0] > 2 and pushed[2] - pushed[1] == 2, "the stand-in pushes its two blobs every time"
    folder = registry.folder / "storage/docker/registry/v2/repositories/team/parts/_manifests"
    assert (folder / "revisions").exists() and not (folder / "tags").exists()
    here.check_blobs()


def _uploads(registry: RegistryServer) -> int:
    return registry.log.read_bytes().count(b'"PUT /v2/team/parts/blobs')


def test_a_result_that_is_not_what_it_says(here: Machine, builders: Tell, tmp_path: Path) -> None:
    folder = builders(far=Standin(stands_on="0" * 64))
    [place], _ = open_builders([], os.environ, "far")
    with pytest.raises(BuildError, match="does not stand on the layers below"), executed(here, tmp_path / "1", place):
        pass
    tell(folder, {"far": Standin(compressed=True, lies=True)})
    with pytest.raises(EngineError, match="gave back sha256:"), executed(here, tmp_path / "2", place):
        pass


def test_a_failed_step_is_one_and_a_builder_that_went_away_is_not(
    here: Machine, builders: Tell, tmp_path: Path
) -> None:
    folder = builders(far=Standin(does="fails"))
    [place], _ = open_builders([], os.environ, "far")
    failed = r"migrated/install could not be built at \[2/2\] RUN make"
    with pytest.raises(StepError, match=failed) as step, executed(here, tmp_path / "1", place):
        pass
    assert step.value.output == ("no rule", "exit code: 2")
    tell(folder, {"far": Standin(does="goes")})
    with pytest.raises(BuilderGoneError, match="builder far stopped answering"), executed(here, tmp_path / "2", place):
        pass
    tell(folder, {"far": Standin(does="server gave HTTP response to HTTPS client")})
    with pytest.raises(EngineError, match="did not build") as plain, executed(here, tmp_path / "3", place):
        pass
    assert not isinstance(plain.value, BuilderGoneError) and "no TLS" in (plain.value.solution or "")


def test_a_damaged_layer_of_the_store_is_named(here: Machine, builders: Tell, tmp_path: Path) -> None:
    builders(far=Standin())
    [place], _ = open_builders([], os.environ, "far")
    path = here.store.layout.blob(here.base.digest)
    path.chmod(0o644)
    with path.open("r+b") as stream:
        stream.write(b"X")
    with pytest.raises(DamagedError), executed(here, tmp_path / "1", place):
        pass


def test_builders_that_cannot_be_used(builders: Tell, tmp_path: Path) -> None:
    builders(
        down=Standin(status="inactive"),
        native=Standin(labels=(OVERLAY.replace("overlayfs", "native"),)),
        boxed=Standin(driver="docker-container", status="inactive"),
        daemon=Standin(driver="docker", labels=()),
    )
    for name, problem, remedy in (
        ("dwon", "there is no builder called 'dwon'", "Did you mean 'down'? There are: boxed, daemon, down, native."),
        ("down", "does not answer: tcp://far:1 is inactive", "docker buildx inspect down"),
        ("native", "keeps file systems with native", "--oci-worker-snapshotter=overlayfs"),
        ("boxed", "does not start: pulling image", "--bootstrap boxed"),
        ("daemon", "without the containerd image store", "DOCKER_HOST"),
    ):
        with pytest.raises(EngineError) as caught:
            open_builders([], os.environ, name)
        assert problem in caught.value.problem and remedy in (caught.value.solution or "")


def test_no_buildx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portside.engines.buildx.docker_commands", lambda path: [])
    monkeypatch.setattr("shutil.which", lambda name, path: None)
    with pytest.raises(EngineError, match="no docker command here has buildx") as caught:
        find_buildx({"PATH": str(tmp_path)})
    assert "docker-buildx" in (caught.value.solution or "")


def test_who_names_a_builder_and_what_the_settings_say_of_it(builders: Tell) -> None:
    """--builder, else BUILDX_BUILDER; `default` is the engine; without either, those of portside.toml before it."""
    builders(far=Standin(), arm=Standin(platforms="linux/amd64*, linux/arm64"), down=Standin(status="inactive"))
    settings = [BuilderSettings(name="down"), BuilderSettings(name="arm", architectures=("arm64",))]
    assert named_builder(None, {"BUILDX_BUILDER": "far"}) == "far"
    assert named_builder("arm", {"BUILDX_BUILDER": "far"}) == "arm"
    assert open_builders(settings, os.environ, "default") == ([], True)
    assert open_builders([], os.environ) == ([], True)
    [chosen], engine = open_builders(settings, {**os.environ, "BUILDX_BUILDER": "far"})
    assert chosen.name == "far" and not engine
    found, engine = open_builders(settings, os.environ)
    assert [place.name for place in found] == ["arm"] and engine
    assert found[0].runs("arm64") and not found[0].runs("amd64")
    assert for_architecture(found, "arm64") == found
    with pytest.raises(EngineError, match="nothing is known to run programs for amd64 here: builder arm"):
        for_architecture(found, "amd64")


def test_one_that_buildx_starts_is_started_when_it_is_needed(builders: Tell) -> None:
    folder = builders(boxed=Standin(driver="docker-container", status="inactive", starts=True))
    [place], _ = open_builders([], os.environ, "boxed", start=False)
    assert place.describe() == "builder boxed, docker-container, not running"
    assert not [call for call in calls(folder) if "--bootstrap" in call]
    [place], _ = open_builders([], os.environ, "boxed")
    assert place.runs("amd64")
