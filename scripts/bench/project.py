"""The project that a run builds: minilm with weights, a patched git source and files of its own; or a tiny one.

It has everything that one may edit. `Told` is what was edited, and what a container must then print.
"""

import io
import json
import os
import random
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from bench.processes import BenchError

EPOCH = 1_600_000_000
PACKAGES = ("ed", "hello", "less", "pv", "tree")
"""Debian packages that need nothing that minilm lacks; every edit adds another selection of them."""
UPSTREAM = "upstream"
BASE = "portside-bench/base:tiny"


@dataclass
class Told:
    """What stands where: in the recipe's file, in a patch step, in the source's commit, in the env layer."""

    said: int = 0
    patched: int = 1
    committed: int = 0
    env: int = 0

    @property
    def packages(self) -> tuple[str, ...]:
        return tuple(name for bit, name in enumerate(PACKAGES) if self.env >> bit & 1)

    def file(self, *, patched: bool = True) -> str:
        return f"patched = {self.patched if patched else 0}\ncommitted = {self.committed}\n"

    def output(self) -> str:
        return f"said {self.said}\n{self.file()}"


@dataclass
class Project:
    """A folder with recipes, and the folder that a person has put weights into.

    tiny: on a base of this machine's own programs, so that nothing comes over a network.
    """

    root: Path
    recipe: str
    tiny: bool
    told: Told = field(default_factory=Told)
    weights: tuple[str, ...] = ()
    """Files of the set `bulk`."""
    keep: bool = False
    """The folder's files stay where they are, where Portside can do that."""

    @property
    def shape(self) -> str:
        return "tiny" if self.tiny else "minilm"

    @property
    def workspace(self) -> str:
        return f"/workspace/{self.recipe}"

    @property
    def incoming(self) -> Path:
        return self.root / "incoming"

    @property
    def images(self) -> str:
        return f"portside/{self.recipe}"

    def line(self) -> str:
        """The shell line that prints what was edited."""
        shows = f"cat say.txt {UPSTREAM}_mlu/told.py"
        if self.tiny:
            return f"{shows} && grep -q {self.told.env} /etc/bench.txt"
        return " && ".join([shows, *(f"test -d /usr/share/doc/{name}" for name in self.told.packages)])

    def install(self) -> str:
        """The install step alone."""
        if self.tiny:
            return f"cat {UPSTREAM}_mlu/told.py > installed.txt"
        return "python3 -m pip install --no-deps --no-build-isolation --editable transformers_mlu"

    def create(self, checkout: Path) -> None:
        """Write everything but the weights. checkout: where minilm's recipe and lock are."""
        (self.root / "recipes" / self.recipe).mkdir(parents=True)
        self.incoming.mkdir()
        upstream = self.root / UPSTREAM
        upstream.mkdir()
        git(upstream, "init", "--quiet")
        if self.tiny:
            (self.root / "minilm.json").write_text("{}")
            tiny_base(self.incoming / "base.tar")
        else:
            source = checkout / "recipes"
            recipe = yaml.safe_load((source / "minilm.yaml").read_text())
            (self.root / "minilm.json").write_text(json.dumps(recipe))
            shutil.copy(source / "minilm/embed.py", self.root / "recipes" / self.recipe)
            # What is locked stays: only what the run adds is resolved.
            lock = (source / "minilm.lock").read_text()
            lock = lock.replace('"recipe": "minilm"', f'"recipe": "{self.recipe}"')
            self.lock.write_text(lock.replace('"env.minilm"', f'"env.{self.recipe}"'))
        self.write()

    @property
    def lock(self) -> Path:
        return self.root / "recipes" / f"{self.recipe}.lock"

    def write(self) -> None:
        """Write recipe, files and source as `told`, `weights` and `keep` say."""
        folder = self.root / "recipes" / self.recipe
        (folder / "say.txt").write_text(f"said {self.told.said}\n")
        (folder / "bench.txt").write_text(f"{self.told.env}\n")
        upstream = self.root / UPSTREAM
        (upstream / "told.py").write_text(self.told.file(patched=False))
        git(upstream, "add", "--all")
        if git(upstream, "status", "--porcelain"):  # an edit elsewhere leaves the commit as it is
            git(upstream, "commit", "--quiet", "--message", "another")
        recipe = self.root / "recipes" / f"{self.recipe}.yaml"
        recipe.write_text(json.dumps(self._recipe(git(upstream, "rev-parse", "HEAD")), indent=1) + "\n")
        incoming = json.dumps(str(self.incoming))
        kept = f'{{path = {incoming}, keep = "in place"}}' if self.keep else incoming
        (self.root / "portside.toml").write_text(f"folders = [{kept}]\nregistries = []\n")

    def _recipe(self, commit: str) -> dict[str, Any]:
        minilm = json.loads((self.root / "minilm.json").read_text())
        source = {"git": f"file://{self.root / UPSTREAM}", "commit": commit}
        migrated = ["transformers"] if minilm else []
        recipe: dict[str, Any] = {
            **minilm,
            "description": "What scripts/bench builds",
            "sources": {**minilm.get("sources", {}), UPSTREAM: source},
            "migration": {"ruleset": "mlu", "mode": "vendor", "sources": [*migrated, UPSTREAM]},
            "patches": [
                {
                    "replace": "patched = 0",
                    "with": f"patched = {self.told.patched}",
                    "files": f"{UPSTREAM}_mlu/told.py",
                    "count": 1,
                }
            ],
            "files": [*minilm.get("files", []), {"from": "say.txt", "to": "say.txt"}],
            "install": [self.install()],
            "checks": [],
        }
        if self.weights:
            bulk = {"files": [{"path": name, "origin": "scripts/bench"} for name in self.weights]}
            recipe["weights"] = {**minilm.get("weights", {}), "bulk": bulk}
        if self.tiny:
            recipe |= {"base": {"archive": {"file": "base.tar", "origin": "scripts/bench"}}}
            recipe |= {"accelerator": {"name": "cpu"}}
            recipe["env"] = {"files": [{"from": "bench.txt", "to": "/etc/bench.txt"}]}
        else:
            recipe["env"]["debian"] += self.told.packages
        return recipe

    def new_weights(self, name: str, size: int) -> Path:
        """Let the recipe have this file for its weights, new bytes that nobody has seen, and write it."""
        path = self.incoming / "bulk" / name
        path.parent.mkdir(exist_ok=True)
        write_noise(path, size, name)
        self.weights = (name,)
        self.write()
        return path


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=bench", "-c", "user.email=bench@example.org", *arguments]
    # Neither the settings of the machine's git nor the repository of a hook that runs this.
    mine = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    mine |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(command, cwd=folder, env=mine, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"{' '.join(command)}: {done.stderr}")
    return done.stdout.strip()


def write_noise(path: Path, size: int, seed: str) -> None:
    """Bytes that do not compress, no two MiB of them alike; another seed gives others.

    They are on the disk at the end: what is measured afterwards does not wait for that.
    """
    piece = bytearray(random.Random(seed).randbytes(1 << 20))
    with path.open("wb") as out:
        for number, start in enumerate(range(0, size, len(piece))):
            piece[:8] = number.to_bytes(8, "big")
            out.write(piece[: min(len(piece), size - start)])
        out.flush()
        os.fsync(out.fileno())


def programs(names: Iterable[str]) -> dict[str, bytes]:
    """This machine's programs at /bin, and the libraries that they are linked with."""
    found: dict[str, bytes] = {}
    for name in names:
        if (path := shutil.which(name, path="/bin:/usr/bin")) is None:
            raise BenchError(f"this machine has no {name}")
        found[f"bin/{name}"] = Path(path).read_bytes()
        linked = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
        for library in re.findall(r"(/\S+) \(0x", linked):
            found[library.lstrip("/")] = Path(library).read_bytes()
    return found


def tiny_base(target: Path) -> None:
    """An image of a shell and a few programs, as `docker save` writes it."""
    names = ("cat", "chmod", "grep", "ln", "mkdir", "mv", "rm", "sh", "sleep", "test")
    files = {**programs(names), "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\n", "var/lib/dpkg/status": b""}
    layer = tar(files)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2020-09-13T12:26:40Z",
        "config": {"Env": ["PATH=/usr/bin:/bin"], "Cmd": ["sh"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256(layer).hexdigest()}"]},
        "history": [{"created": "2020-09-13T12:26:40Z", "created_by": "scripts/bench"}],
    }
    raw = json.dumps(config).encode()
    name = f"{sha256(raw).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": [BASE], "Layers": ["layer.tar"]}]
    target.write_bytes(tar({"layer.tar": layer, name: raw, "manifest.json": json.dumps(manifest).encode()}))


def tar(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, data in sorted(files.items()):
            info = tarfile.TarInfo(path)
            info.size, info.mode, info.mtime = len(data), 0o755, EPOCH
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()
