"""Blobs of the store that changed since they were written: noticed, put aside, made again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_project import Machine, NoEngine

from portside.bundle import bundle
from portside.cli.report.plan import plan_report
from portside.config import Config
from portside.doctor.lacking import take_inventory
from portside.errors import InputError, PortsideError
from portside.fetch.fetcher import Fetcher
from portside.fetch.manual import ManualInput, missing
from portside.lock.bases import ArchiveBase, ArchiveLayer
from portside.lock.file import dump_lock
from portside.lock.packages import Deb


class Reading(NoEngine):
    """An engine that has nothing yet, and reads what it is sent."""

    def load(self, image: Any, transfer: Any) -> None:
        for layer in image.layers:
            with layer.open() as stream:
                while stream.read(1 << 16):
                    pass
        super().load(image, transfer)


def digest_of(here: Machine, layer: str, number: int = 0) -> str:
    part = here.plan.layer(layer).parts[number]
    record = part.manifest if part.kind == "base" else here.store.record("keys", part.key)
    return str(record["diff_id"])


def blob_of(here: Machine, layer: str, number: int = 0) -> Path:
    """The file that is a part's blob, or that it is made of."""
    return here.store.layout.tar(digest_of(here, layer, number)).path


def flip(path: Path) -> None:
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-512])


def aside(here: Machine) -> list[Path]:
    return sorted((here.home / "inputs" / "quarantine").glob("*"))


@pytest.mark.parametrize(("layer", "number"), [("migrated", 0), ("weights", 0), ("weights", 1), ("env", 1)])
def test_what_an_engine_would_get_damaged_is_made_again(
    machine: Callable[..., Machine], layer: str, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    here = machine("here")
    here.build()
    before = here.image_id()
    path, digest = blob_of(here, layer, number), digest_of(here, layer, number)
    flip(path)
    here.engine = Reading()
    fresh = {name for row in here.build() for name in row.fresh}
    assert fresh == {here.plan.layer(layer).parts[number].name}
    assert here.image_id() == before == here.engine.loaded["portside/small:latest"]
    here.check_blobs()
    assert [found.name.rpartition("-")[2] for found in aside(here)] == [path.name]
    assert f"the store's blob {digest} was damaged" in capsys.readouterr().err


@pytest.mark.parametrize(("layer", "number"), [("migrated", 0), ("weights", 1)])
def test_a_cut_off_blob_is_noticed_by_its_size_alone(machine: Callable[..., Machine], layer: str, number: int) -> None:
    here = machine("here")
    here.build()
    cut(blob_of(here, layer, number))
    part = here.plan.layer(layer).parts[number]
    [row] = [row for row in plan_report(here.plan, here.store)["layers"] if row["name"] == layer]
    shown = next(p for p in row["parts"] if p["name"] == part.name)
    assert (shown["state"], shown["reasons"]) == ("build", ["its blob in the store is gone or damaged"])
    here.build()  # the engine has the image already: nothing is sent to it
    here.check_blobs()


def test_a_cut_off_base_is_missing_to_the_doctor(machine: Callable[..., Machine]) -> None:
    here = machine("here")
    plan = here.plan
    deb = Deb(name="tool", version="1", architecture="amd64", path="pool/tool.deb", size=1, sha256="a" * 64)
    lock = plan.lock.model_copy(update={"base": plan.lock.base.model_copy(update={"debs": (deb,)})})
    config = Config(home=here.home, folders=(here.small.downloads,))

    def named() -> set[str]:
        return {file.name for file in take_inventory(plan.recipe, lock, config).files}

    assert "tool 1" not in named()
    cut(blob_of(here, "env"))
    assert "tool 1" in named()


def test_a_cut_off_layer_of_a_vendor_is_a_file_to_bring(machine: Callable[..., Machine]) -> None:
    here = machine("here")
    plan = here.plan
    layer = ArchiveLayer(diff_id=here.base.digest, size=here.base.size)
    base = ArchiveBase(file="vendor.tar", architecture="amd64", epoch=0, size=9, sha256="a" * 64, layers=(layer,))
    lock = plan.lock.model_copy(update={"base": base})
    config = Config(home=here.home)
    [locked] = base.inputs("base")
    brought = ManualInput(locked)

    def missing_files() -> list[str]:
        names = [file.file for file in missing([brought], lock, here.store, config)]
        assert names == [f.name for f in take_inventory(plan.recipe, lock, config).files if f.name == base.file]
        return names

    assert missing_files() == []
    cut(here.store.layout.blob(here.base.digest))
    assert missing_files() == [base.file]


def test_without_the_cache_the_base_is_read_too(machine: Callable[..., Machine]) -> None:
    here = machine("here")
    here.build()
    base, code = blob_of(here, "env"), blob_of(here, "migrated")
    flip(base)
    flip(code)
    here.build()
    assert aside(here) == []  # the engine has both, so nobody read them
    with pytest.raises(PortsideError):
        here.build(no_cache=True)  # this base has no packages to be made of again
    assert {path.name.rpartition("-")[2] for path in aside(here)} == {base.name, code.name}


def test_a_bundle_of_a_damaged_weight_file_says_how_to_get_it_again(
    machine: Callable[..., Machine], tmp_path: Path
) -> None:
    here = machine("here")
    here.build()
    flip(blob_of(here, "weights", 1))
    here.plan.recipe.lock_path.write_text(dump_lock(here.plan.lock))
    config = Config(home=here.home, folders=(here.small.downloads,))
    fetcher = Fetcher(here.store, config, offline=True)
    with pytest.raises(InputError, match="is not in the store") as caught:
        bundle(here.plan, here.store, fetcher, tmp_path / "small.bundle")
    assert caught.value.solution is not None and "invoke fetch --recipe " in caught.value.solution
    assert len(aside(here)) == 1
    assert not (tmp_path / "small.bundle").exists()
    bundle(here.plan, here.store, fetcher, tmp_path / "small.bundle")  # it was put aside, and is brought anew
