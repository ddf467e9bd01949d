"""Every kind of base, source and weights: the tables have what recipes and locks can say, and each can be walked."""

from pathlib import Path
from typing import Any

import pytest

from portside.common import oci
from portside.config import Config
from portside.doctor.lacking import take_inventory
from portside.fetch.fetcher import Fetcher
from portside.inputs.kinds import BASES, DATA, SOURCES, WEIGHTS
from portside.lock import agree, models
from portside.lock.inputs import base_documents, base_layers, git_sources, locked_files
from portside.lock.models import Lock
from portside.plan.parts import plan
from portside.plan.states import expected_bytes
from portside.recipe import load_recipe
from portside.recipe import models as recipes
from portside.store import Store

HASHES = {character: character * 64 for character in "abcdef"}
ARTEFACT = {"name": "x", "version": "1", "size": 3}

BASE_ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "debian": (
        "{debian: {suite: bookworm}}",
        {
            "suite": "bookworm",
            "architecture": "amd64",
            "snapshot": "20230101T000000Z",
            "epoch": 5,
            "debs": [
                {"name": "d", "version": "1", "architecture": "all", "path": "p/d.deb", "size": 2, "sha256": "1" * 64}
            ],
            "diff_id": HASHES["a"],
            "size": 9,
        },
    ),
    "archive": (
        "{archive: {file: v.tar, origin: somewhere}}",
        {
            "file": "v.tar",
            "architecture": "amd64",
            "size": 7,
            "sha256": HASHES["b"],
            "epoch": 5,
            "layers": [{"diff_id": HASHES["c"], "size": 9}],
        },
    ),
    "image": (
        "{image: 'registry.example/v:1'}",
        {
            "image": "registry.example/v:1",
            "architecture": "amd64",
            "manifest": {"media_type": oci.MANIFEST, "size": 8, "sha256": "3" * 64},
            "config": {"media_type": oci.CONFIG, "size": 7, "sha256": "4" * 64},
            "epoch": 5,
            "layers": [
                {
                    "diff_id": HASHES["c"],
                    "packed": "5" * 64,
                    "packed_size": 6,
                    "media_type": f"{oci.LAYER}+gzip",
                }
            ],
        },
    ),
}
SOURCE_ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "sdist": ("{sdist: x==1}", {"epoch": 6, "sdist": {**ARTEFACT, "file": "x-1.tar.gz", "sha256": HASHES["d"]}}),
    "git": (
        '{git: https://git.example/x, commit: "' + "1" * 40 + '"}',
        {"epoch": 6, "url": "https://git.example/x", "commit": "1" * 40, "tree": "2" * 40},
    ),
}
SOURCE_ROWS |= {
    "archive": (
        "{archive: {file: a.zip, origin: somewhere, strip: 1}}",
        {"epoch": 6, "file": "a.zip", "size": 3, "sha256": HASHES["d"], "strip": 1},
    ),
    "folder": (
        "{folder: src/x}",
        {"epoch": 6, "folder": "src/x", "digest": HASHES["e"], "size": 3, "sha256": HASHES["d"]},
    ),
}
WEIGHTS_ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "wheel": (
        '{wheel: x==1, files: ["x/*"]}',
        {
            "epoch": 7,
            "wheel": {**ARTEFACT, "file": "x-1-py3-none-any.whl", "sha256": HASHES["e"]},
            "files": [{"path": "w", "member": "x/w", "size": 4, "sha256": HASHES["f"]}],
        },
    ),
    "files": (
        "{files: [{path: w, origin: somewhere}]}",
        {"epoch": 0, "files": [{"path": "w", "size": 4, "sha256": HASHES["f"]}]},
    ),
    "huggingface": (
        "{huggingface: x/y}",
        {
            "epoch": 0,
            "files": [{"path": "w", "size": 4, "sha256": HASHES["f"]}],
            "commit": "1" * 40,
            "huggingface": "x/y",
        },
    ),
    "modelscope": (
        "{modelscope: x/y}",
        {
            "epoch": 0,
            "files": [{"path": "w", "size": 4, "sha256": HASHES["f"]}],
            "commit": "1" * 40,
            "modelscope": "x/y",
        },
    ),
}
WEIGHTS_ROWS |= {
    "lfs": (
        "{lfs: s}",  # of a git source alone: test_source_lfs.py
        {"epoch": 0, "files": [{"path": "w", "size": 4, "sha256": HASHES["f"]}], "commit": "1" * 40, "lfs": "s"},
    ),
}


def test_the_tables_have_every_kind() -> None:
    assert set(BASES) == set(recipes.BASES) == set(models.BASES) == set(BASE_ROWS)
    assert set(SOURCES) == set(recipes.SOURCES) == set(models.SOURCES) == set(SOURCE_ROWS)
    assert set(WEIGHTS) == set(recipes.WEIGHTS) == set(models.WEIGHTS) == set(WEIGHTS_ROWS)
    assert set(DATA) == set(recipes.DATA) == set(models.DATA)


@pytest.mark.parametrize("base", BASE_ROWS)
@pytest.mark.parametrize("source", SOURCE_ROWS)
@pytest.mark.parametrize("weights", [kind for kind in WEIGHTS_ROWS if kind != "lfs"])
def test_every_kind_from_plan_to_bundle(tmp_path: Path, base: str, source: str, weights: str) -> None:
    (tmp_path / "recipes").mkdir()
    lines = [
        "description: d",
        "accelerator: {name: mlu370}",
        f"base: {BASE_ROWS[base][0]}",
        f"sources: {{s: {SOURCE_ROWS[source][0]}}}",
        f"weights: {{w: {WEIGHTS_ROWS[weights][0]}}}",
        "run: {targets: {t: {description: d, command: 'true'}}}",
    ]
    (tmp_path / "recipes/m.yaml").write_text("\n".join(lines) + "\n")
    recipe = load_recipe(tmp_path, "m")
    lock = Lock.model_validate(
        {
            "recipe": "m",
            "epoch": 7,
            "requests": recipe.requests(),
            "base": {"kind": base, **BASE_ROWS[base][1]},
            "env": {},
            "sources": {"s": {"kind": source, **SOURCE_ROWS[source][1]}},
            "weights": {"w": WEIGHTS_ROWS[weights][1]},
        }
    )
    assert agree.contradictions(recipe, lock) == []
    assert lock.unpinned() == []
    made = plan(recipe, lock)
    assert [part.layer for part in made.stack()] == ["env", "weights", "sources"]
    assert all(expected_bytes(part, lock) > 0 for part in made.stack() if part.layer != "sources")
    fetcher = Fetcher(Store(tmp_path / "home"), Config(home=tmp_path / "home"), offline=True)
    assert all(len(fetcher.jobs(part, made)) == 1 for part in made.stack())
    named = {file.name for file in take_inventory(recipe, lock, Config(home=tmp_path / "home")).missing}
    of_source = {"sdist": {"x-1.tar.gz"}, "git": set[str](), "archive": {"a.zip"}, "folder": {"x.tar"}}
    of_image = {"v:1 manifest", "v:1 config", "v:1 layer 1"}
    expected = {"debian": {"d 1"}, "archive": {"v.tar"}, "image": of_image}[base] | of_source[source]
    assert named == expected | ({"x-1-py3-none-any.whl"} if weights == "wheel" else {"w"})
    assert [file.sha256 for file in base_layers(lock)] == [HASHES["a" if base == "debian" else "c"]]
    hashes = ([] if source == "git" else [HASHES["d"]]) + [HASHES["e" if weights == "wheel" else "f"]]
    assert [file.sha256 for file in locked_files(lock)] == hashes
    documents = ["3" * 64, "4" * 64] if base == "image" else []
    assert [file.sha256 for file in base_documents(lock)] == documents
    assert len(git_sources(lock)) == (source == "git")
