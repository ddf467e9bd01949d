"""What `capture` says of what it made of a recipe."""

from collections.abc import Iterator
from typing import Any

from portside.capture import Captured


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
