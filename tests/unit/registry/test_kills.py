"""Registries and clients that die in the middle: the next try continues, and nothing is ever half visible.

PORTSIDE_KILLS says how many times (default: 4 pushes and 4 pulls).
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
from registry_server import RegistryServer
from small_project import Machine, Small, sha, small_project

import portside.share.pull
import portside.share.sending
from portside.registry.reference import parse_reference
from portside.registry.upload import PIECE, upload
from portside.share.pull import pull
from portside.share.push import push

KILLS = int(os.environ.get("PORTSIDE_KILLS", "4"))
SIZES = {"big.bin": 6 << 20, "other.bin": 2 << 20, "vocab.txt": 5000}


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Small:
    return small_project(tmp_path / "project", monkeypatch, SIZES)


class Watched:
    """Stands in for progress.transfer and calls `at_limit` once, when `limit` bytes of blobs have moved."""

    def __init__(self, limit: int, at_limit: Callable[[], None]) -> None:
        self.moved = 0
        self.fired = False
        self._limit = limit
        self._at_limit = at_limit
        self._lock = threading.Lock()

    @contextmanager
    def __call__(self, text: str, total: int | None) -> Iterator[Callable[[int], None]]:
        yield self._advance

    def _advance(self, count: int) -> None:
        with self._lock:
            self.moved += count
            if self.moved < self._limit or self.fired:
                return
            self.fired = True
        self._at_limit()


class Outage:
    """Kills a registry, and starts it again a little later."""

    def __init__(self, registry: RegistryServer) -> None:
        self._registry = registry
        self._timer = threading.Timer(0.2, registry.start)

    def __call__(self) -> None:
        self._registry.kill()
        self._timer.start()

    def over(self) -> None:
        self._timer.join()


def whole(registry: RegistryServer, repository: str) -> None:
    """Every tag of the repository names blobs that are there and right."""
    for tag in registry.tags(repository):
        manifest = registry.manifest(repository, tag)
        layers, config = manifest["layers"], manifest["config"]
        assert isinstance(layers, list) and isinstance(config, dict)
        for row in [*layers, config]:
            digest = row["digest"].removeprefix("sha256:")
            assert sha(registry.blob(digest).read_bytes()) == digest, (tag, row)


@pytest.mark.parametrize("seed", range(KILLS))
def test_the_registry_dies_in_the_middle_of_a_push(
    machine: Callable[..., Machine], registry: RegistryServer, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    here, there = machine("here"), machine("there", has_base=False)
    here.build()
    outage = Outage(registry)
    watched = Watched(Random(seed).randrange(1, sum(SIZES.values())), outage)
    monkeypatch.setattr(portside.share.sending, "transfer", watched)
    reference = parse_reference(f"{registry.host}/team/models:small", None)
    push(here.plan, here.store, reference)
    assert watched.fired
    outage.over()
    whole(registry, "team/models")
    assert len(registry.tags("team/models")) == 4
    pull(there.plan, there.store, reference)
    assert there.image_id() == here.image_id()


@pytest.mark.parametrize("seed", range(KILLS))
def test_the_registry_dies_in_the_middle_of_a_pull(
    machine: Callable[..., Machine], registry: RegistryServer, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    here, there = machine("here"), machine("there", has_base=False)
    here.build()
    reference = parse_reference(f"{registry.host}/team/models:small", None)
    push(here.plan, here.store, reference)
    outage = Outage(registry)
    watched = Watched(Random(seed).randrange(1, sum(SIZES.values())), outage)
    monkeypatch.setattr(portside.share.pull, "transfer", watched)
    pull(there.plan, there.store, reference)
    assert watched.fired
    outage.over()
    assert there.image_id() == here.image_id()
    there.check_blobs()
    assert there.scratch() == []


def in_a_process(work: Callable[[], object]) -> int:
    """Run it in a process of its own; gives its exit code, negative for a signal."""
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_pull_is_continued_where_it_was(
    machine: Callable[..., Machine], registry: RegistryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = machine("here"), machine("there", has_base=False)
    here.build()
    reference = parse_reference(f"{registry.host}/team/models:small", None)
    push(here.plan, here.store, reference)
    plan, limit = there.plan, 5 << 20
    with monkeypatch.context() as patched:
        patched.setattr(portside.share.pull, "transfer", Watched(limit, die))
        assert in_a_process(lambda: pull(plan, there.store, reference)) == -signal.SIGKILL
    assert there.store.layout.image("small:weights") is None
    there.check_blobs()
    pulled = pull(plan, there.store, reference)
    assert pulled.image.image_id == here.image_id()
    total = sum(layer.size for layer in pulled.image.layers)
    # What a process holds in its buffers dies with it; the rest was on disk.
    assert 0 < pulled.received_bytes < total - limit + (2 << 20)


def test_a_killed_push_makes_no_image_visible_and_is_completed(
    machine: Callable[..., Machine], registry: RegistryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = machine("here"), machine("there", has_base=False)
    here.build()
    plan = here.plan
    reference = parse_reference(f"{registry.host}/team/models:small", None)
    with monkeypatch.context() as patched:
        patched.setattr(portside.share.sending, "transfer", Watched(5 << 20, die))
        assert in_a_process(lambda: push(plan, here.store, reference)) == -signal.SIGKILL
    assert "small" not in registry.tags("team/models")
    push(plan, here.store, reference)
    assert pull(there.plan, there.store, reference).image.image_id == here.image_id()


def test_an_upload_is_continued_between_requests_by_another_process(
    machine: Callable[..., Machine], registry: RegistryServer
) -> None:
    from portside.common.tree import FileRange
    from portside.registry.client import Client
    from portside.registry.upload import Outgoing

    here = machine("here")
    data = Random(7).randbytes(8 << 20)
    digest = here.store.layout.put_blob(data)
    blob = Outgoing(digest, FileRange(here.store.layout.blob(digest), 0, len(data)))
    repository = parse_reference(f"{registry.host}/team/models:x", None).repository
    piece = 1 << 20
    assert piece < PIECE

    def broken() -> None:
        from portside.registry import upload as module

        sent = 0

        class Dying(module._Sending):
            def _patch(self, offset: int) -> int:
                nonlocal sent
                sent += 1
                if sent > 5:
                    die()
                return super()._patch(offset)

        module._Sending = Dying  # type: ignore[misc]
        with Client(repository) as client:
            upload(client, here.store, blob, lambda count: None, piece=piece)

    assert in_a_process(broken) == -signal.SIGKILL
    registry.kill()
    registry.start()
    seen = []
    with Client(repository) as client:
        assert upload(client, here.store, blob, seen.append, piece=piece)
        assert client.sent == len(data) - 5 * piece
    assert sum(seen) == len(data)
    assert registry.blob(digest).read_bytes() == data
    assert here.scratch() == []


def test_a_registry_that_comes_back_with_another_secret_gets_the_blob_anew(
    machine: Callable[..., Machine], registry: RegistryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a configured secret, Docker's registry makes one up at each start and knows no older session."""
    from portside.common.tree import FileRange
    from portside.registry import upload as module
    from portside.registry.client import Client

    here = machine("here")
    data = Random(9).randbytes(6 << 20)
    digest = here.store.layout.put_blob(data)
    blob = module.Outgoing(digest, FileRange(here.store.layout.blob(digest), 0, len(data)))
    config = registry.folder / "config.yml"
    calls = []

    class Interrupted(module._Sending):
        def _patch(self, offset: int) -> int:
            calls.append(offset)
            if len(calls) == 4:
                registry.kill()
                config.write_text(config.read_text().replace("the same after a restart", "another"))
                registry.start()
            return super()._patch(offset)

    monkeypatch.setattr(module, "_Sending", Interrupted)
    with Client(parse_reference(f"{registry.host}/team/models:x", None).repository) as client:
        assert upload(client, here.store, blob, lambda count: None, piece=1 << 20)
    assert calls[:5] == [0, 1 << 20, 2 << 20, 3 << 20, 0]
    assert registry.blob(digest).read_bytes() == data


@pytest.mark.parametrize(
    "session_at", ["/v2/team/models/blobs/uploads/no-such?_state=x", "http://[", "http://127.0.0.1:1/"]
)
def test_a_session_that_the_registry_has_forgotten_starts_anew(
    session_at: str, machine: Callable[..., Machine], registry: RegistryServer
) -> None:
    """And one of which nonsense is remembered."""
    from portside.common.tree import FileRange
    from portside.registry import upload as module
    from portside.registry.client import Client

    here = machine("here")
    data = Random(8).randbytes(3 << 20)
    digest = here.store.layout.put_blob(data)
    blob = module.Outgoing(digest, FileRange(here.store.layout.blob(digest), 0, len(data)))
    repository = parse_reference(f"{registry.host}/team/models:x", None).repository
    with Client(repository, pauses=()) as client:
        with module._session(client, here.store, blob) as session:
            path = next(path for path in (here.home / "partial").iterdir())
            session.keep(session_at if "://" in session_at else f"http://{registry.host}{session_at}")
            content = path.read_bytes()
        path.write_bytes(content)
        assert upload(client, here.store, blob, lambda count: None, piece=1 << 20)
        assert client.sent == len(data)
