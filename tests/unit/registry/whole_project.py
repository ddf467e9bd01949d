"""A recipe with a part of every kind, its blobs as an honest builder made them, and what a liar makes of them."""

import gzip
import io
import os
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from portside.adopt.adopt import examine
from portside.common.canonical import sha256_hex
from portside.common.tree import Entry, Tree, encode_path, file_entry
from portside.config import Config
from portside.inputs import git
from portside.inputs.spool import Spool
from portside.layers.canonical import data_layer
from portside.layers.layer import Layer
from portside.layers.writer import read_layer, write_layer
from portside.lock.bases import DebianBase
from portside.lock.models import Lock, LockedWeightFile, LockedWeights
from portside.lock.packages import Artefact, LockedEnv
from portside.lock.sources import LockedSdist, LockedSource
from portside.plan.model import Converted, LargeWeight, Part, Plan
from portside.plan.parts import plan
from portside.plan.states import frame_layer
from portside.recipe import load_recipe
from portside.store import Store
from portside.store.layout import Blob
from portside.trees import parts as data

COMMITTED, RELEASED = 1_600_000_000, 1_500_000_000
"""The epochs of the git source and of the sdist."""
TRAIN = b"import torch\n\nmodel = torch.nn.Linear(2, 2).cuda()\n"

RECIPE = """\
description: everything
base: {debian: {suite: bookworm}}
accelerator: {name: mlu370}
env:
  files: [{from: motd, to: /etc/motd}]
sources:
  code: {git: "URL", commit: COMMIT}
  lib: {sdist: lib==1.0}
migration: {ruleset: mlu, mode: MODE, sources: [code, lib]}
files: [{from: run.py, to: run.py}]
patches: PATCHES
install: ["true"]
weights:
  model:
    files: [{path: vocab.txt, origin: a test}, {path: merges.txt, origin: a test}, {path: big.bin, origin: a test}]
"""
GONE = """\
diff --git a/code_mlu/deep/er/run.sh b/code_mlu/deep/er/run.sh
deleted file mode 100755
--- a/code_mlu/deep/er/run.sh
+++ /dev/null
@@ -1 +0,0 @@
-#!/bin/sh
"""


def run_git(folder: Path, *arguments: str, stdin: bytes | None = None) -> str:
    dates = {f"GIT_{who}_DATE": f"{COMMITTED} +0000" for who in ("AUTHOR", "COMMITTER")}
    command = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *arguments]
    environment = {**os.environ, **dates}
    run = subprocess.run(command, cwd=folder, env=environment, input=stdin, capture_output=True, check=True)
    return run.stdout.decode("utf-8", "surrogateescape").strip()


def sdist(files: Mapping[str, tuple[bytes, int]]) -> bytes:
    """files: path -> bytes and time."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, (content, mtime) in sorted(files.items()):
            info = tarfile.TarInfo(f"lib-1.0/{path}")
            info.size, info.mtime = len(content), mtime
            archive.addfile(info, io.BytesIO(content))
    return gzip.compress(out.getvalue(), mtime=0)


@dataclass
class Whole:
    """root: of the project. folder: its layer blobs as files, by digest. blobs: by part key."""

    root: Path
    mode: str = "precise"
    submodule: bool = False
    folder: Path = field(init=False)
    blobs: dict[str, Blob] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder = self.root / "blobs"
        self.folder.mkdir(parents=True)
        self.here = Store(self.root / "here")
        self.weights = {name: Random(name).randbytes(3000) for name in ("vocab.txt", "merges.txt")}
        self.weights["big.bin"] = Random(1).randbytes(1 << 20)
        self.plan = self._plan()
        for part in self.plan.build_order():
            self.put(part, self._layer(part))

    def _plan(self) -> Plan:
        upstream, recipes = self.root / "upstream", self.root / "recipes"
        commit = self._commit(upstream)
        (recipes / "whole").mkdir(parents=True)
        (recipes / "whole" / "motd").write_text("hello\n")
        (recipes / "whole" / "run.py").write_text("print('hello')\n")
        # It takes the only file of a folder away; git, other than an sdist, has no folders that could stay.
        (recipes / "whole" / "gone.patch").write_text(GONE)
        patches = "[{diff: gone.patch, count: 1}]" if self.mode == "precise" else "[]"
        text = (
            RECIPE.replace("PATCHES", patches)
            .replace("URL", f"file://{upstream}")
            .replace("COMMIT", commit)
            .replace("MODE", self.mode)
        )
        (recipes / "whole.yaml").write_text(text)
        code = git.resolve(f"file://{upstream}", commit, Config(home=self.here.home), self.here)
        # A time of nothing, one after the epoch's, and the epoch itself.
        times = {"setup.py": (b"setup()\n", RELEASED), "lib/a.py": (b"print('a')\n", 0), "old.txt": (b"old\n", 1000)}
        self.sdist = sdist(times)
        with self.here.inputs.receive("lib-1.0.tar.gz", sha256_hex(self.sdist), len(self.sdist)) as receiver:
            receiver.write(self.sdist)
        artefact = Artefact(
            name="lib",
            version="1.0",
            file="lib-1.0.tar.gz",
            size=len(self.sdist),
            sha256=sha256_hex(self.sdist),
        )
        return self.plan_with({"code": code, "lib": LockedSdist(epoch=RELEASED, sdist=artefact)})

    def plan_with(self, sources: dict[str, LockedSource]) -> Plan:
        recipe = load_recipe(self.root, "whole")
        files = tuple(LockedWeightFile(path=n, size=len(d), sha256=sha256_hex(d)) for n, d in self.weights.items())
        self.base = data_layer(Tree([file_entry("bin/tool", b"\x7fELF")]), 1_400_000_000)
        base = write_layer(self.base, None)
        return plan(
            recipe,
            Lock(
                recipe="whole",
                epoch=COMMITTED,
                requests=recipe.requests(),
                base=DebianBase(
                    suite="bookworm",
                    architecture="amd64",
                    snapshot="20240101T000000Z",
                    epoch=1_400_000_000,
                    debs=(),
                    diff_id=base.diff_id,
                    size=base.size,
                ),
                env=LockedEnv(),
                sources=sources,
                weights={"model": LockedWeights(epoch=RELEASED, files=files)},
            ),
        )

    def _commit(self, folder: Path) -> str:
        (folder / "deep" / "er").mkdir(parents=True)
        (folder / "train.py").write_bytes(TRAIN)
        (folder / "deep" / "er" / "run.sh").write_bytes(b"#!/bin/sh\n")
        (folder / "deep" / "er" / "run.sh").chmod(0o755)
        (folder / "deep.py").write_bytes(b"print(1)\n")
        (folder / "link").symlink_to("deep/er")
        run_git(folder, "init", "-q")
        run_git(folder, "add", "-A")
        if self.submodule:
            run_git(folder, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},vendor/sub")
        run_git(folder, "commit", "-q", "-m", "x")
        return run_git(folder, "rev-parse", "HEAD")

    def _layer(self, part: Part) -> Layer:
        if part.kind == "base":
            return self.base
        if isinstance(part.of, LargeWeight):
            content = self.weights[part.of.file]
            [*folders, file] = frame_layer(part, sha256_hex(content), len(content)).entries
            return Layer((*folders, replace(file, content=file_entry("x", content).content)))
        if isinstance(part.of, Converted):
            workspace = self.plan.recipe.workspace.lstrip("/")
            made = {"code_mlu/train.py": TRAIN.replace(b"cuda", b"mlu"), "lib_mlu/setup.py": b"setup()\n"}
            return data_layer(
                Tree(file_entry(f"{workspace}/{p}", d, mtime=part.epoch) for p, d in made.items()), part.epoch
            )
        if part.kind == "run":
            return data_layer(Tree([file_entry("usr/lib/installed", b"yes", mtime=part.epoch)]), part.epoch)
        if part.layer == "weights":
            at = part.manifest["at"]
            files = [
                file_entry(f"{at}/{name}", self.weights[name], mtime=part.epoch) for name in part.manifest["files"]
            ]
            return data_layer(Tree(files), part.epoch)
        self._publish(part)
        with self.here.workspace() as folder, Spool(folder) as spool:
            made_layer = data.part_layer(self.plan, part, self.here, spool, self.blobs)
            # What it is made of lives as long as the spool.
            return replace(made_layer, entries=tuple(map(in_memory, made_layer.entries)))

    def _publish(self, part: Part) -> None:
        """The blob that a part is made from, where the data of that part is looked for."""
        if part.after is not None:
            self.here.layout.put_blob(self.read(self.blobs[part.after]))

    def part(self, name: str) -> Part:
        return next(part for part in self.plan.build_order() if f"{part.layer}/{part.name}" == name)

    def put(self, part: Part, layer: Layer) -> None:
        out = io.BytesIO()
        write_layer(layer, out)
        self.put_bytes(part, out.getvalue())

    def put_bytes(self, part: Part, blob: bytes) -> None:
        digest = sha256_hex(blob)
        (self.folder / digest).write_bytes(blob)
        self.blobs[part.key] = Blob(digest, len(blob))

    def place(self, blob: Blob) -> Path:
        return self.folder / blob.digest

    def read(self, blob: Blob) -> bytes:
        return self.place(blob).read_bytes()

    def layer(self, part: Part) -> Layer:
        """A part's layer, its contents in memory."""
        layer = read_layer(self.place(self.blobs[part.key]))
        return replace(layer, entries=tuple(map(in_memory, layer.entries)))

    def change(self, name: str, change: Callable[[Layer], Layer]) -> None:
        self.put(self.part(name), change(self.layer(self.part(name))))

    def prove(self, store: Store | None = None) -> dict[str, str]:
        """What a machine with this store (default: an empty one) cannot prove, by the part's name."""
        store = store or Store(self.root / "there")
        reasons = examine(self.plan.build_order(), self.plan, store, self.blobs, self.place)
        return {f"{p.layer}/{p.name}": reasons[p.key] for p in self.plan.build_order() if p.key in reasons}


def in_memory(entry: Entry) -> Entry:
    return replace(entry, content=file_entry("x", entry.read()).content) if entry.kind == "file" else entry


def other_byte(layer: Layer) -> Layer:
    """The last file has another last byte."""
    at = max(number for number, entry in enumerate(layer.entries) if entry.kind == "file")
    entry = layer.entries[at]
    content = bytearray(entry.read())
    content[-1] ^= 1
    other = file_entry("x", bytes(content))
    return _with(layer, at, replace(entry, sha256=other.sha256, content=other.content))


def other_mode(layer: Layer) -> Layer:
    at = max(number for number, entry in enumerate(layer.entries) if entry.kind == "file")
    return _with(layer, at, replace(layer.entries[at], mode=0o4755))


def executable(layer: Layer) -> Layer:
    at = max(number for number, entry in enumerate(layer.entries) if entry.kind == "file")
    return _with(layer, at, replace(layer.entries[at], mode=layer.entries[at].mode ^ 0o111))


def other_time(layer: Layer) -> Layer:
    at = max(number for number, entry in enumerate(layer.entries) if entry.kind == "file")
    return _with(layer, at, replace(layer.entries[at], mtime=layer.entries[at].mtime - 1))


def other_owner(layer: Layer) -> Layer:
    return _with(layer, 0, replace(layer.entries[0], uid=1000))


def one_less(layer: Layer) -> Layer:
    at = max(number for number, entry in enumerate(layer.entries) if entry.kind == "file")
    return replace(layer, entries=layer.entries[:at] + layer.entries[at + 1 :])


def one_more(layer: Layer) -> Layer:
    """A file beside the last one."""
    last = [entry for entry in layer.entries if entry.kind == "file"][-1]
    return _sorted(layer, file_entry(f"{last.path}.more", b"more", mtime=last.mtime))


def outside(layer: Layer) -> Layer:
    return _sorted(layer, file_entry("a-file", b"x", mtime=0))


def a_folder_more(layer: Layer) -> Layer:
    last = [entry for entry in layer.entries if entry.kind == "file"][-1]
    return _sorted(layer, Entry(f"{last.path}.d", "dir", 0o755, mtime=layer.entries[0].mtime))


def a_removal(layer: Layer) -> Layer:
    return replace(layer, whiteouts=(*layer.whiteouts, f"{layer.entries[0].path}/zz"))


def _with(layer: Layer, at: int, entry: Entry) -> Layer:
    return replace(layer, entries=(*layer.entries[:at], entry, *layer.entries[at + 1 :]))


def _sorted(layer: Layer, entry: Entry) -> Layer:
    return replace(layer, entries=tuple(sorted([*layer.entries, entry], key=lambda e: encode_path(e.path))))
