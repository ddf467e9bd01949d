"""What builds leave in a builder's cache: what the next one may need, and nothing of those before it."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from buildkit_standin import STEP, Cache, Caching
from small_project import Machine

import portside.build.cache
from portside.build.cache import CacheEntry, CacheTrace, about_build, made_by, sort_out
from portside.engines import CacheRecord
from portside.errors import BuildError, EngineError


def builds(here: Machine, *steps: str, engine: Caching) -> None:
    """Build the project with these install steps, and code of its own in each call."""
    path = here.small.root / "recipes" / "small.yaml"
    text = path.read_text().partition("install:")[0]
    path.write_text(text + "install:\n" + "".join(f"  - {step}\n" for step in steps))
    here.engine = engine
    here.build()


def notes(here: Machine) -> list[Path]:
    return sorted((here.home / "buildcache").glob("*"))


def test_thirty_builds_leave_what_one_leaves(machine: Callable[..., Machine]) -> None:
    """Other code below the steps each time, so that nothing of a build serves the next one."""
    here, engine = machine("here"), Caching()
    counts = []
    for number in range(30):
        here.small.edit(f"print({number})\n")
        builds(here, "{run: echo one, files: [code.py]}", "echo two", engine=engine)
        counts.append(len(engine.cache.there))
    assert len(engine.built) == 30 and engine.cache.steps() == ["echo one", "echo two"]
    assert len(set(counts)) == 1 and engine.cache.texts("source.local") == []
    assert len(notes(here)) <= 2 and list((here.home / "builds").glob("*")) == []


def test_the_steps_of_the_last_build_serve_the_next(machine: Callable[..., Machine]) -> None:
    here, engine = machine("here"), Caching()
    builds(here, "echo long", "echo wrong", engine=engine)
    before = {record.text: name for name, record in engine.cache.there.items()}
    builds(here, "echo long", "echo right", engine=engine)
    after = {record.text: name for name, record in engine.cache.there.items()}
    assert (
        engine.cache.steps() == ["echo long", "echo right"] and after[f"{STEP}echo long"] == before[f"{STEP}echo long"]
    )
    builds(here, "echo else", engine=engine)
    assert engine.cache.steps() == ["echo else"]


def test_what_a_failed_build_left_is_known_too(machine: Callable[..., Machine]) -> None:
    here, engine = machine("here"), Caching()
    for number in range(5):
        here.small.edit(f"print({number})\n")
        engine.failing = f"fail {number}"
        with pytest.raises(BuildError):
            builds(here, f"fail {number}", engine=engine)
    assert engine.cache.texts("source.local") == [] and engine.cache.texts().count("fileop target") == 1
    builds(here, "echo fine", engine=engine)
    here.small.edit("print()\n")
    builds(here, "echo fine", engine=engine)
    assert engine.cache.texts().count("fileop target") == 1


def test_records_of_other_peoples_builds_stay(machine: Callable[..., Machine]) -> None:
    here, engine = machine("here"), Caching()
    cache = engine.cache
    theirs: list[str] = []

    def other_build() -> None:
        theirs.append(cache.add("source.local", "local source for dockerfile", size=77))
        theirs.append(cache.add("source.local", "local source for context", size=1_234_567))
        theirs.append(cache.add("regular", STEP + "make theirs", size=10))

    engine.beside = other_build
    builds(here, "echo one", engine=engine)
    builds(here, "echo two", engine=engine)
    assert len(theirs) == 6 and set(theirs) <= set(cache.there)
    # Ours are told apart nevertheless.
    assert cache.steps() == ["echo two", "make theirs", "make theirs"] and len(cache.texts("source.local")) == 4


def test_a_build_that_is_seen_by_what_it_uses_again_is_another_ones(machine: Callable[..., Machine]) -> None:
    """Docker's own command sends a Dockerfile into the record that it sent the last one of that folder into."""
    here, engine = machine("here"), Caching()
    cache = engine.cache
    sent = cache.add("source.local", "local source for dockerfile", size=50)
    copied: list[str] = []

    def other_build() -> None:
        cache.use(sent)
        copied.append(cache.add("regular", "fileop target", size=10_000))

    engine.beside = other_build
    builds(here, "echo one", engine=engine)
    builds(here, "echo two", engine=engine)
    assert set(copied) <= set(cache.there) and cache.steps() == ["echo two"]


def test_what_a_killed_build_left_goes_with_the_next(machine: Callable[..., Machine]) -> None:
    here = machine("here")
    cache = Cache()
    engine = Caching(cache)
    engine.step_size = 1 << 20
    made: multiprocessing.Queue[list[CacheRecord]] = multiprocessing.get_context("fork").Queue()

    class Dying(Caching):
        def diff_ids(self, ref: str, shown: str) -> list[str]:
            made.put(self.cache.records())
            made.close()
            made.join_thread()
            os.kill(os.getpid(), signal.SIGKILL)
            return []

    def build() -> None:
        builds(here, "echo killed", engine=Dying(cache))

    process = multiprocessing.get_context("fork").Process(target=build)
    process.start()
    # The cache is the engine's, and so outlives the process.
    cache.there = {record.id: record for record in made.get(timeout=60)}
    process.join()
    assert process.exitcode == -signal.SIGKILL and cache.steps() == ["echo killed"]
    assert [path.suffix for path in sorted((here.home / "builds").glob("*"))] == [".json", ".made"]
    cache._names = iter(range(1000, 2000))  # type: ignore[assignment]
    cache._clock = iter(range(2 * 10**9, 3 * 10**9))  # type: ignore[assignment]
    builds(here, "echo next", engine=engine)
    assert cache.steps() == ["echo next"] and cache.texts("source.local") == []
    assert list((here.home / "builds").glob("*")) == []


def test_where_the_engine_does_not_tell_the_next_build_tries_again(
    machine: Callable[..., Machine], capsys: pytest.CaptureFixture[str]
) -> None:
    here, engine = machine("here"), Caching()
    engine.cache.fails = EngineError("it does not answer")
    builds(here, "echo one", engine=engine)
    assert "the engine's cache keeps what this build left there: it does not answer" in capsys.readouterr().err
    assert notes(here) == [] and len(list((here.home / "builds").glob("*.made"))) == 1
    engine.cache.fails = None
    builds(here, "echo two", engine=engine)
    assert engine.cache.steps() == ["echo two"] and list((here.home / "builds").glob("*")) == []


def test_a_record_that_a_build_has_in_use_is_tried_again(machine: Callable[..., Machine]) -> None:
    here, engine = machine("here"), Caching()
    builds(here, "echo one", engine=engine)
    [step] = [name for name, record in engine.cache.there.items() if record.text == f"{STEP}echo one"]
    record = engine.cache.there[step]
    engine.cache.there[step] = CacheRecord(step, record.kind, record.text, record.parents, 1, record.created, 0, True)
    builds(here, "echo two", engine=engine)
    assert engine.cache.steps() == ["echo one", "echo two"]
    engine.cache.there[step] = record
    builds(here, "echo three", engine=engine)
    assert engine.cache.steps() == ["echo three"]


def entry(token: str, part: str, since: int, *ids: str) -> CacheEntry:
    return CacheEntry(token, "engine", part, since, ids)


def test_what_stays_of_several_parts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portside.build.cache, "KEPT_BYTES", 250)
    records = [CacheRecord(name, "regular", "x", size=100, created=1, used=1) for name in "abc"]
    entries = [entry("1", "p/a", 1, "a"), entry("2", "p/b", 2, "b"), entry("3", "p/c", 3, "c", "gone")]
    assert sort_out(entries, records) == {"a"}
    assert sort_out(entries[:2], records) == set()


def test_the_commands_and_sizes_of_a_build(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_bytes(bytes(5000))
    run = "RUN --mount=type=bind,source=a,target=/b \\\n    one 'a  b' \\\n && two\n"
    text = f"FROM x\nARG A=b\n{run}WORKDIR /w\nRUN three\n"
    made = about_build("r/l/p", 7, tmp_path, text)
    assert made.commands == ("one 'a b' && two", "three")
    assert made.sizes["local source for context"] == (5000, 4 * 4096)
    described = CacheRecord("x", "regular", f"{STEP}one 'a  b'  && two", created=8)
    other = CacheRecord("y", "regular", f"{STEP}one 'a  b'  && three", created=8)
    assert made_by([described, other], made) == {"x"}


def test_a_link_counts_as_itself_wherever_it_leads(tmp_path: Path) -> None:
    (tmp_path / "to-weights").symlink_to("../not-there")
    (tmp_path / "to-itself").symlink_to(".")
    made = about_build("r/l/p", 7, tmp_path, "FROM x\n")
    assert made.sizes["local source for context"] == (len("../not-there") + len("."), 3 * 4096)


def test_nothing_of_before_or_after_a_build_is_its_own() -> None:
    made = CacheTrace("r/l/p", 10, ("one",), {}, until=20)
    records = [CacheRecord(str(at), "regular", f"{STEP}one", created=at) for at in (9, 10, 20, 21)]
    assert made_by(records, made) == {"10", "20"}


def test_a_build_that_came_afterwards_says_nothing_about_this_one() -> None:
    """Of two parts of one recipe, say: what the first left is looked at when both are over."""
    made = CacheTrace("r/l/p", 10, ("one",), {}, until=20)
    sources = [
        CacheRecord(f"{at}", "source.local", "local source for dockerfile", created=at, used=at) for at in (11, 30)
    ]
    failed = CacheRecord("below", "regular", "from local x", created=12, used=31)
    assert made_by([*sources, failed], made) == {"11", "below"}
