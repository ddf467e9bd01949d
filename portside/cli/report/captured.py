"""What `capture` and `patch` say of what they made of a recipe."""

from collections.abc import Iterator, Sequence
from typing import Any

from portside.capture import Captured
from portside.capture.rebase import Rebased, shown_conflict


def captured_report(made: Captured, dry_run: bool) -> dict[str, Any]:
    return {
        "recipe": made.recipe,
        "written": not dry_run and not made.nothing,
        "steps": [one.value for one in made.steps],
        "files": {f"recipes/{path}": None if new is None else len(new.data) for path, new in made.files.items()},
        "left_out": dict(made.left_out),
        "notes": list(made.notes),
        "diff": made.diff(),
    }


def captured_lines(made: Captured, dry_run: bool) -> Iterator[str]:
    for path, why in sorted(made.left_out.items()):
        yield f"left out: {path}: {why}"
    yield from made.notes
    if made.nothing:
        yield f"recipes/{made.recipe}.yaml gives what the working folder has already"
        return
    if diff := made.diff():
        yield diff.rstrip("\n")
    for path, new in sorted(made.files.items()):
        if path != f"{made.recipe}.yaml":
            yield f"recipes/{path}" + (" is removed" if new is None else f" ({len(new.data):,} bytes)")
    yield "The recipe gives the working folder's code, byte for byte."
    yield "Nothing is written (--dry-run)." if dry_run else f"Build it: invoke build --recipe {made.recipe}"


def rebased_report(recipe: str, done: Sequence[Rebased], dry_run: bool) -> dict[str, Any]:
    rows = [
        {"step": one.title, "place": one.place, "what": one.what, "note": one.note, "conflict": one.shown}
        for one in done
    ]
    changed = any(one.what not in ("stays", "conflict") for one in done)
    return {"recipe": recipe, "written": changed and not dry_run, "steps": rows}


_WHAT = {
    "stays": "stays as it is",
    "count": "has another number of places",
    "diff": "is a diff now",
    "copy": "copies another file",
    "goes": "goes",
    "conflict": "CONFLICT",
}


def rebased_lines(recipe: str, done: Sequence[Rebased], dry_run: bool) -> Iterator[str]:
    for number, one in enumerate(done, 1):
        yield f"{number}. {one.title}: {_WHAT[one.what]}" + (f" ({one.note})" if one.note else "")
        if one.what == "conflict":
            yield from (f"   {line}" for line in shown_conflict(one))
            yield f"Correct that step by hand ({one.place}), then go on: invoke patch --recipe {recipe} --rebase"
            return
    yield "Nothing is written (--dry-run)." if dry_run else f"Build it: invoke build --recipe {recipe}"
