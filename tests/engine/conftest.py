"""The engine that answers (DOCKER_HOST decides which), and a tiny base image in it."""

import os
from collections.abc import Iterator

import pytest
from tiny_images import Counted, Sandbox, image, layer, programs

from portside.engines import ImageToLoad, open_engine


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    box = Sandbox(open_engine(), f"portside-test/{os.getpid()}-{os.urandom(4).hex()}")
    yield box
    for ref in box.engine.images(box.prefix):
        box.engine.remove_image(ref)
    assert box.engine.images(box.prefix) == []


@pytest.fixture(scope="session")
def base(sandbox: Sandbox) -> ImageToLoad:
    """An image with a shell in two layers, loaded as PREFIX/base:latest."""
    files = {"etc/greeting": b"hello\n", "etc/old/a": b"a", "etc/old/b": b"b", "srv/data": b"of the base\n"}
    made = image([layer(programs(), 0o755), layer(files)], [sandbox.ref("base:latest")])
    sandbox.engine.load(made, Counted())
    return made
