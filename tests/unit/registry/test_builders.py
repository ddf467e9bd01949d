"""Run parts on builders of buildx: what they are told, what comes back, and what goes wrong. The command is a stand-in;
tests/engine/test_builds_elsewhere.py has the real one."""

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

from portside.build.builder_runs import BuilderRuns
from portside.build.choose_places import Builders, named_builder, place_for
from portside.build.many import build
from portside.build.run_places import Steps
from portside.cli.report.executed import add_places
from portside.cli.report.plan import plan_report
from portside.config import BuilderSettings, Config
from portside.doctor.builders import examine_builders
from portside.engines.buildx import find_buildx
from portside.engines.buildx_build import BuilderGoneError
from portside.errors import BuildError, DamagedError, EngineError, StepError
from portside.fetch.fetcher import Fetcher
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


def opened(name: str) -> list[BuilderRuns]:
    return Builders([], os.environ, name).open()


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
    [place] = opened("far")
    assert place.describe() == "builder far, remote, amd64"
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
    [place] = Builders([settings], os.environ).open()
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
    [place] = opened("far")
    with pytest.raises(BuildError, match="does not stand on the layers below"), executed(here, tmp_path / "1", place):
        pass
    tell(folder, {"far": Standin(compressed=True, lies=True)})
    with pytest.raises(EngineError, match="gave back sha256:"), executed(here, tmp_path / "2", place):
        pass


def test_a_failed_step_is_one_and_a_builder_that_went_away_is_not(
    here: Machine, builders: Tell, tmp_path: Path
) -> None:
    folder = builders(far=Standin(does="fails"))
    [place] = opened("far")
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
    [place] = opened("far")
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
            opened(name)
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
    engine = Builders(settings, os.environ, "default")
    assert engine.open() == [] and engine.engine_builds
    chosen = Builders(settings, {**os.environ, "BUILDX_BUILDER": "far"})
    assert [place.name for place in chosen.open()] == ["far"] and not chosen.engine_builds
    found = Builders(settings, os.environ)
    assert [place.name for place in found.open()] == ["arm"] and found.engine_builds
    arm = place_for(found.open(), "arm64")
    assert arm is not None and arm.name == "arm" and place_for(found.open(), "amd64") is None


def test_one_that_buildx_starts_is_started_when_it_is_needed(builders: Tell) -> None:
    folder = builders(boxed=Standin(driver="docker-container", status="inactive", starts=True))
    [place] = Builders([], os.environ, "boxed").open(start=False)
    assert place.describe() == "builder boxed, docker-container, not running"
    assert not [call for call in calls(folder) if "--bootstrap" in call]
    [place] = opened("boxed")
    assert place.runs("amd64")


@pytest.mark.parametrize("status", ["running", "inactive"])
def test_a_part_of_a_builder_that_goes_away_is_built_in_the_engine(
    machine: Callable[..., Machine], builders: Tell, status: str
) -> None:
    """One of portside.toml; nothing takes the place of one that somebody named."""
    folder = builders(far=Standin(status=status, does="goes"))
    engine = Executing()
    here = with_install(machine("here"), engine)
    settings = [BuilderSettings(name="far")]
    with pytest.raises(EngineError, match=r"far (does not answer|stopped answering)"):
        here.build(builders=Builders(settings, os.environ, "far"))
    assert engine.built == [] and not engine.loaded
    tell(folder, {"far": Standin(status=status, does="goes")})
    here.build(builders=Builders(settings, os.environ))
    assert len(engine.built) == 1 and here.store.record("keys", install_part(here).key)


def test_without_an_engine_a_builder_fills_the_store(machine: Callable[..., Machine], builders: Tell) -> None:
    builders(far=Standin())
    here = with_install(machine("here"), Executing())
    config = Config(home=here.home, folders=(here.small.downloads,))
    fetcher = Fetcher(here.store, config, offline=True)
    built = build(here.plan, here.store, fetcher, None, load=False, builders=Builders([], os.environ, "far"))
    assert here.image_id() == built[-1].image.image_id


def test_a_build_with_nothing_to_execute_asks_no_builder(here: Machine, builders: Tell) -> None:
    folder = builders(far=Standin())
    here.build(builders=Builders([BuilderSettings(name="far")], os.environ))
    assert calls(folder) == []


def test_a_plan_says_where_each_part_goes(machine: Callable[..., Machine], builders: Tell) -> None:
    builders(far=Standin(), arm=Standin(platforms="linux/arm64"))
    here = with_install(machine("here"), Executing())
    for settings, place in (
        ([BuilderSettings(name="arm"), BuilderSettings(name="far")], "builder far, remote, amd64"),
        ([BuilderSettings(name="arm")], "nothing"),
    ):
        report = plan_report(here.plan, here.store)
        engine: Any = here.engine
        [line] = add_places(report, here.plan, Builders(settings, os.environ), engine)
        assert line == f"migrated/install: executed by {place}"
        rows = {row["name"]: row for layer in report["layers"] for row in layer["parts"]}
        assert rows["install"]["place"] == place and "place" not in rows["files"]
    [line] = add_places(plan_report(here.plan, here.store), here.plan, Builders([], os.environ, "arm"), engine)
    assert line == "migrated/install: nothing here is known to execute programs for amd64"


def test_the_doctor_shows_builders(builders: Tell) -> None:
    builders(far=Standin(), down=Standin(status="inactive"))
    settings = [BuilderSettings(name="far"), BuilderSettings(name="down")]
    ok, down = examine_builders(settings, os.environ)
    assert (ok.status, ok.text) == ("ok", "builder far, remote, amd64")
    assert (down.status, down.remedy) == ("warning", "Start it, or see how it is: docker buildx inspect down")
    [named] = examine_builders(settings, {**os.environ, "BUILDX_BUILDER": "down"})
    assert named.status == "problem"
    assert list(examine_builders([], os.environ)) == []
