"""The git repository of a working folder: what a person did there, read without anything of their settings in it.

A person's own configuration (prefixes, filters, hooks, ignored files) and what upstream says in `.gitattributes` would
change bytes, so git is called without the first and with `info/attributes` against the second.
"""

import os
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from portside.common.tree import decode_path, encode_path
from portside.errors import InputError, RecipeError
from portside.inputs.git_remote import with_settings

BASE = "refs/portside/base"
"""What the recipe gives, as the folder was laid out or captured last."""
LARGEST = 32 << 20
"""Bytes of a file that may become a part of a recipe."""
_SETTINGS = (
    ("safe.directory", "*"),
    ("core.autocrlf", "false"),
    ("core.fileMode", "true"),
    ("core.symlinks", "true"),
    ("core.hooksPath", os.devnull),
    ("core.fsmonitor", "false"),
    ("core.excludesFile", os.devnull),
    ("core.attributesFile", os.devnull),
    ("core.quotePath", "false"),
    ("commit.gpgSign", "false"),
    ("gc.auto", "0"),
)
_ATTRIBUTES = "* -text -eol -filter -ident -working-tree-encoding -export-subst !diff !merge\n"
_PATCH = ("--full-index", "--no-color", "--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/")


@dataclass(frozen=True, slots=True)
class PathChange:
    """One path that differs between two trees. old, new: its mode and git's name of its bytes, None where it is not
    there. origin: the path that it was renamed from."""

    path: str
    old: tuple[str, str] | None
    new: tuple[str, str] | None
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """name, tree: git's. author: as in a mail. date: RFC 2822. message: bytes, as a person wrote it."""

    name: str
    tree: str
    author: str
    date: str
    message: bytes

    @property
    def subject(self) -> str:
        lines = self.message.decode("utf-8", "replace").strip().splitlines()
        return lines[0].strip() if lines else ""


class WorkRepository:
    """git in a working folder. Raises InputError with what git says where it fails."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        environment |= {
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "LC_ALL": "C",
        }
        for who in ("AUTHOR", "COMMITTER"):
            environment |= {f"GIT_{who}_NAME": "Portside", f"GIT_{who}_EMAIL": "portside@localhost"}
        self._environment = with_settings(environment, _SETTINGS)

    def git(
        self,
        *arguments: str,
        codes: Sequence[int] = (0,),
        data: bytes | None = None,
        more: Mapping[str, str] | None = None,
    ) -> bytes:
        """Run git there; gives its output. data: for its stdin. more: further variables."""
        try:
            run = subprocess.run(
                ["git", *map(os.fsdecode, map(encode_path, arguments))],
                cwd=self.folder,
                env={**self._environment, **(more or {})},
                input=b"" if data is None else data,
                capture_output=True,
            )
        except FileNotFoundError:
            raise InputError("git is not installed on this machine", "Install it: apt-get install git") from None
        if run.returncode not in codes:
            said = run.stderr.decode("utf-8", "replace").strip()
            raise InputError(f"git {arguments[0]} failed in {self.folder}:\n  {said}", "Look at it there with git.")
        return run.stdout

    def word(self, *arguments: str) -> str:
        return self.git(*arguments).decode().strip()

    def create(self, ignored: Sequence[str]) -> None:
        """Make the repository of a folder that is laid out. ignored: patterns of what is never taken in."""
        self.git("init", "--quiet", "--template=", "--initial-branch=work", "--object-format=sha1", ".")
        info = self.folder / ".git" / "info"
        info.mkdir(exist_ok=True)
        (info / "attributes").write_text(_ATTRIBUTES, encoding="utf-8")
        self.ignore(ignored)
        for key, value in (("core.autocrlf", "false"), ("core.fileMode", "true"), ("gc.auto", "0")):
            self.git("config", key, value)

    def ignore(self, patterns: Sequence[str]) -> None:
        text = "".join(f"{pattern}\n" for pattern in patterns)
        (self.folder / ".git" / "info" / "exclude").write_text(text, encoding="utf-8")

    def commit_everything(self, message: str) -> str:
        """Commit all that lies there, ignored or not; gives the commit."""
        self.git("add", "--all", "--force", ".")
        self.git("commit", "--quiet", "--allow-empty", "--no-verify", "--message", message)
        return self.word("rev-parse", "HEAD")

    def name_of(self, expression: str) -> str | None:
        found = self.git("rev-parse", "--verify", "--quiet", "--end-of-options", expression, codes=(0, 1)).decode()
        return found.strip() or None

    def commit_tree(self, tree: str, parent: str, message: str) -> str:
        return self.word("commit-tree", tree, "-p", parent, "-m", message)

    def set_ref(self, ref: str, commit: str) -> None:
        self.git("update-ref", ref, commit)

    def snapshot(self) -> str:
        """The tree of everything that lies there now but what is ignored; the person's own index stays as it is.

        What was committed or staged counts although a pattern ignores it. Raises RecipeError for what no recipe can
        hold: repositories inside, files of more than `LARGEST` bytes.
        """
        self._check_inside()
        with tempfile.TemporaryDirectory(prefix="portside-index-") as scratch:
            own = {"GIT_INDEX_FILE": str(Path(scratch, "index"))}
            self.git("read-tree", "HEAD", more=own)
            self._check_sizes(own)
            self.git("add", "--all", ".", more=own)
            if staged := [path for path in self._paths("ls-files", "-z", "--cached") if self._lies(path)]:
                listed = b"".join(encode_path(path) + b"\0" for path in staged)
                options = ("--force", "--pathspec-from-file=-", "--pathspec-file-nul")
                self.git("--literal-pathspecs", "add", *options, data=listed, more=own)
            return self.git("write-tree", more=own).decode().strip()

    def _lies(self, path: str) -> bool:
        return os.path.lexists(os.path.join(os.fsencode(self.folder), encode_path(path)))

    def _check_inside(self) -> None:
        inside = []
        for above, folders, names in os.walk(self.folder):
            if above == str(self.folder):
                folders[:] = [name for name in folders if name != ".git"]
            elif ".git" in folders or ".git" in names:
                inside.append(os.path.relpath(above, self.folder))
                folders.clear()
        if inside and (found := [path for path in inside if not self._is_ignored(path)]):
            raise RecipeError(
                "a recipe cannot hold a git repository inside of its code:\n"
                + "\n".join(f"  {self.folder / path}" for path in sorted(found)),
                "Remove its .git to keep the files, or name it under `sources` of the recipe.",
            )

    def _is_ignored(self, path: str) -> bool:
        return bool(self.git("check-ignore", "--", path, codes=(0, 1)))

    def _check_sizes(self, own: Mapping[str, str]) -> None:
        large = []
        for path in self._paths("ls-files", "-z", "--others", "--modified", "--exclude-standard", more=own):
            where = os.path.join(os.fsencode(self.folder), encode_path(path))
            if os.path.isfile(where) and not os.path.islink(where) and os.path.getsize(where) > LARGEST:
                large.append(path)
        if large:
            raise RecipeError(
                f"larger than {LARGEST >> 20} MiB, which a recipe does not hold:\n"
                + "\n".join(f"  {self.folder / path}" for path in sorted(set(large))),
                f"What a run writes is ignored by a line in {self.folder}/.git/info/exclude; weights and data have "
                "keys of their own in a recipe.",
            )

    def _paths(self, *arguments: str, more: Mapping[str, str] | None = None) -> Iterator[str]:
        for path in self.git(*arguments, more=more).split(b"\0"):
            if path:
                yield decode_path(path)

    def known_paths(self) -> set[str]:
        """The paths that the last commit or the person's index has."""
        return {*self._paths("ls-files", "-z", "--cached"), *self.listing("HEAD")}

    def tree_of_folder(self, folder: Path) -> str:
        """Take in all that lies in another folder; gives git's name of it as a tree."""
        with tempfile.TemporaryDirectory(prefix="portside-index-") as scratch:
            own = {"GIT_INDEX_FILE": str(Path(scratch, "index")), "GIT_WORK_TREE": str(folder)}
            own["GIT_DIR"] = str(self.folder / ".git")
            self.git("add", "--all", "--force", str(folder), more=own)
            return self.git("write-tree", more=own).decode().strip()

    def merged(self, mine: str, base: str, theirs: str) -> bytes | None:
        """Three texts by git's names of their bytes, merged; None where both sides changed the same lines."""
        return merged_text(self.blob(mine), self.blob(base), self.blob(theirs))

    def left_out(self, own: Collection[str]) -> list[str]:
        """New files that `.gitignore` files keep out of `snapshot`, without those that `own` patterns name."""
        patterns = [f"--exclude={pattern}" for pattern in own]
        ours = set(self._paths("ls-files", "-z", "--others", "--ignored", "--directory", *patterns)) if own else set()
        found = self._paths(
            "ls-files", "-z", "--others", "--ignored", "--directory", "--exclude-per-directory=.gitignore"
        )
        return sorted(path for path in found if path not in ours and not any(path.startswith(one) for one in ours))

    def commits(self, since: str) -> list[Commit] | None:
        """The commits on top of another one, oldest first, of merges the first parent's side; None where the history
        does not go on from there."""
        if self.git("merge-base", since, "HEAD", codes=(0, 1)).decode().strip() != self.name_of(since):
            return None
        names = self.git("rev-list", "--first-parent", "--reverse", f"{since}..HEAD").decode().split()
        return [self._commit(name) for name in names]

    def _commit(self, name: str) -> Commit:
        text = self.git("show", "--no-patch", "--format=%T%x00%an <%ae>%x00%aD%x00%B", name)
        tree, author, date, message = text.split(b"\0", 3)
        return Commit(
            name, tree.decode(), author.decode("utf-8", "replace"), date.decode(), message.strip(b"\n") + b"\n"
        )

    def tree_of(self, commit: str) -> str:
        return self.word("rev-parse", f"{commit}^{{tree}}")

    def changes(self, old: str, new: str, *, renames: bool) -> list[PathChange]:
        """What differs between two trees, by path."""
        how = ("--find-renames=50%", "-l0") if renames else ("--no-renames",)
        fields = self.git("diff-tree", "-r", "-z", "--raw", *how, old, new).split(b"\0")
        found: list[PathChange] = []
        rows = iter(fields)
        for head in rows:
            if not head:
                continue
            old_mode, new_mode, old_name, new_name, status = head.decode().lstrip(":").split(" ")
            path = decode_path(next(rows))
            origin = None
            if status[0] in "RC":
                origin, path = path, decode_path(next(rows))
            before = None if status[0] == "A" else (old_mode, old_name)
            after = None if status[0] == "D" else (new_mode, new_name)
            found.append(PathChange(path, before, after, origin))
        return found

    def binary(self, old: str, new: str) -> set[str]:
        """The paths that differ and that git takes for no text."""
        rows = self.git("diff-tree", "-r", "-z", "--numstat", "--no-renames", old, new).split(b"\0")
        return {decode_path(row[4:]) for row in rows if row.startswith(b"-\t-\t")}

    def patch(self, old: str, new: str, *, renames: bool, context: int = 3) -> bytes:
        """The diff between two trees, as `git diff` writes it; nothing where they are the same."""
        how = ("--find-renames=50%", "-l0") if renames else ("--no-renames",)
        return self.git("diff-tree", "-r", "-p", f"-U{context}", "--diff-algorithm=myers", *_PATCH, *how, old, new)

    def with_changes(self, tree: str, changes: Mapping[str, tuple[str, str] | None]) -> str:
        """Another tree with these paths as they are to be: mode and git's name of the bytes, None for gone."""
        rows = []
        for path, found in changes.items():
            mode, name = found or ("0", "0" * 40)
            rows.append(f"{mode} {name}\t".encode() + encode_path(path) + b"\0")
        with tempfile.TemporaryDirectory(prefix="portside-index-") as scratch:
            own = {"GIT_INDEX_FILE": str(Path(scratch, "index"))}
            self.git("read-tree", tree, more=own)
            self.git("update-index", "-z", "--index-info", data=b"".join(rows), more=own)
            return self.git("write-tree", more=own).decode().strip()

    def blob(self, name: str) -> bytes:
        return self.git("cat-file", "blob", name)

    def keep_blob(self, data: bytes) -> str:
        return self.git("hash-object", "-w", "--stdin", data=data).decode().strip()

    def blobs(self, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """The bytes of many blobs, by git's names of them."""
        out = self.git("cat-file", "--batch", "--buffer", data="".join(f"{name}\n" for name in names).encode())
        at = 0
        for _ in names:
            end = out.index(b"\n", at)
            name, _, size = out[at:end].decode().split(" ")
            yield name, out[end + 1 : end + 1 + int(size)]
            at = end + 2 + int(size)

    def listing(self, tree: str) -> dict[str, tuple[str, str]]:
        """Every path of a tree that is no folder: its mode and git's name of its bytes."""
        found = {}
        for row in self.git("ls-tree", "-r", "-z", "--full-tree", tree).split(b"\0"):
            if row:
                head, _, path = row.partition(b"\t")
                mode, _, name = head.decode().split(" ")
                found[decode_path(path)] = (mode, name)
        return found


def merged_text(mine: bytes, base: bytes, theirs: bytes) -> bytes | None:
    """A text with the changes of both sides; None where they are of the same lines, or are no text."""
    result, conflicts = merge_file(mine, base, theirs)
    return None if conflicts else result


def merge_file(
    mine: bytes, base: bytes, theirs: bytes, labels: tuple[str, str, str] = ("mine", "base", "theirs")
) -> tuple[bytes, int]:
    """The merged text, and how many conflicts stand in it, with marks; -1 for what is no text."""
    with tempfile.TemporaryDirectory(prefix="portside-merge-") as scratch:
        paths = []
        for name, data in zip(("mine", "base", "theirs"), (mine, base, theirs), strict=True):
            Path(scratch, name).write_bytes(data)
            paths.append(name)
        named = [word for label in labels for word in ("-L", label)]
        run = subprocess.run(
            ["git", "merge-file", "-p", "--diff3", *named, *paths],
            cwd=scratch,
            env={**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
        if run.returncode > 127:
            return b"", -1
        return run.stdout, run.returncode


def diff_text(path: str, old: tuple[bytes, int] | None, new: tuple[bytes, int] | None) -> bytes:
    """The diff of one file, as `git diff` writes it. old, new: its bytes and permission bits, None for no file."""
    with tempfile.TemporaryDirectory(prefix="portside-diff-") as scratch:
        names = []
        for side, found in (("a", old), ("b", new)):
            name = os.path.join(side, os.fsdecode(encode_path(path)))
            if found is not None:
                target = Path(scratch, name)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(found[0])
                target.chmod(0o755 if found[1] & 0o100 else 0o644)
            names.append(os.devnull if found is None else name)
        how = ("--no-index", "-U3", "--diff-algorithm=myers", *_PATCH[:4], "--src-prefix=", "--dst-prefix=")
        run = subprocess.run(
            ["git", "-c", "core.quotePath=false", "-c", "core.fileMode=true", "diff", *how, *names],
            cwd=scratch,
            env={**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
        return run.stdout
