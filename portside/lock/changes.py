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
    """Every input's name, with its version or what else tells it apart, and its hash."""
    for item in lock.inputs():
        if item.kind not in ("carrier", "packed"):  # what names them is another input
            yield item.key, (item.version, item.identity)
