"""Builds recipes under one condition after another, and says where an image ID is another."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from perturb import rows
from perturb.rows import HERE, Row

ROOT = HERE.parents[1]
RECIPES = ("minilm", "awkward")


@dataclass(frozen=True)
class Result:
    """ids: by recipe, the image ID or why there is none. seconds: of all."""

    row: str
    ids: Mapping[str, str]
    seconds: float


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/perturb",
        description=__doc__,
        epilog='Example: .venv/bin/python scripts/perturb --engine "Docker 28.5: DOCKER_HOST=unix:///run/other.sock"',
    )
    parser.add_argument("--recipe", action="append", help=f"of recipes/, awkward or limits; default: {RECIPES}")
    parser.add_argument("--row", action="append", default=[], help="only rows whose names have this in them")
    parser.add_argument("--quick", action="store_true", help="two rows: as it is, and the quick ones all at once")
    parser.add_argument(
        "--engine", action="append", default=[], metavar="NAME: VARIABLE=VALUE …", help="a row for an engine or builder"
    )
    parser.add_argument("--home", type=Path, help="a store with the inputs; default: PORTSIDE_HOME, else the usual one")
    parser.add_argument("--work", type=Path, help="a folder for projects and stores; default: a temporary one")
    parser.add_argument("--results", type=Path, help="a JSON file to add the results to")
    parser.add_argument("--table", type=Path, help="print the table of a JSON file, and build nothing")
    asked = parser.parse_args(arguments)
    if asked.table:
        print(table(json.loads(asked.table.read_text())))
        return 0
    with tempfile.TemporaryDirectory(prefix="perturb-", dir=asked.work) as folder:
        results = run(Path(folder), asked, asked.recipe or list(RECIPES))
    print(table(results))
    return int(any(differs(results, row) for row in results["rows"]))


def run(work: Path, asked: argparse.Namespace, recipes: Sequence[str]) -> dict[str, Any]:
    """Run the rows, each in a project and a store of its own; gives all results, also earlier ones."""
    results: dict[str, Any] = {"rows": []}
    if asked.results and asked.results.exists():
        results = json.loads(asked.results.read_text())
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    results |= {"commit": commit.strip(), "date": datetime.now(timezone.utc).strftime("%Y-%m-%d")}
    project = work / "project"
    shutil.copytree(ROOT / "recipes", project / "recipes")
    shutil.copytree(HERE / "recipes", project / "recipes", dirs_exist_ok=True)
    (project / "portside.toml").touch()
    home = asked.home or _home()
    for name in recipes:
        if not (project / "recipes" / f"{name}.lock").exists():
            _portside(project, home, "lock", "--recipe", name)
        _portside(project, home, "fetch", "--recipe", name)
    for row in _wanted(asked, work):
        result = _one(row, work, project, home, recipes) if row.lacks is None else _lacking(row)
        print(f"{row.name}: {result.seconds:.0f} s, {dict(result.ids) or row.lacks}", file=sys.stderr, flush=True)
        results["rows"] = [old for old in results["rows"] if old["row"] != row.name]
        results["rows"].append({"row": row.name, "ids": dict(result.ids), "seconds": round(result.seconds, 1)})
        if asked.results:
            asked.results.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    return results


def _wanted(asked: argparse.Namespace, work: Path) -> list[Row]:
    """The rows that were asked for; environments for other Pythons are made for nothing else."""
    words = [rows.AS_IT_IS, rows.AT_ONCE] if asked.quick else asked.row

    def is_asked(name: str) -> bool:
        return not words or any(word in name for word in words)

    other = rows.pythons(work) if is_asked("Python") else []
    return [row for row in (*rows.conditions(work), *other, *rows.engines(asked.engine)) if is_asked(row.name)]


def _home() -> Path:
    from portside.project import Machine

    return Machine().config.home


def _lacking(row: Row) -> Result:
    return Result(row.name, {"": f"not tried: {row.lacks}"}, 0.0)


def _one(row: Row, work: Path, project: Path, home: Path, recipes: Sequence[str]) -> Result:
    """Build in a copy of the project, with a store that has the inputs and the base alone."""
    place = Path(tempfile.mkdtemp(prefix="row-", dir=work if not row.folder.startswith("/") else row.folder))
    try:
        below = place if row.folder.startswith("/") else place / row.folder
        own, store = below / "project", below / "store"
        shutil.copytree(project, own)
        _fill(store, home, _bases(project, recipes), shutil.copy2 if row.copied else _link)
        if row.owner is not None:
            place.chmod(0o755)
            for path in (place, *place.rglob("*")):
                os.chown(path, row.owner, row.owner, follow_symlinks=False)
        environment = {**os.environ, "PORTSIDE_HOME": str(store), "PYTHONPATH": ""}
        command = [*row.before, row.python, str(HERE / "build_row.py"), str(ROOT), str(own), *recipes]
        start = time.monotonic()
        done = subprocess.run(
            command,
            env=environment,
            cwd=own,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - start
        try:
            found = json.loads(done.stdout.splitlines()[-1])
        except (IndexError, ValueError):
            return Result(row.name, dict.fromkeys(recipes, f"failed: {done.stderr[-600:]}"), seconds)
        failed = {name: f"failed: {problem[:300]}" for name, problem in found["failed"].items()}
        return Result(row.name, found["ids"] | failed, seconds)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _bases(project: Path, recipes: Sequence[str]) -> list[str]:
    """The diff IDs of the layers that the recipes' locks have as bases."""
    from portside.lock.file import read_lock

    locks = [read_lock(project / "recipes" / f"{name}.lock") for name in recipes]
    return sorted({str(layer.diff_id) for lock in locks if lock for layer in lock.base.layers})


def _fill(store: Path, home: Path, bases: Sequence[str], copy: Any) -> None:
    """The inputs of a store, and the blobs of bases, which mmdebstrap would make once more."""
    for part in ("inputs", "git"):
        if (home / part).is_dir():
            shutil.copytree(home / part, store / part, copy_function=copy, ignore=shutil.ignore_patterns("quarantine"))
    blobs = store / "oci" / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for name in bases:
        copy(home / "oci" / "blobs" / "sha256" / name, blobs / name)


def _link(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _portside(project: Path, home: Path, *words: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PORTSIDE_HOME": str(home)}
    subprocess.run([sys.executable, "-m", "portside", *words], cwd=project, env=environment, check=True)


def differs(results: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Whether a row has another image ID than the first, or none; what could not be tried does not."""
    first = results["rows"][0]["ids"]
    return any(row["ids"].get(name, first[name]) != first[name] for name in first) and "" not in row["ids"]


def table(results: Mapping[str, Any]) -> str:
    """For docs/reproducibility.md."""
    first = results["rows"][0]["ids"]
    head = " | ".join(f"{name} `{digest.removeprefix('sha256:')[:12]}`" for name, digest in first.items())
    lines = [f"{results['date']}, commit {results['commit']}:", "", f"| | {head} |", "| --- |" + " --- |" * len(first)]
    for row in results["rows"]:
        cells = [_cell(row["ids"].get(name, row["ids"].get("", "not tried")), first[name]) for name in first]
        lines.append(f"| {row['row']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(found: str, first: str) -> str:
    if found == first:
        return "same"
    return f"**{found.removeprefix('sha256:')[:12]}**" if found.startswith("sha256:") else found.splitlines()[0][:80]
