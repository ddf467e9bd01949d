"""The engines: the Docker that answers (DOCKER_HOST decides which), and Podman with a storage of its own."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from own_left import remove_cache
from tiny_images import Counted, Sandbox, image, layer, programs

from portside.engines import ImageToLoad, open_engine


@pytest.fixture(autouse=True, scope="session")
def nobodys_git() -> Iterator[None]:
    """git without the machine's and the person's settings, and without those of a hook that runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("GIT_")]:
            patch.delenv(name)
        patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        yield


@pytest.fixture(autouse=True, scope="session")
def own_caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the builds of several tests left in the cache of the daemon goes at the end, before their stores do."""
    yield
    remove_cache(tmp_path_factory.getbasetemp())


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path) -> Iterator[None]:
    """What the builds of one test left there goes with its store."""
    yield
    remove_cache(tmp_path)


@pytest.fixture(scope="session")
def podman_storage() -> Iterator[Path]:
    """An empty storage for every podman command of this test run; the machine's own is not touched.

    Not below pytest's folders, which get longer with every process and run: where the runroot has more than 50
    characters, what podman starts when a container has ended refuses it, and every `podman run` waits 20 s for that.
    """
    folder = Path(tempfile.mkdtemp(prefix="podman-"))
    file = folder / "storage.conf"
    # Overlays do not stand on overlays, as in a container that has no volume for its files.
    kind = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True, check=True).stdout.strip()
    driver = "vfs" if kind == "overlayfs" else "overlay"
    file.write_text(f'[storage]\ndriver = "{driver}"\ngraphroot = "{folder}/root"\nrunroot = "{folder}/run"\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONTAINERS_STORAGE_CONF", str(file))
        yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session", params=["docker", "podman"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    if request.param == "podman":
        request.getfixturevalue("podman_storage")
    box = Sandbox(open_engine(request.param), f"portside-test/{os.getpid()}-{os.urandom(4).hex()}")
    yield box
    for ref in sorted(box.refs):
        box.engine.remove_image(ref)
        assert box.engine.image_id(ref) is None


@pytest.fixture(scope="session")
def base(sandbox: Sandbox) -> ImageToLoad:
    """An image with a shell in two layers, loaded as PREFIX/base:latest."""
    files = {"etc/greeting": b"hello\n", "etc/old/a": b"a", "etc/old/b": b"b", "srv/data": b"of the base\n"}
    made = image([layer(programs(), 0o755), layer(files)], [sandbox.ref("base:latest")])
    sandbox.engine.load(made, Counted())
    return made
