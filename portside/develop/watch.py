"""A target that starts again when code changes.

The folder is looked at a few times in a second: that works on every file system, and a few thousand files take some
hundredths of one. What counts is code: files that git knows, and new ones whose names say that they are code. What a
run writes beside them counts for nothing, and neither does a file that changes each time the target starts.
"""

import os
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from portside.common.progress import say
from portside.common.tree import decode_path, encode_path
from portside.engines import Runner
from portside.errors import EngineError

PAUSE = 0.1
"""Seconds between two looks, at least."""
SETTLED = 0.03
"""Seconds in which nothing more may change, for an editor that saves several files."""
_SUFFIXES = tuple(b".bash .c .cc .cfg .cmake .cpp .cu .cuh .cxx .h .hpp .ini .mlu .py .pyi .pyx .sh .toml".split())
"""How the names of new files end that are code before git knows them."""
_SKIPPED = {".git", "__pycache__", ".pytest_cache", ".ipynb_checkpoints"}
_TOO_OFTEN = 5
_SOON = 1.0
"""Seconds after a start in which a change may be the target's own doing."""
_LONGEST = 2.0
"""Seconds that saving may go on before the target starts all the same."""

SUPERVISOR = """
child=
begin() {
    if command -v setsid >/dev/null 2>&1; then
        setsid /bin/sh -c '/bin/sh -c "$0"; echo "the target has ended with $?; it waits for a change" >&2' "$1" \\
            </dev/null &
        child=$!; all=-$child
    else
        /bin/sh -c "$1" </dev/null &
        child=$!; all=$child
    fi
}
end() {
    [ -n "$child" ] || return 0
    ( sleep "$2"; kill -KILL "$all" ) >/dev/null 2>&1 &
    killer=$!
    kill -TERM "$all" 2>/dev/null
    wait "$child" 2>/dev/null
    kill -KILL "$all" 2>/dev/null
    kill -KILL "$killer" 2>/dev/null
    child=
}
while read -r word; do
    end "$@"
    [ "$word" = start ] && begin "$@"
done
end "$@"
"""
"""A shell program that reads `start` and `stop`. $1: the target's command. $2: the seconds that it has to end."""

Signature = tuple[int, int, int]


class CodeLook:
    """What the code of a folder looked like when it was last looked at.

    known: paths that are code because git knows them. left_out: folders that are mounted over.
    """

    def __init__(self, folder: Path, known: Collection[str], left_out: Collection[str]) -> None:
        self._root = os.fsencode(folder)
        self._known = {encode_path(path) for path in known}
        self._left_out = {encode_path(path) for path in left_out}
        self._ignored: set[bytes] = set()
        self.seen = dict(self._walk(b""))

    def _walk(self, above: bytes) -> Iterator[tuple[bytes, Signature]]:
        try:
            found = list(os.scandir(os.path.join(self._root, above)))
        except OSError:
            return
        for item in found:
            path = os.path.join(above, item.name)
            if os.fsdecode(item.name) in _SKIPPED or path in self._left_out:
                continue
            if item.is_dir(follow_symlinks=False):
                yield from self._walk(path)
            elif path not in self._ignored and (path in self._known or item.name.endswith(_SUFFIXES)):
                with suppress(OSError):
                    info = item.stat(follow_symlinks=False)
                    yield path, (info.st_mtime_ns, info.st_size, info.st_ino)

    def changed(self) -> list[str]:
        """The paths that are other ones than at the last look, or new, or gone."""
        now = dict(self._walk(b""))
        before, self.seen = self.seen, now
        paths = [path for path in before.keys() | now.keys() if before.get(path) != now.get(path)]
        return sorted(decode_path(path) for path in paths)

    def ignore(self, path: str) -> None:
        self._ignored.add(encode_path(path))
        self.seen.pop(encode_path(path), None)


def watch(
    engine: Runner,
    container: str,
    command: str,
    look: CodeLook,
    *,
    env: Mapping[str, str],
    workdir: str | None,
    stop_seconds: int,
    saved: Callable[[list[str]], list[str]] = lambda paths: [],
) -> int:
    """Run a target's command until this process is told to end; start it again whenever code has changed.

    saved: called with the paths that changed; gives those that it wrote itself. Raises EngineError where the
    container ends.
    """
    argv = ("/bin/sh", "-c", SUPERVISOR, "sh", command, str(stop_seconds))
    variables = {"PYTHONUNBUFFERED": "1", **env}
    line = engine.enter_command(container, argv, terminal=False, env=variables, workdir=workdir)
    # A Ctrl-C is for this process alone: the target ends when its supervisor's stdin does.
    child = subprocess.Popen(line, stdin=subprocess.PIPE, start_new_session=True)
    assert child.stdin is not None
    often: dict[str, int] = {}
    try:
        _tell(child)
        started = time.monotonic()
        while True:
            began = time.monotonic()
            paths = look.changed()
            took = time.monotonic() - began
            if paths and (paths := _own_doing(look, _settled(look, paths, saved), often, time.monotonic() - started)):
                say(f"{_named(paths)} changed: starting again")
                _tell(child)
                started = time.monotonic()
            if child.poll() is not None:
                raise EngineError("the container of the target has ended", "Start it again: invoke develop")
            time.sleep(max(PAUSE, 4 * took))
    finally:
        with suppress(OSError):
            child.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            child.wait(stop_seconds + 5)
        if child.poll() is None:
            child.kill()
            child.wait()


def _tell(child: "subprocess.Popen[bytes]") -> None:
    assert child.stdin is not None
    with suppress(BrokenPipeError):
        child.stdin.write(b"start\n")
        child.stdin.flush()


def _settled(look: CodeLook, paths: list[str], saved: Callable[[list[str]], list[str]]) -> list[str]:
    """All paths that change until nothing does any more; what `saved` writes comes along."""
    until = time.monotonic() + _LONGEST
    found = set(paths)
    while paths:
        made = set(saved(paths))
        found |= {*paths, *made}
        if time.monotonic() > until:
            break
        time.sleep(SETTLED)
        paths = [path for path in look.changed() if path not in made]
    return sorted(found)


def _own_doing(look: CodeLook, paths: list[str], often: dict[str, int], since: float) -> list[str]:
    """The paths without those that have changed soon after each of the last starts."""
    kept = []
    for path in paths:
        often[path] = often.get(path, 0) + 1 if since < _SOON else 0
        if often[path] > _TOO_OFTEN:
            look.ignore(path)
            say(f"{path} changes whenever the target has started, so it no longer counts as code")
        else:
            kept.append(path)
    return kept


def _named(paths: list[str]) -> str:
    return ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
