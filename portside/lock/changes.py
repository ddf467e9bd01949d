"""What changed between two locks of a recipe, input by input."""

from collections.abc import Iterator

from portside.lock.models import Lock


def lock_changes(old: Lock | None, new: Lock) -> list[str]:
    """One line per input that came, went, or changed its version or its bytes."""
    before, after = dict(_inputs(old)) if old else {}, dict(_inputs(new))
    if old is None:
        return [f"{len(after)} inputs"]
    none = ("none", None)
    lines = []
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name, none), after.get(name, none)
        if was != now:
            told = now[0] if was[0] != now[0] else f"{now[0]} with sha256 {now[1] or 'unknown'}"
            lines.append(f"{name}: {was[0]} -> {told}")
    return lines


def _inputs(lock: Lock) -> Iterator[tuple[str, tuple[str, str | None]]]:
    """Every input's name, with its version or what else tells it, and its sha256."""
    if lock.base.kind == "archive":
        yield f"base {lock.base.file}", (lock.base.sha256 or "unknown", lock.base.sha256)
    for deb in (*lock.base.debs, *lock.env.debs):
        yield f"deb {deb.name}", (deb.version, deb.sha256)
    for packages in lock.env.sets:
        if packages.python is not None:
            for wheel in packages.python.wheels:
                yield f"wheel {wheel.name}", (wheel.version, wheel.sha256)
            for brought in packages.python.manual:
                yield f"wheel {brought.name}", (brought.version, brought.sha256)
    for name, source in lock.sources.items():
        if source.kind == "sdist":
            yield f"source {name}", (source.sdist.file, source.sdist.sha256)
        else:
            yield f"source {name}", (source.commit, source.tree)
    for name, weights in lock.weights.items():
        for file in weights.files:
            yield f"weights {name}/{file.path}", (file.sha256 or "unknown", file.sha256)
    for name, data in lock.data.items():
        yield f"data {name}", (data.sha256 or "unknown", data.sha256)
