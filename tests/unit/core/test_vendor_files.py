"""Files of a vendor that a command of env installs: from the recipe to the lock, the plan and a Dockerfile."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from portside.build.render import dockerfile, render
from portside.errors import LockError, MissingInputError, RecipeError
from portside.fetch.fetcher import Fetcher
from portside.fetch.pin import pin
from portside.lock.agree import contradictions
from portside.lock.file import read_lock
from portside.lock.inputs import locked_files
from portside.lock.models import Lock
from portside.plan import plan
from portside.plan.model import Part, VendorInstall
from portside.project import Project
from portside.resolve.chain import lock_recipe
from portside.trees.parts import run_context

KIT = b"#!/bin/sh\n"
DEB = b"!<arch>\n"
RECIPE = """\
description: a kit of a vendor
base: {{archive: {{file: base.tar, origin: x}}}}
accelerator: {{name: cpu}}
env:
  install:
    - run: sh kit-1.0.run --quiet --install
      files: [{{file: kit-1.0.run, origin: the vendor's page{more}}}]
    - run: dpkg --install ./cn.deb && ldconfig
      files: [{{file: cn.deb, url: "{url}"}}]
"""
UPPER = """\
description: with one more
extends: r
env: {install: [{run: sh more.run, files: [{file: more.run, origin: x}]}]}
"""


class Kits:
    def __init__(self, root: Path, url: str) -> None:
        self.root = root
        self.page, self.url = root / "page", url
        for folder in ("recipes", "files", "page"):
            (root / folder).mkdir()
        (root / "portside.toml").write_text(f'folders = ["{root / "files"}"]\n')
        (self.page / "cn.deb").write_bytes(DEB)

    def write(self, more: str = "", recipe: str = RECIPE) -> None:
        text = recipe.format(more=more, url=f"{self.url}/cn.deb")
        (self.root / "recipes/r.yaml").write_text(text)

    def lock(self, name: str = "r", update: tuple[str, ...] = ()) -> Lock:
        return lock_recipe(self.project, self.project.recipe(name), update)[1]

    @property
    def project(self) -> Project:
        return Project(self.root)

    def parts(self, lock: Lock, name: str = "r") -> list[Part]:
        return [part for part in self.plan(lock, name).build_order() if isinstance(part.of, VendorInstall)]

    def plan(self, lock: Lock, name: str = "r") -> Any:
        return plan(self.project.recipe(name), lock)

    def bring(self, lock: Lock, **how: Any) -> Lock:
        made = self.plan(lock)
        fetcher = Fetcher(self.project.store, self.project.config, root=self.root, lenient=True, **how)
        return pin(made, fetcher, self.project.store, lambda lock: None)


@pytest.fixture
def kits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kits]:
    monkeypatch.setenv("PORTSIDE_HOME", str(tmp_path / "home"))
    pages = partial(SimpleHTTPRequestHandler, directory=tmp_path / "page")
    with ThreadingHTTPServer(("127.0.0.1", 0), pages) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        made = Kits(tmp_path, f"http://127.0.0.1:{server.server_port}")
        made.write()
        yield made
        server.shutdown()
        thread.join()


def rows(lock: Lock) -> dict[str, str | None]:
    return {file.file: file.sha256 for packages in lock.env.sets for file in packages.vendor}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_what_is_first_seen_is_locked(kits: Kits) -> None:
    lock = kits.lock()
    assert rows(lock) == {"kit-1.0.run": None, "cn.deb": None}
    assert locked_files(lock) == []  # nobody knows them yet, and a bundle waits for no one
    (kits.root / "files/kit-1.0.run").write_bytes(KIT)
    brought = kits.bring(lock)
    assert rows(brought) == {"kit-1.0.run": sha256(KIT), "cn.deb": sha256(DEB)}
    assert {file.file for file in locked_files(brought)} == {"kit-1.0.run", "cn.deb"}
    assert rows(kits.lock()) == {"kit-1.0.run": sha256(KIT), "cn.deb": None}
    assert read_lock(kits.root / "recipes/r.lock").env.sets == kits.lock().env.sets


def test_what_is_locked_stays_until_it_is_named(kits: Kits) -> None:
    (kits.root / "files/kit-1.0.run").write_bytes(KIT)
    kits.lock()
    (kits.root / "files/kit-1.0.run").write_bytes(b"another")
    kits.write(recipe=RECIPE.replace("&& ldconfig", ""))  # the group is asked for anew, this file is not
    assert rows(kits.lock())["kit-1.0.run"] == sha256(KIT)
    assert rows(kits.lock(update=("kit-1.0.run",)))["kit-1.0.run"] == sha256(b"another")


def test_commands_and_bytes_are_in_the_key(kits: Kits) -> None:
    (kits.root / "files/kit-1.0.run").write_bytes(KIT)
    [before] = kits.parts(kits.lock())
    assert (before.layer, before.name, before.kind) == ("env", "vendor", "run")
    assert before.manifest["inputs"] == {"kit-1.0.run": sha256(KIT), "cn.deb": None}
    kits.write(recipe=RECIPE.replace("--quiet", "--full"))
    [after] = kits.parts(kits.lock())
    assert before.key != after.key and "--full" in after.manifest["instructions"]
    kits.write(recipe=RECIPE.replace("the vendor's page", "another page"))
    assert kits.parts(kits.lock())[0].manifest == before.manifest


def test_each_recipe_of_a_chain_installs_its_own(kits: Kits) -> None:
    (kits.root / "files/kit-1.0.run").write_bytes(KIT)
    (kits.root / "recipes/upper.yaml").write_text(UPPER)
    lower, lock = kits.lock(), kits.lock("upper")
    below, own = kits.parts(lock, "upper")
    assert below.key == kits.parts(lower)[0].key
    assert (own.name, list(own.manifest["inputs"])) == ("vendor-upper", ["more.run"])
    [left] = kits.plan(lock, "upper").recipe.stages[-1].install
    assert left.run == "sh more.run"
    (kits.root / "recipes/upper.yaml").write_text(
        "description: without the kit\nextends: r\nwithout: {env: {install: [sh kit-1.0.run --quiet --install]}}\n"
    )
    assert rows(kits.lock("upper")) == {"cn.deb": None}


def test_the_command_sees_the_files(kits: Kits) -> None:
    (kits.root / "files/kit-1.0.run").write_bytes(KIT)
    lock = kits.bring(kits.lock())
    made = kits.plan(lock)
    [part] = kits.parts(lock)
    for job in Fetcher(kits.project.store, kits.project.config, root=kits.root).jobs(part, made):
        job()
    [(folder, tree)] = run_context(made, part, kits.project.store).items()
    assert (folder, [entry.path for entry in tree]) == ("vendor/r", ["cn.deb", "kit-1.0.run"])
    text = dockerfile(made)
    line = "RUN --mount=type=bind,source=vendor/r,target=/run/portside/vendor \\\n    cd /run/portside/vendor && "
    assert (
        line + "sh kit-1.0.run --quiet --install\n" in text and line + "dpkg --install ./cn.deb && ldconfig\n" in text
    )
    assert part.manifest["instructions"] in text
    render(made, kits.project.store, kits.root / "rendered")
    assert (kits.root / "rendered/vendor/r/kit-1.0.run").read_bytes() == KIT


def test_a_person_is_told_what_to_bring(kits: Kits) -> None:
    kits.write(f", sha256: {sha256(KIT)}, size: {len(KIT)}")
    lock = kits.lock()
    assert rows(lock)["kit-1.0.run"] == sha256(KIT)
    fetcher = Fetcher(kits.project.store, kits.project.config, root=kits.root)
    with pytest.raises(MissingInputError, match=r"kit-1\.0\.run(?s:.*)the vendor's page"):
        fetcher.require_manual(kits.plan(lock), kits.parts(lock))


def test_a_lock_of_another_file_is_told(kits: Kits) -> None:
    lock = kits.lock()
    recipe = kits.project.recipe("r")
    assert contradictions(recipe, lock) == []
    [packages] = lock.env.sets
    other = packages.model_copy(update={"vendor": packages.vendor[:1]})
    shorter = lock.model_copy(update={"env": lock.env.model_copy(update={"sets": (other,)})})
    assert any("cn.deb" in line for line in contradictions(recipe, shorter))
    (kits.root / "files/kit-1.0.run").write_bytes(KIT)
    brought = kits.bring(lock)
    assert contradictions(recipe, brought) == []
    kits.write(f", sha256: {sha256(DEB)}")
    assert any("kit-1.0.run" in line for line in contradictions(kits.project.recipe("r"), brought))


WRONG = [
    ("run: sh kit-1.0.run", "run: -x kit-1.0.run", "expected a command"),
    (", origin: the vendor's page{more}", "", "no `url` says where the file comes from"),
    ("file: cn.deb", "file: ../cn.deb", r"install\.1\.files\.0\.file"),
    ("file: cn.deb, ", "file: kit-1.0.run, ", r"install\.1\.files\.0: kit-1\.0\.run is said to be something else"),
]


@pytest.mark.parametrize(("old", "new", "expected"), WRONG)
def test_what_cannot_be_meant_is_refused(kits: Kits, old: str, new: str, expected: str) -> None:
    assert old in RECIPE
    kits.write(recipe=RECIPE.replace(old, new))
    with pytest.raises((RecipeError, LockError), match=expected):
        kits.lock()
