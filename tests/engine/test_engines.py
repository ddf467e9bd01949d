"""The engines as they are here: whatever their version and their way to store images."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import pytest
from tiny_images import LABEL, Collected, Counted, Sandbox, image, layer, programs

from portside.common.canonical import canonical_json
from portside.engines import ImageLayer, ImageToBuild, ImageToLoad, Mount, RunSpec, docker_layers, podman_layers
from portside.errors import BuildError, EngineError
from portside.layers.engine_layer import read
from portside.layers.raw import LayerSource, RawLayer

RUN_EVERYTHING = r"""
mkdir -p new/deep && echo one > new/deep/file && ln new/deep/file new/hard && ln -s deep/file new/soft
chmod 4755 new/deep/file && mkfifo new/fifo
rm /etc/greeting && rm -r /etc/old && mkdir /etc/old && echo c > /etc/old/c
mv /srv/data /srv/moved && echo long > /srv/$(printf '%0120d' 7)
"""


def test_load_sends_only_what_is_missing(sandbox: Sandbox) -> None:
    layers = [layer({f"file{number}": os.urandom(300_000)}) for number in range(3)]
    lower = image(layers[:2], [sandbox.ref("load:lower")])
    upper = image(layers, [sandbox.ref("load:upper"), sandbox.ref("load:same")])
    engine, first, second, third = sandbox.engine, Counted(), Counted(), Counted()

    assert engine.image_id(sandbox.ref("load:lower")) is None
    sent = engine.load(lower, first)
    assert sent == first.done == sum(part.size for part in layers[:2]) and first.totals == [sent]
    assert engine.image_id(sandbox.ref("load:lower")) == lower.image_id

    sent = engine.load(upper, second)
    assert sent == second.done
    if sent != layers[2].size:  # a containerd image store before Docker 28 does not tell which layers are whole
        assert "containerd image store" in engine.describe() and sent == sum(part.size for part in layers)
    for ref in upper.tags:
        assert engine.image_id(ref) == upper.image_id

    again = ImageToLoad(upper.config, upper.layers, (sandbox.ref("load:again"),))
    assert engine.load(again, third) == 0 and third.totals == []
    assert engine.image_id(sandbox.ref("load:again")) == upper.image_id


def test_an_edit_above_large_weights_sends_the_edit_alone(sandbox: Sandbox) -> None:
    base, weights = layer({"base": os.urandom(100_000)}), layer({"weights": os.urandom(20_000_000)})
    before, after = layer({"code": b"before"}), layer({"code": b"after!"})
    sandbox.engine.load(image([base, weights, before], [sandbox.ref("edit:before")]), Counted())
    # What an engine has need not be there any more to be read.
    gone = [ImageLayer(item.diff_id, item.size, never_opened) for item in (base, weights)]
    made = image([*gone, after], [sandbox.ref("edit:after")])
    assert sandbox.engine.lacks([item.diff_id for item in made.layers]) == [False, False, True]
    assert sandbox.engine.load(made, Counted()) == after.size
    with sandbox.engine.new_layers(made.tags[0], 1) as layers:
        assert [set(read(source).entries) for source in layers] == [{"weights"}, {"code"}]


def test_an_image_whose_name_another_takes_goes_unless_it_is_needed(sandbox: Sandbox) -> None:
    ref, engine = sandbox.ref("replaced:latest"), sandbox.engine
    part = layer(programs(), 0o755)
    first, tagged, used, last = (image([part], [ref], note=str(number), recipe="x") for number in range(4))
    foreign = image([part], [ref], note="of somebody else")
    other = ImageToLoad(tagged.config, tagged.layers, (sandbox.ref("replaced:kept"),))
    engine.load(first, Counted())
    engine.load(tagged, Counted())
    assert not loaded(sandbox, first)
    engine.load(other, Counted())
    engine.load(used, Counted())
    assert loaded(sandbox, tagged)
    container = engine.start(RunSpec(ref, ("sleep", "60")))
    try:
        engine.load(foreign, Counted())
        assert loaded(sandbox, used)
    finally:
        engine.remove_container(container)
    engine.load(last, Counted())
    assert loaded(sandbox, foreign)
    for left in (used, foreign):
        engine.remove_image(engine_id(sandbox, left))


def engine_id(sandbox: Sandbox, item: ImageToLoad) -> str:
    """What the engine calls this image, which need not have a name."""
    containerd = "containerd image store" in sandbox.engine.describe()
    return f"sha256:{hashlib.sha256(item.manifest()).hexdigest() if containerd else item.image_id}"


def loaded(sandbox: Sandbox, item: ImageToLoad) -> bool:
    return sandbox.engine.image_id(engine_id(sandbox, item)) is not None


def never_opened() -> BinaryIO:
    raise AssertionError("a layer was read that the engine has")


def test_a_layer_that_vanished_is_sent_after_all(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    made = image([layer({"gone": os.urandom(1000)}), layer({"top": b"x"})], [sandbox.ref("vanished:latest")])
    monkeypatch.setattr(sandbox.engine, "lacks", lambda diff_ids: [False, True])
    sandbox.engine.load(made, Counted())
    assert sandbox.engine.image_id(made.tags[0]) == made.image_id
    with sandbox.engine.new_layers(made.tags[0], 0) as layers:
        assert [set(read(source).entries) for source in layers] == [{"gone"}, {"top"}]


def test_a_layer_of_other_bytes_is_refused(sandbox: Sandbox) -> None:
    true, other = layer({"a": b"true"}), layer({"a": b"lie!"})
    lie = ImageLayer(true.diff_id, true.size, other.open)
    short = ImageLayer(true.diff_id, true.size + 512, other.open)
    for number, part in enumerate((lie, short)):
        made = image([part], [sandbox.ref(f"refused:{number}")], note=os.urandom(4).hex())
        with pytest.raises(EngineError):
            sandbox.engine.load(made, Counted())
        assert sandbox.engine.image_id(made.tags[0]) is None


def _build(sandbox: Sandbox, folder: Path, text: str, name: str, log: list[str], no_cache: bool = False) -> str:
    dockerfile = folder / "Dockerfile"
    dockerfile.write_text(f"FROM {sandbox.ref('base:latest')}\n{text}\n")
    (folder / "context").mkdir(exist_ok=True)
    (folder / "context" / "input").write_text("from the context")
    return sandbox.engine.build(ImageToBuild(folder / "context", dockerfile, sandbox.ref(name), no_cache), log.append)


def _content(source: LayerSource) -> dict[str, object]:
    """All that matters of a layer; what the engines themselves disagree on (docs/canonical-layer.md) is left out."""
    raw = read(source)
    out: dict[str, object] = {path: "gone" for path in raw.whiteouts | raw.opaque if path not in raw.entries}
    for path, entry in raw.entries.items():
        if path.split("/")[0] in ("etc", "srv", "work"):
            data = hashlib.sha256(entry.read()).hexdigest() if entry.kind == "file" else entry.link
            out[path] = (entry.kind, entry.mode, entry.uid, entry.gid, entry.mtime, data, _links(raw, path))
    return out


def _links(raw: RawLayer, path: str) -> list[str]:
    content = raw.entries[path].content
    return sorted(name for name, entry in raw.entries.items() if content is not None and entry.content is content)


@pytest.mark.usefixtures("base")
def test_new_layers_are_the_same_in_place_and_saved(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = " && ".join(line for line in RUN_EVERYTHING.strip().splitlines())
    fresh = f"echo {os.urandom(4).hex()} > fresh"
    text = f"WORKDIR /work\nRUN --mount=type=bind,target=/inputs cat /inputs/input > seen\nRUN {script} && {fresh}"
    sandbox_ref = sandbox.ref("built:latest")
    _build(sandbox, tmp_path, text, "built:latest", [])
    with sandbox.engine.new_layers(sandbox_ref, 2) as layers:
        in_place = [_content(source) for source in layers]
    for layers_of in (docker_layers, podman_layers):
        monkeypatch.setattr(layers_of, "overlay_folders", lambda *_: None)
    with sandbox.engine.new_layers(sandbox_ref, 2) as layers:
        saved = [_content(source) for source in layers]
        paths = [source.path for source in layers]
    assert in_place == saved
    assert not any(path.exists() for path in paths)

    assert len(saved) == (2 if sandbox.engine.name == "podman" else 3)  # only Docker has one for WORKDIR
    merged = {path: value for layer in saved for path, value in layer.items()}
    assert "work/seen" in merged
    kinds = {path: value if value == "gone" else value[:2] for path, value in merged.items()}  # type: ignore[index]
    assert kinds["etc/greeting"] == kinds["srv/data"] == "gone"
    assert kinds["work/new/deep/file"] == kinds["work/new/hard"] == ("file", 0o4755)
    assert kinds["work/new/soft"] == ("symlink", 0o777) and kinds["work/new/fifo"][0] == "fifo"
    assert kinds["srv/" + "7".rjust(120, "0")] == ("file", 0o644)
    assert merged["work/new/hard"][6] == ["work/new/deep/file", "work/new/hard"]  # type: ignore[index]
    with sandbox.engine.new_layers(sandbox_ref, 2 + len(saved)) as layers:
        assert layers == []


def test_an_image_of_another_architecture_is_found_here(sandbox: Sandbox, base: ImageToLoad, tmp_path: Path) -> None:
    """An engine that takes it for another one's looks into a registry."""
    foreign = "arm64" if sandbox.engine.runs("amd64") else "amd64"
    config = json.loads(base.config) | {"architecture": foreign}
    made = ImageToLoad(canonical_json(config), base.layers, (sandbox.ref("foreign:latest"),))
    sandbox.engine.load(made, Counted())
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text(f"FROM {made.tags[0]}\nENV A=b\n")
    (tmp_path / "context").mkdir()
    log: list[str] = []
    tag = sandbox.ref("foreign:built")
    sandbox.engine.build(ImageToBuild(tmp_path / "context", dockerfile, tag, architecture=foreign), log.append)
    assert sandbox.engine.diff_ids(tag) == [layer.diff_id for layer in base.layers]


@pytest.mark.usefixtures("base")
def test_a_build_has_no_network_and_no_cache_if_asked(sandbox: Sandbox, tmp_path: Path) -> None:
    text = f"RUN cat /proc/net/dev && echo seen-$((1 + 1)) {os.urandom(4).hex()}"
    log: list[str] = []
    first = _build(sandbox, tmp_path, text, "network:latest", log)
    said = "\n".join(log)
    assert "seen-2" in said and " lo:" in said and "eth0" not in said
    assert first.startswith("sha256:") and sandbox.engine.image_id(sandbox.ref("network:latest")) is not None
    log.clear()
    sandbox.engine.remove_image(sandbox.ref("network:latest"))  # else it would stay, without a name
    _build(sandbox, tmp_path, text, "network:latest", log)
    # Podman's cache does not look at what a step mounts, so it is never used.
    assert any(line.endswith(" CACHED") for line in log) == (sandbox.engine.name == "docker")
    log.clear()
    sandbox.engine.remove_image(sandbox.ref("network:latest"))
    _build(sandbox, tmp_path, text, "network:latest", log, no_cache=True)
    assert any("seen-2" in line for line in log)


@pytest.mark.usefixtures("base")
def test_a_failing_step_is_named(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(BuildError) as caught:
        _build(sandbox, tmp_path, "RUN echo before\nRUN echo the reason && cat /missing", "failing:latest", [])
    assert "RUN echo the reason && cat /missing" in caught.value.problem.splitlines()[0]
    assert "the reason" in caught.value.problem and "No such file" in caught.value.problem
    assert sandbox.engine.image_id(sandbox.ref("failing:latest")) is None


@pytest.mark.usefixtures("base")
def test_an_interrupted_build_leaves_no_process(sandbox: Sandbox, tmp_path: Path) -> None:
    program = (
        "import pathlib, signal, sys; from portside.engines import ImageToBuild, open_engine\n"
        # A shell's background job, which this test run may be, hands down that SIGINT is ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "context, tag, name = pathlib.Path(sys.argv[1]), *sys.argv[2:]\n"
        "log = lambda line: print(line, flush=True)\n"
        "file = context / 'Dockerfile'\n"
        "open_engine(name).build(ImageToBuild(context, file, tag, no_cache=True), log)\n"
    )
    text = f"FROM {sandbox.ref('base:latest')}\nRUN echo it-$((20 + 2))-runs && sleep 60\n"
    (tmp_path / "Dockerfile").write_text(text)
    command = [sys.executable, "-c", program, str(tmp_path), sandbox.ref("interrupted:latest"), sandbox.engine.name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None and child.stderr is not None
        assert any("it-22-runs" in line for line in child.stdout if "echo" not in line)
        child.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in child.stderr.read()
    assert child.returncode != 0
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if _mentions(path, str(tmp_path))]


def _mentions(path: Path, text: str) -> bool:
    try:
        return text.encode() in path.read_bytes()
    except OSError:
        return False


def test_run_gives_output_and_exit_code(sandbox: Sandbox, base: ImageToLoad, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mounted")
    script = "cat /here/file; echo $WHAT-$PWD-$(ulimit -n) >&2; cat /proc/net/dev; exit 7"
    spec = RunSpec(
        base.tags[0],
        ("-c", script),
        env={"WHAT": "a b"},
        mounts=(Mount(str(tmp_path), "/here", read_only=True),),
        workdir="/srv",
        ulimits={"nofile": (123, 456)},
        devices=("/dev/null:/dev/nothing",),
        shm_size=1 << 20,
        labels=LABEL,
        entrypoint=("sh",),
    )
    said = Collected()
    assert sandbox.engine.run(spec, said) == 7
    assert said.stdout.startswith(b"mounted") and b"eth0" not in said.stdout
    assert said.stderr == b"a b-/srv-123\n"


def test_the_command_line_does_the_same(sandbox: Sandbox, base: ImageToLoad, tmp_path: Path) -> None:
    folder = tmp_path / "with, comma"
    folder.mkdir()
    (folder / "file").write_text("mounted")
    spec = RunSpec(
        base.tags[0],
        ("cat /here/file; echo $WHAT; exit 9",),
        env={"WHAT": "it's $HOME"},
        mounts=(Mount(str(folder), "/here"),),
        labels=LABEL,
        entrypoint=("sh", "-c"),
    )
    done = subprocess.run(sandbox.engine.as_command(spec), capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (9, "mountedit's $HOME\n")
    said = Collected()
    assert sandbox.engine.run(spec, said) == 9
    assert said.stdout == b"mountedit's $HOME\n"


def test_a_started_container_stays(sandbox: Sandbox, base: ImageToLoad) -> None:
    name = f"portside-test-{os.getpid()}-stays"
    container = sandbox.engine.start(RunSpec(base.tags[0], ("sleep", "60"), name=name, labels=LABEL))
    try:
        found = sandbox.engine.find_container(name)
        assert found is not None and found.running and found.image == base.image_id
    finally:
        sandbox.engine.remove_container(container)
    sandbox.engine.remove_container(container)
    assert sandbox.engine.find_container(name) is None


def test_absent_images(sandbox: Sandbox) -> None:
    absent = sandbox.ref("absent:latest")
    assert sandbox.engine.image_id(absent) is None
    sandbox.engine.remove_image(absent)
    with pytest.raises(EngineError, match="absent"):
        sandbox.engine.run(RunSpec(absent), Collected())
    with pytest.raises(EngineError, match="absent"), sandbox.engine.new_layers(absent, 0):
        pass


def test_the_engine_describes_itself(sandbox: Sandbox) -> None:
    assert re.match(r"(Docker|Podman) \d+\.\d+\S*, ", sandbox.engine.describe())
    free = sandbox.engine.free_bytes()
    assert free is None or free > 0
