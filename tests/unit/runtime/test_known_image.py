"""An engine's image is compared with what the store knows under its name before a container of it starts."""

from collections.abc import Callable
from pathlib import Path

import pytest
from test_run_container_steps import IMAGE, SPEC, FakeEngine

from portside.common.canonical import sha256_hex
from portside.common.values import ImageName
from portside.engines import ImageToLoad
from portside.errors import EngineError, LockError
from portside.plan.model import Plan
from portside.runtime import run_container
from portside.runtime.known import Known, known_image
from portside.store import Store
from portside.store.layout import Image


def start(known: Known) -> FakeEngine:
    engine = FakeEngine()
    run_container(engine, SPEC, known=known)  # type: ignore[arg-type]
    return engine


def test_the_stores_image_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert start(Known("glm", "weights", IMAGE, None)).calls == [("run", "portside-glm-li")]
    assert "portside/glm" not in capsys.readouterr().err


@pytest.mark.parametrize("note", [None, "the last build"])
def test_another_image_of_that_name_does_not(note: str | None) -> None:
    engine = FakeEngine()
    with pytest.raises(EngineError, match="somebody else has given it that name") as caught:
        run_container(engine, SPEC, known=Known("glm", "weights", "b" * 64, note))  # type: ignore[arg-type]
    assert caught.value.solution == "Load the right one: invoke build --recipe glm --layer weights"
    assert engine.calls == []


def test_what_nothing_proves_runs_with_a_note(capsys: pytest.CaptureFixture[str]) -> None:
    assert start(Known("glm", "weights", None, "nothing here proves it")).calls != []
    assert "portside/glm:weights: nothing here proves it" in capsys.readouterr().err


def no_lock() -> Plan:
    raise LockError("glm is not locked")


def test_a_store_that_knows_nothing(tmp_path: Path) -> None:
    known = known_image("glm", "weights", Store(tmp_path), no_lock)
    assert known.image_id is None
    assert known.note == "nothing here proves that it is the recipe's image (glm is not locked)"


def test_the_last_build_is_known_when_the_recipe_has_changed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    config = b'{"rootfs":{"type":"layers","diff_ids":[]}}'
    store.layout.put_image("glm:weights", Image(config, ()))
    known = known_image("glm", "weights", store, no_lock)
    assert known.image_id == sha256_hex(config)
    assert known.note is not None and "not what the recipe says now (glm is not locked)" in known.note


@pytest.mark.parametrize("lost", ["config", "manifest"])
def test_a_store_that_has_lost_it_knows_nothing(tmp_path: Path, lost: str) -> None:
    store = Store(tmp_path)
    image = Image(b'{"rootfs":{"type":"layers","diff_ids":[]}}', ())
    store.layout.put_image("glm:weights", image)
    gone: Callable[[], bytes] = image.manifest if lost == "manifest" else lambda: image.config
    store.layout.blob(sha256_hex(gone())).unlink()
    assert known_image("glm", "weights", store, no_lock).image_id is None


class Loading(FakeEngine):
    """An engine that has an image of each layer's name, and takes others."""

    def load(self, image: ImageToLoad, progress: object) -> int:
        self.calls.append(("load", image.image_id, *image.tags))
        return 0


@pytest.mark.parametrize("layer", ["env", "migrated"])
def test_a_layer_below_the_finished_image_is_brought(tmp_path: Path, layer: str) -> None:
    """A build does not load it: the engine has none, or that of an earlier build."""
    store, engine = Store(tmp_path), Loading()
    image = Image(b'{"rootfs":{"type":"layers","diff_ids":[]}}', ())
    store.layout.put_image(ImageName(f"glm:{layer}"), image)
    known_image("glm", layer, store, no_lock).bring(store, engine)  # type: ignore[arg-type]
    assert engine.calls == [("load", image.image_id, f"portside/glm:{layer}")]


def test_what_the_engine_has_and_the_finished_image_stay(tmp_path: Path) -> None:
    """Another finished image of that name is somebody's doing, and refused."""
    store, engine = Store(tmp_path), Loading()
    image = Image(b'{"rootfs":{"type":"layers","diff_ids":[]}}', ())
    Known("glm", "env", IMAGE, None, image).bring(store, engine)  # type: ignore[arg-type]
    Known("glm", "weights", image.image_id, None, image).bring(store, engine)  # type: ignore[arg-type]
    Known("glm", "env", None, None).bring(store, engine)  # type: ignore[arg-type]
    assert engine.calls == []
