"""What the doctor says about hosts, engines, disks, locks and inputs."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from examined import ICE, SHARD, FakeEngine, about, doctor, glm, glm_lock, one
from fake_hosts import add_mlu, add_mlu_driver, fake_host, put, sixteen
from runtime_recipes import make_recipe

from portside.doctor import Finding, exit_code, to_json, to_lines
from portside.engines import CacheRecord, EngineImage
from portside.engines.base import RECIPE_LABEL
from portside.errors import EngineError
from portside.store import Store


def test_a_machine_that_has_everything(tmp_path: Path) -> None:
    host = sixteen(tmp_path / "host")
    home = tmp_path / "home"
    store = Store(home)
    lock = glm_lock(shard_size=len(ICE), shard=hashlib.sha256(ICE).hexdigest())
    with store.inputs.receive("ice", hashlib.sha256(ICE).hexdigest(), len(ICE)) as receiver:
        receiver.write(ICE)
    store.layout.blob("0" * 64).parent.mkdir(parents=True)
    store.layout.blob("0" * 64).write_bytes(b"x")
    findings = doctor(host, home, glm(), lock)
    assert {finding.status for finding in findings if finding.subject != "store"} == {"ok"}
    assert exit_code(findings) == 0
    assert one(findings, "system").text.startswith("Debian GNU/Linux 12 (bookworm), Linux 6.1.0-18-amd64")
    assert one(findings, "devices").text.startswith("16 mlu370 card(s): 0, 1, 2")
    assert one(findings, "driver").text == "mlu370 driver 5.10.10, wanted >=5.10.10"
    assert "all 2 files" in one(findings, "inputs").text


def test_no_card(tmp_path: Path) -> None:
    findings = doctor(fake_host(tmp_path), tmp_path, make_recipe())
    assert one(findings, "devices").status == "problem"
    assert "neither /dev/cambricon_devN nor a driver" in one(findings, "devices").text
    assert one(findings, "driver").status == "problem"
    assert "cambricon-mlu-driver" in (one(findings, "driver").remedy or "")
    assert exit_code(findings) == 1


def test_one_card(tmp_path: Path) -> None:
    host = fake_host(tmp_path)
    add_mlu(tmp_path, [0])
    findings = doctor(host, tmp_path, glm(), None)
    assert [finding.text for finding in about(findings, "devices")] == [
        "1 mlu370 card(s): 0",
        "a target needs 2 cards, this host has 1",
    ]
    assert [finding.status for finding in about(findings, "devices")] == ["ok", "warning"]


def test_an_old_driver(tmp_path: Path) -> None:
    host = fake_host(tmp_path)
    add_mlu(tmp_path, [0], version="4.20.6")
    driver = one(doctor(host, tmp_path, make_recipe()), "driver")
    assert (driver.status, driver.text) == ("problem", "mlu370 driver 4.20.6, wanted >=5.10.10")
    assert one(doctor(host, tmp_path, make_recipe(driver=">=4.20")), "driver").status == "ok"


def test_a_driver_that_cannot_be_compared(tmp_path: Path) -> None:
    host = fake_host(tmp_path)
    add_mlu(tmp_path, [0], version="5.10.10")
    put(
        tmp_path,
        "/proc/driver/cambricon/mlus/0000:3b:00.0/information",
        "Driver Version: v5.x.y\n",
    )
    driver = one(doctor(host, tmp_path, make_recipe()), "driver")
    assert driver.status == "warning"
    assert "cannot be compared" in driver.text


def test_a_driver_without_nodes(tmp_path: Path) -> None:
    host = fake_host(tmp_path)
    add_mlu_driver(tmp_path, "5.10.10")
    findings = doctor(host, tmp_path, make_recipe())
    devices = one(findings, "devices")
    assert devices.status == "problem"
    assert devices.text == "the mlu370 driver 5.10.10 is there, but no /dev/cambricon_devN"
    assert one(findings, "driver").status == "ok"


def test_nodes_without_a_control_node_and_without_the_tool(tmp_path: Path) -> None:
    host = fake_host(tmp_path)
    add_mlu(tmp_path, [0, 1], control=False)
    (tmp_path / "usr/bin/cnmon").unlink()
    findings = doctor(host, tmp_path, make_recipe())
    assert one(findings, "control nodes").status == "problem"
    assert "/dev/cambricon_ctl" in one(findings, "control nodes").text
    assert one(findings, "host files").status == "warning"
    assert "/usr/bin/cnmon" in one(findings, "host files").text


def test_without_a_recipe_everything_known_is_looked_for(tmp_path: Path) -> None:
    host = fake_host(tmp_path)
    assert one(doctor(host, tmp_path), "devices").text == "no accelerator that Portside knows"
    add_mlu(tmp_path, [0, 1])
    findings = doctor(host, tmp_path)
    assert one(findings, "devices").text == "2 mlu370 card(s): 0, 1"
    assert one(findings, "driver").status == "ok"
    assert not about(findings, "lock")


def test_a_recipe_without_a_card_needs_none(tmp_path: Path) -> None:
    findings = doctor(fake_host(tmp_path), tmp_path, make_recipe(accelerator="cpu"))
    assert one(findings, "devices") == Finding("ok", "devices", "cpu needs none")
    assert exit_code(findings) == 0


def test_an_accelerator_that_nobody_knows(tmp_path: Path) -> None:
    devices = one(doctor(fake_host(tmp_path), tmp_path, make_recipe(accelerator="mlu371")), "devices")
    assert devices.status == "problem"
    assert "mlu370" in (devices.remedy or "")


def test_no_engine(tmp_path: Path) -> None:
    error = EngineError("no Docker daemon answers", "Start it.")
    findings = doctor(fake_host(tmp_path), tmp_path, engine=error)
    assert one(findings, "engine") == Finding("problem", "engine", "no Docker daemon answers", "Start it.")
    assert not about(findings, "engine's disk")


@pytest.mark.parametrize(
    ("free", "status"), [(None, "ok"), (1 << 40, "ok"), (5 << 30, "warning"), (1 << 30, "problem")]
)
def test_the_engines_disk(tmp_path: Path, free: int | None, status: str) -> None:
    findings = doctor(fake_host(tmp_path), tmp_path, glm(), glm_lock(), engine=FakeEngine(free))
    assert one(findings, "engine's disk").status == status


def test_a_store_with_too_little_room(tmp_path: Path) -> None:
    findings = doctor(fake_host(tmp_path), tmp_path / "not/yet/made", glm(), glm_lock(shard_size=1 << 60))
    store = one(findings, "store")
    assert store.status == "problem"
    assert "needed" in store.text
    assert not (tmp_path / "not").exists()


def test_a_store_that_cannot_be_a_folder(tmp_path: Path) -> None:
    put(tmp_path, "/file")
    store = one(doctor(fake_host(tmp_path), tmp_path / "file" / "home"), "store")
    assert store.status == "problem"
    assert "PORTSIDE_HOME" in (store.remedy or "")


@pytest.mark.parametrize(
    ("meminfo", "status", "text"),
    [
        ("MemTotal: 8000000 kB\nMemAvailable: 6000000 kB\n", "ok", "5.7 GiB of 7.6 GiB available"),
        ("MemTotal: 8000000 kB\nMemAvailable: 1800000 kB\n", "warning", "1.7 GiB of 7.6 GiB"),
        ("MemTotal: 2000000 kB\nMemAvailable: 1000000 kB\n", "warning", "weights have 1.6 GiB"),
        ("nothing of use\n", "warning", "does not say"),
    ],
)
def test_memory(tmp_path: Path, meminfo: str, status: str, text: str) -> None:
    host = fake_host(tmp_path)
    put(tmp_path, "/proc/meminfo", meminfo)
    memory = one(doctor(host, tmp_path, glm(), glm_lock()), "memory")
    assert memory.status == status
    assert text in memory.text


def test_another_architecture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    monkeypatch.setattr(FakeEngine, "runs", lambda self, architecture: False)
    findings = doctor(fake_host(tmp_path), tmp_path, glm(), glm_lock())
    system, engine = one(findings, "system"), one(findings, "architecture")
    assert system.status == "warning" and "for amd64" in system.text
    assert engine.status == "problem" and "not known to run such programs" in engine.text
    assert "DOCKER_HOST" in (engine.remedy or "") and "qemu-user-static" in (engine.remedy or "")
    monkeypatch.setattr(FakeEngine, "runs", lambda self, architecture: True)
    engine = one(doctor(fake_host(tmp_path), tmp_path, glm(), glm_lock()), "architecture")
    assert engine.status == "ok" and "or emulates it" in engine.text


def test_missing_inputs_with_names_sizes_and_where_to_put_them(tmp_path: Path) -> None:
    folder = tmp_path / "downloads"
    folder.mkdir()
    findings = doctor(fake_host(tmp_path), tmp_path / "home", glm(), glm_lock(), folders=(folder,))
    fetchable, manual = about(findings, "inputs")
    assert fetchable.status == "warning"
    assert "2 file(s), 1.0 MiB" in fetchable.text
    assert fetchable.remedy == "invoke fetch --recipe glm"
    assert manual.status == "problem"
    assert manual.text == f"pytorch_model-00001-of-00008.bin is missing (1.6 GiB, sha256 {SHARD})"
    assert manual.remedy is not None
    assert "the Tsinghua cloud drive" in manual.remedy
    assert f"put it at {folder}/glm/pytorch_model-00001-of-00008.bin" in manual.remedy
    (folder / "glm").mkdir()
    for place in ("glm/pytorch_model-00001-of-00008.bin", "pytorch_model-00001-of-00008.bin"):
        (folder / place).touch()  # of another size than the locked one
        findings = doctor(fake_host(tmp_path), tmp_path / "home", glm(), glm_lock(), folders=(folder,))
        assert len(about(findings, "inputs")) == 2
        with (folder / place).open("wb") as stream:
            stream.truncate(1_700_000_000)
        findings = doctor(fake_host(tmp_path), tmp_path / "home", glm(), glm_lock(), folders=(folder,))
        assert "3 file(s)" in one(findings, "inputs").text
        (folder / place).unlink()


def test_unpinned_hashes(tmp_path: Path) -> None:
    findings = doctor(fake_host(tmp_path), tmp_path / "home", glm(), glm_lock(shard=None))
    unpinned = one(findings, "unpinned")
    assert unpinned.status == "warning"
    assert "glm/pytorch_model-00001-of-00008.bin" in unpinned.text
    assert any("sha256 unknown" in finding.text for finding in about(findings, "inputs"))


def test_locks(tmp_path: Path) -> None:
    host = fake_host(tmp_path)
    assert one(doctor(host, tmp_path, glm(), None), "lock").remedy == "invoke lock --recipe glm"
    assert one(doctor(host, tmp_path, glm(), glm_lock()), "lock").status == "ok"
    stale = glm_lock().model_copy(update={"requests": {**glm().requests(), "env.debian": ["git-lfs"]}})
    assert one(doctor(host, tmp_path, glm(), stale), "lock").status == "problem"
    edited = one(doctor(host, tmp_path, glm(), glm_lock().model_copy(update={"weights": {}})), "lock")
    assert edited.status == "problem" and "weights.glm: the lock has none of this name" in edited.text


@contextmanager
def registry(status: int) -> Iterator[str]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/v2/" else 404)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            del args

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(("status", "expected"), [(200, "ok"), (401, "ok"), (500, "problem")])
def test_registries_that_the_configuration_names(tmp_path: Path, status: int, expected: str) -> None:
    with registry(status) as address:
        findings = doctor(fake_host(tmp_path), tmp_path, registries=(f"{address}/models", f"{address}/others"))
    assert one(findings, "registry").status == expected
    assert not about(doctor(fake_host(tmp_path), tmp_path), "registry")


def test_a_registry_that_does_not_answer(tmp_path: Path) -> None:
    with registry(200) as address:
        gone = address
    findings = doctor(fake_host(tmp_path), tmp_path, registries=(f"{gone}/models", "http://no:number/models"))
    assert [finding.status for finding in about(findings, "registry")] == ["problem", "problem"]


def test_for_people_and_as_json() -> None:
    findings = [
        Finding("ok", "engine", "Docker 20.10"),
        Finding("warning", "inputs", "2 file(s)", "invoke fetch"),
        Finding("problem", "lock", "it is old:\n  env.debian: changed", "Update it."),
    ]
    assert to_lines(findings) == [
        "ok       engine  Docker 20.10",
        "warning  inputs  2 file(s)",
        "                 -> invoke fetch",
        "problem  lock    it is old:",
        "                   env.debian: changed",
        "                 -> Update it.",
        "1 problem(s), 1 warning(s)",
    ]
    report = to_json(findings)
    assert report["healthy"] is False
    assert report["findings"][1] == {
        "status": "warning",
        "subject": "inputs",
        "text": "2 file(s)",
        "remedy": "invoke fetch",
    }
    assert exit_code(findings[:2]) == 0


@pytest.mark.parametrize(
    ("driver", "status"), [("overlay2", "ok"), ("overlayfs", "ok"), ("vfs", "warning"), ("btrfs", "warning")]
)
def test_storage_that_keeps_hard_links(driver: str, status: str, tmp_path: Path) -> None:
    found = one(doctor(sixteen(tmp_path / "host"), tmp_path / "home", engine=FakeEngine(driver=driver)), "engine")
    assert found.status == status
    assert (f"with {driver}, a step that changes" in found.text) == (status == "warning")


def test_an_engine_whose_clock_is_behind_the_inputs(tmp_path: Path) -> None:
    lock = glm_lock().model_copy(update={"epoch": 1_700_000_000})
    host = sixteen(tmp_path / "host")
    found = one(doctor(host, tmp_path / "home", glm(), lock, engine=FakeEngine(now=1_600_000_000)), "clock")
    assert found.status == "warning"
    assert "2020-09-13 12:26 UTC" in found.text and "2023-11-14 22:13 UTC" in found.text
    assert found.remedy is not None and "timedatectl" in found.remedy
    assert one(doctor(host, tmp_path / "home", glm(), lock), "clock").status == "ok"
    unknown = one(doctor(host, tmp_path / "home", glm(), lock, engine=FakeEngine(now=None)), "clock")
    assert (unknown.status, unknown.text) == ("ok", "the engine does not tell it, so not looked at")
    assert about(doctor(host, tmp_path / "home", glm(), None), "clock") == []


def test_what_the_engine_keeps_of_recipes_is_counted_once_and_what_can_go_is_said(tmp_path: Path) -> None:
    class Cache:
        def records(self) -> list[CacheRecord]:
            return [CacheRecord("a", "regular", "", size=3 << 20), CacheRecord("b", "regular", "", size=5 << 30)]

    class Full(FakeEngine):
        cache = Cache()

        def identity(self) -> str:
            return "docker x"

        def images(self) -> list[EngineImage]:
            labels = {RECIPE_LABEL: "glm"}
            lower, upper = ("base", 1 << 30), ("code", 1 << 20)
            kept = EngineImage("1", ("portside/glm:weights",), labels, (lower,), True)
            return [kept, EngineImage("2", (), labels, (lower, upper), True)]

    home = tmp_path / "home"
    (home / "buildcache").mkdir(parents=True)
    (home / "buildcache" / "t.json").write_text('{"engine": "docker x", "part": "p", "since": 1, "ids": ["a"]}')
    found = one(doctor(fake_host(tmp_path), home, engine=Full()), "in the engine")
    assert found.text == (
        "1.0 GiB in 2 image(s) of recipes, 3.0 MiB in this store's build cache (5.0 GiB in others'); "
        "about 4.0 MiB of it can go"
    )
    assert found.remedy == "See which: invoke clean --engine"
    assert one(doctor(fake_host(tmp_path), tmp_path / "no"), "in the engine").remedy is None
